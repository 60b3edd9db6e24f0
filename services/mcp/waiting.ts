import { setTimeout as delay } from 'node:timers/promises';
import type { RunDetailView } from '../../domain/contracts/api.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { RunEvent } from '../../domain/run/events.ts';
import { isActive } from '../../domain/run/status.ts';
import { followTurn } from '../client/follow-turn.ts';
import type { McpCall } from './tool.ts';

const retryMs = 500;
/** Told this often at the least, so that a caller knows that it is still waited. */
const tellMs = 10_000;

/**
 * Waits until the run has ended, `waitMs` are over or nobody wants to know any more; outlives losses of the API.
 * @returns the run as it is then
 */
export async function waitForRun(call: McpCall, runId: string, waitMs: number): Promise<RunDetailView> {
  const { client } = call;
  const read = async (signal: AbortSignal): Promise<RunDetailView> =>
    await untilAnswered(async () => await client.getRun(runId), signal);
  return await within(call, waitMs, async (signal) => {
    let run = await read(signal);
    while (isActive(run.status) && !signal.aborted) {
      for await (const event of client.events(run.runId, { sinceSeq: run.headSeq, signal })) tell(call, event);
      run = await read(signal);
      // An execution that somebody ended behind our back, or that has just begun.
      if (isActive(run.status)) await delay(retryMs, undefined, { signal }).catch(() => undefined);
    }
    return run;
  });
}

/** The turn of a message once it has ended; null when `waitMs` are over or nobody wants to know any more before that. */
export async function waitForTurn(
  call: McpCall,
  turn: { readonly sessionId: string; readonly messageId: string; readonly afterSeq: number },
  waitMs: number,
): Promise<Extract<RunEvent, { kind: 'turn-ended' }>['body'] | null> {
  const { client } = call;
  return await within(call, waitMs, async (signal) => {
    const patient = {
      sessionEvents: client.sessionEvents,
      getSession: async (id: string) => await untilAnswered(async () => await client.getSession(id), signal),
    };
    const ended = await followTurn(patient, {
      ...turn,
      signal,
      onEvent: (event) => tell(call, event),
      onConnection: () => undefined,
    });
    return ended?.body ?? null;
  });
}

async function within<T>(call: McpCall, waitMs: number, wait: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), waitMs);
  const ticker = setInterval(() => call.report('it goes on'), tellMs);
  try {
    return await wait(AbortSignal.any([over.signal, call.signal]));
  } finally {
    clearTimeout(timer);
    clearInterval(ticker);
  }
}

/** The first answer that is not a temporary failure; after `signal` the next one, whatever it is. */
async function untilAnswered<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (signal.aborted || !(error instanceof CodetetherError) || !error.entry.retryable) throw error;
    }
    await delay(retryMs, undefined, { signal }).catch(() => undefined);
  }
}

function tell(call: McpCall, { kind, storyId }: RunEvent): void {
  call.report(storyId === null ? kind : `${storyId}: ${kind}`);
}
