import { setTimeout as delay } from 'node:timers/promises';
import type { Server, ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';
import { CodetetherError } from '../../domain/errors.ts';
import { answerCall } from './answer-call.ts';
import { whenGone } from './when-gone.ts';

/** Who watches hears of a change after so long. */
const lookAgainMs = 2_000;

interface HealthRequest {
  readonly service: string;
}
interface HealthResponse {
  readonly status: 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';
}

/**
 * gRPC's health protocol (grpc.health.v1): all services are SERVING while `isReady` says so, each time it is asked; the service named ''
 * stands for all.
 * @param changed is raised when the answer is known to have changed: who watches hears it at once
 * @param closing ends watching
 */
export function addHealth(
  server: Server,
  {
    names,
    isReady,
    changed,
    closing,
  }: {
    readonly names: readonly string[];
    readonly isReady: () => Promise<boolean>;
    readonly changed: AbortSignal | undefined;
    readonly closing: AbortSignal;
  },
): void {
  const known: ReadonlySet<string> = new Set(['', ...names]);
  const now = async (name = ''): Promise<HealthResponse> => {
    if (!known.has(name)) return { status: 'SERVICE_UNKNOWN' };
    return { status: (await isReady()) ? 'SERVING' : 'NOT_SERVING' };
  };

  server.addService(service, {
    check: ({ request }: ServerUnaryCall<HealthRequest, object>, callback: sendUnaryData<object>) => {
      void answerCall(callback, async () => {
        if (!known.has(request.service))
          throw new CodetetherError('not-found', `there is no service ${request.service}`);
        return await now();
      });
    },
    list: (_call: ServerUnaryCall<object, object>, callback: sendUnaryData<object>) => {
      void answerCall(callback, async () => {
        const response = await now();
        return { statuses: Object.fromEntries([...known].map((name) => [name, response])) };
      });
    },
    watch: (call: ServerWritableStream<HealthRequest, HealthResponse>) => {
      void watch(call);
    },
  });

  async function watch(call: ServerWritableStream<HealthRequest, HealthResponse>): Promise<void> {
    const over = AbortSignal.any([whenGone(call), closing]);
    let told: string | undefined;
    while (!over.aborted) {
      const response = await now(call.request.service);
      if (response.status !== told) call.write(response);
      told = response.status;
      const wakes = changed?.aborted === false ? [over, changed] : [over];
      await delay(lookAgainMs, undefined, { signal: AbortSignal.any(wakes) }).catch(() => undefined);
    }
    if (!call.cancelled) call.end();
  }
}
