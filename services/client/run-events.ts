import { setTimeout as delay } from 'node:timers/promises';
import { CodetetherError } from '../../domain/errors.ts';
import type { RunEvent } from '../../domain/run/events.ts';
import type { ApiAddress, ApiResponse } from './request.ts';
import { answeredError, isGood, openResponse, readAll, unreachable } from './request.ts';
import { eventStreamData } from './event-stream.ts';

export interface RunEventsOptions {
  /** Default 0: from the first event on. */
  readonly sinceSeq?: number;
  /** Ends the events without an error. */
  readonly signal?: AbortSignal;
  /** False when the API is lost (tries go on), true when it is back. Called for changes only. */
  readonly onConnection?: (connected: boolean) => void;
}

/** The server says something every 15 s. */
const silenceMs = 45_000;
const firstDelayMs = 100;
const longestDelayMs = 2_000;
const noContent = 204;

/** See `Client.events`. */
export async function* runEvents(
  address: ApiAddress,
  path: string,
  options: RunEventsOptions,
): AsyncGenerator<RunEvent, void, undefined> {
  const { signal, onConnection } = options;
  const isLeft = (): boolean => signal?.aborted === true;
  let seen = options.sinceSeq ?? 0;
  let connected = true;
  let delayMs = firstDelayMs;
  while (!isLeft()) {
    try {
      const response = await openStream({ address, path, seen, signal });
      if (!connected) onConnection?.(true);
      connected = true;
      if (response === undefined) return;
      const before = seen;
      try {
        for await (const data of eventStreamData(response)) {
          const event = JSON.parse(data) as RunEvent;
          if (event.seq <= seen) continue;
          seen = event.seq;
          yield event;
        }
      } finally {
        response.destroy();
      }
      // The end of the stream is not the end of the run: only 204 says that there is nothing more.
      delayMs = firstDelayMs;
      if (seen > before) continue;
    } catch (error) {
      if (isLeft()) return;
      const known = error instanceof CodetetherError ? error : unreachable(address, error);
      if (!known.entry.retryable) throw known;
      if (connected) onConnection?.(false);
      connected = false;
    }
    await delay(delayMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
    delayMs = Math.min(delayMs * 2, longestDelayMs);
  }
}

/** Undefined when there is nothing more to come. */
async function openStream(options: {
  readonly address: ApiAddress;
  readonly path: string;
  readonly seen: number;
  readonly signal: AbortSignal | undefined;
}): Promise<ApiResponse | undefined> {
  const { address, path, seen, signal } = options;
  const response = await openResponse({
    address,
    method: 'GET',
    path,
    signal,
    headers: { accept: 'text/event-stream', 'last-event-id': String(seen) },
    timeoutMs: silenceMs,
  });
  if (response.statusCode === noContent) {
    response.resume();
    return undefined;
  }
  if (isGood(response)) return response;
  throw answeredError(await readAll(response, address), response);
}
