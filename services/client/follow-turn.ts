import { setTimeout as delay } from 'node:timers/promises';
import { CodetetherError } from '../../domain/errors.ts';
import { isActive } from '../../domain/run/status.ts';
import type { RunEvent } from '../../domain/run/events.ts';
import type { Client } from './client.ts';

type TurnEnded = Extract<RunEvent, { kind: 'turn-ended' }>;

export interface FollowTurnOptions {
  readonly sessionId: string;
  readonly messageId: string;
  readonly afterSeq: number;
  readonly signal: AbortSignal;
  /** Events of the turn, and those of the session that belong to none. */
  readonly onEvent: (event: RunEvent) => void;
  readonly onConnection: (connected: boolean) => void;
}

const pauseMs = 200;
/** A turn that was handed over begins within seconds, where a worker is there. */
const unheardMs = 60_000;

/** Reads a session's events until the turn of the message has ended; undefined when `signal` was raised before. */
export async function followTurn(
  client: Pick<Client, 'sessionEvents' | 'getSession'>,
  { sessionId, messageId, afterSeq, signal, onEvent, onConnection }: FollowTurnOptions,
): Promise<TurnEnded | undefined> {
  let seen = afterSeq;
  let isOurs = false;
  let idleSince: number | undefined;
  while (!signal.aborted) {
    for await (const event of client.sessionEvents(sessionId, { sinceSeq: seen, signal, onConnection })) {
      seen = event.seq;
      idleSince = undefined;
      // Turns of others come before ours.
      if (event.kind === 'turn-started') isOurs = event.body.messageId === messageId;
      if (isOurs) onEvent(event);
      if (event.kind === 'turn-ended' && event.body.messageId === messageId) return event;
    }
    if (signal.aborted) return undefined;
    const session = await client.getSession(sessionId);
    if (isActive(session.status)) idleSince = undefined;
    else if (session.headSeq <= seen) {
      idleSince ??= Date.now();
      if (Date.now() - idleSince > unheardMs || session.status === 'error')
        throw new CodetetherError('worker-lost', `${sessionId}: ${session.message || 'nobody works on the message'}`);
    }
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}
