import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { CodetetherError } from '../../domain/errors.ts';
import { engineError } from './engine-errors.ts';

export interface TemporalAddress {
  /** `host:port` */
  readonly address: string;
  readonly namespace: string;
}

export interface TemporalAccess {
  readonly connection: Connection;
  readonly client: Client;
}

const probeMs = 1_000;
const retryDelayMs = 100;

/**
 * A client that connects on its first call, and again by itself after every restart of the engine. Nothing is checked;
 * give every call a deadline (`connection.withDeadline`), since calls wait for the engine to come.
 */
export function openTemporal(options: TemporalAddress): TemporalAccess {
  const connection = Connection.lazy({
    address: options.address,
    // gRPC's own waiting time between two tries to connect grows to two minutes.
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 1_000 },
  });
  return { connection, client: new Client({ connection, namespace: options.namespace }) };
}

/**
 * Waits until the engine answers and has the namespace.
 * @param options.timeoutMs default: waits for ever
 * @throws `engine-unreachable` after that time, the signal's reason when aborted
 */
export async function connectTemporal(
  options: TemporalAddress & { readonly timeoutMs?: number; readonly signal?: AbortSignal },
): Promise<TemporalAccess> {
  const access = openTemporal(options);
  const deadline = Date.now() + (options.timeoutMs ?? Number.POSITIVE_INFINITY);
  try {
    for (;;) {
      options.signal?.throwIfAborted();
      try {
        await probeTemporal(access, options.namespace, probeMs);
        return access;
      } catch (error) {
        if (Date.now() + retryDelayMs > deadline) throw unreachable(options, error);
      }
      await delay(retryDelayMs, undefined, options.signal === undefined ? {} : { signal: options.signal });
    }
  } catch (error) {
    await access.connection.close();
    throw error;
  }
}

/** Throws unless the engine answers within `timeoutMs` and has the namespace. */
export async function probeTemporal(access: TemporalAccess, namespace: string, timeoutMs: number): Promise<void> {
  const { connection } = access;
  await connection.withDeadline(Date.now() + timeoutMs, async () => {
    await connection.workflowService.describeNamespace({ namespace });
  });
}

function unreachable(options: TemporalAddress, error: unknown): CodetetherError {
  const known = engineError(error);
  const reason = known instanceof Error ? known.message : String(known);
  return new CodetetherError('engine-unreachable', `the Temporal engine at ${options.address}: ${reason}`, {
    cause: error,
  });
}
