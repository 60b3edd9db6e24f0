import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

const defaultPingMs = 15_000;

/** Answers with a stream whose first event is known already: what is wrong with a request is told before it begins. */
export async function sendEvents(
  reply: FastifyReply,
  { first, events, pingMs = defaultPingMs }: BegunStream & { readonly pingMs?: number | undefined },
): Promise<FastifyReply> {
  return await asEventStream(reply).send(
    Readable.from(serverSentEvents({ first, events }, pingMs), { objectMode: false }),
  );
}

export function asEventStream(reply: FastifyReply): FastifyReply {
  return reply
    .header('content-type', 'text/event-stream; charset=utf-8')
    .header('cache-control', 'no-cache, no-transform')
    .header('x-accel-buffering', 'no');
}

export interface BegunStream {
  readonly first: IteratorResult<unknown>;
  readonly events: AsyncIterator<unknown>;
}

/** Rejects with what is wrong with the request. */
export async function begin(stream: AsyncIterable<unknown>): Promise<BegunStream> {
  const events = stream[Symbol.asyncIterator]();
  return { first: await events.next(), events };
}

/** The next event is asked for when the reader has taken the last; a silent stream says that it is there. */
async function* serverSentEvents(
  { first, events }: BegunStream,
  pingMs: number,
): AsyncGenerator<string, void, undefined> {
  try {
    let next = first;
    while (next.done !== true) {
      yield `data: ${JSON.stringify(next.value)}\n\n`;
      const coming = events.next();
      for (;;) {
        const came = await within(coming, pingMs);
        if (came !== undefined) {
          next = came;
          break;
        }
        yield ': ping\n\n';
      }
    }
  } finally {
    await events.return?.();
  }
}

async function within<T>(coming: Promise<T>, ms: number): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), ms);
  try {
    return await Promise.race([coming, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

export function isStream(answered: unknown): answered is AsyncIterable<unknown> {
  return typeof answered === 'object' && answered !== null && Symbol.asyncIterator in answered;
}
