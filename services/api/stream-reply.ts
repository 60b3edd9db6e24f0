import type { FastifyReply } from 'fastify';
import type { Principal } from '../../domain/access/permissions.ts';
import type { PrincipalLimits } from './limits.ts';
import type { Metrics } from './metrics.ts';

/** How often a silent stream says that it is there. */
export const defaultPingMs = 15_000;

/** One for all: each would cost a stack trace. */
const hasGone = new Error('nobody waits for the answer any more');

/** Where a stream counts while it is open. */
export interface StreamCounts {
  readonly limits: Pick<PrincipalLimits, 'openStream'>;
  readonly metrics: Pick<Metrics, 'openStream'>;
}

/** @returns to be called when it has ended. @throws `rate-limited` */
export function openStream({ limits, metrics }: StreamCounts, principal: Principal): () => void {
  const leave = limits.openStream(principal);
  const close = metrics.openStream();
  return () => {
    leave();
    close();
  };
}

/** Aborts when the connection ends, also when all was sent; it has aborted already where it had ended before. */
export function whenGone({ raw }: FastifyReply, reason: Error = hasGone): AbortSignal {
  const gone = new AbortController();
  const leave = (): void => gone.abort(reason);
  raw.once('close', leave);
  if (raw.destroyed) leave();
  return gone.signal;
}

/** Nothing between here and the reader keeps it back. */
export function asStream(reply: FastifyReply, contentType: string): FastifyReply {
  return reply
    .header('content-type', contentType)
    .header('cache-control', 'no-cache, no-transform')
    .header('x-accel-buffering', 'no');
}

export const eventStreamType = 'text/event-stream; charset=utf-8';
