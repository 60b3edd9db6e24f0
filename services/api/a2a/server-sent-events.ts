import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { asStream, defaultPingMs, eventStreamType } from '../stream-reply.ts';
import { within } from '../within.ts';

/** Answers with a stream whose first event is known already: what is wrong with a request is told before it begins. */
export async function sendEvents(
  reply: FastifyReply,
  { first, events, pingMs = defaultPingMs }: BegunStream & { readonly pingMs?: number | undefined },
): Promise<FastifyReply> {
  return await asStream(reply, eventStreamType).send(
    Readable.from(serverSentEvents({ first, events }, pingMs), { objectMode: false }),
  );
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
        const came = await within(pingMs, coming);
        if (came !== 'late') {
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

export function isStream(answered: unknown): answered is AsyncIterable<unknown> {
  return typeof answered === 'object' && answered !== null && Symbol.asyncIterator in answered;
}
