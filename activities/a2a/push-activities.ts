import { z } from 'zod';
import { nextAttemptInMs } from '../../domain/a2a/push.ts';
import type { WireVersion } from '../../domain/a2a/push.ts';
import type { TaskEvent } from '../../domain/a2a/task.ts';
import type { PushActivities } from '../../domain/contracts/a2a.ts';
import type { Push, PushConfig, PushStore } from '../../domain/contracts/push-store.ts';
import type { TaskRecord, TaskStore } from '../../domain/contracts/task-store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { retryAfterMs } from '../model/retry-after.ts';
import type { GuardedFetch } from '../network/guarded-fetch.ts';
import { receiverProblem } from './receiver.ts';

/** What a receiver is shown so that it knows who tells it. */
export const PushSecrets = z.object({
  token: z.string().exactOptional(),
  authentication: z.object({ scheme: z.string(), credentials: z.string().exactOptional() }).exactOptional(),
});
export type PushSecrets = z.infer<typeof PushSecrets>;

export interface PushActivitiesDeps {
  readonly store: Pick<PushStore, 'nextPush' | 'pushDelivered' | 'pushFailed'> & Pick<TaskStore, 'getTask'>;
  /** One that takes the receivers that the user has named. */
  readonly fetch: GuardedFetch;
  /** See {@link receiverProblem}. */
  readonly named: readonly string[];
  /** Throws `secret-key-missing`. */
  readonly open: (config: PushConfig) => PushSecrets;
  /** The task's newest event, as a version of the protocol tells it. @param events all up to that one */
  readonly body: (task: TaskRecord, events: readonly TaskEvent[], version: WireVersion) => Promise<string>;
  readonly cancellationSignal: () => AbortSignal;
  readonly random?: () => number;
}

const timeoutMs = 15_000;
/** What a receiver says is not read, but for its connection's sake. */
const mostBytes = 16 * 1024;
const contentTypes: { readonly [version in WireVersion]: string } = {
  '0.3': 'application/json',
  '1.0': 'application/a2a+json',
};

interface Failed {
  readonly reason: string;
  readonly status: number | null;
  readonly retryAfterMs?: number | undefined;
  /** Nothing that passes. */
  readonly isFinal?: boolean;
}

/** See {@link PushActivities}. */
export function createPushActivities(deps: PushActivitiesDeps): PushActivities {
  const { store, random = Math.random } = deps;
  return {
    deliverNext: async (ids) => {
      const next = await store.nextPush(ids);
      if (next === undefined) return { waitMs: null };
      if ('inMs' in next) return { waitMs: next.inMs };
      const failed = await deliver(next);
      if (failed === undefined) {
        await store.pushDelivered(next);
        return { waitMs: 0 };
      }
      const { reason, status, isFinal = false } = failed;
      const againInMs = isFinal ? null : nextAttemptInMs(next.attempts + 1, failed, random());
      await store.pushFailed(next, { reason, status, againInMs });
      return { waitMs: againInMs ?? 0 };
    },
  };

  /** @returns why it could not be delivered */
  async function deliver({ config, seq }: Push): Promise<Failed | undefined> {
    const { taskId, url, wireVersion } = config;
    const problem = receiverProblem(url, deps.named);
    if (problem !== undefined) return { reason: problem, status: null, isFinal: true };
    const task = await store.getTask(taskId);
    if (task === undefined) return undefined;
    let secrets: PushSecrets;
    try {
      secrets = deps.open(config);
    } catch (error) {
      if (!(error instanceof CodetetherError) || error.code !== 'secret-key-missing') throw error;
      return { reason: error.message, status: null };
    }
    const upTo = task.events.filter((event) => event.seq <= seq);
    const answer = await deps.fetch({
      url,
      method: 'POST',
      headers: {
        'content-type': contentTypes[wireVersion],
        'x-codetether-event': `${taskId}/${seq}`,
        ...headersOf(secrets),
      },
      body: await deps.body(task, upTo, wireVersion),
      maxBytes: mostBytes,
      maxRedirects: 0,
      timeoutMs,
      signal: deps.cancellationSignal(),
    });
    if (answer.kind !== 'answered') return { reason: answer.reason, status: null, isFinal: answer.kind === 'refused' };
    const { status, headers } = answer;
    if (status >= 200 && status < 300) return undefined;
    const asked = headers['retry-after'];
    return {
      reason: `the receiver has answered with ${status}`,
      status,
      retryAfterMs: asked === undefined ? undefined : retryAfterMs({ 'retry-after': asked }, '', Date.now()),
    };
  }
}

function headersOf({ token, authentication }: PushSecrets): { readonly [name: string]: string } {
  const credentials = authentication?.credentials;
  return {
    ...(token === undefined ? {} : { 'x-a2a-notification-token': token }),
    ...(credentials === undefined ? {} : { authorization: `${authentication?.scheme ?? ''} ${credentials}` }),
  };
}
