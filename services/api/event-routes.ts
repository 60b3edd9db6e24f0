import { Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { RunEvent } from '../../domain/run/events.ts';
import { isActive } from '../../domain/run/status.ts';
import type { ApiDeps } from './deps.ts';
import { runEventPages } from './event-pages.ts';
import { findRun } from './find-run.ts';
import { eventView } from './views.ts';

const RunParams = z.object({ runId: z.string().min(1).max(300) });
const Seq = z.coerce.number().int().nonnegative();
const EventQuery = z.strictObject({ 'since-seq': Seq.optional() });
const EventHeaders = z.object({ 'last-event-id': Seq.optional(), accept: z.string().optional() });

const defaultPingMs = 15_000;
const reconnectMs = 500;

interface Encoding {
  readonly contentType: string;
  /** Written at once, so that the reader knows that it is connected. */
  readonly opening: string;
  /** Written when nothing has happened for a while. */
  readonly ping: string;
  encode(runId: string, event: RunEvent): string;
}

const eventStream: Encoding = {
  contentType: 'text/event-stream; charset=utf-8',
  opening: `retry: ${reconnectMs}\n\n`,
  ping: ': ping\n\n',
  encode: (runId, event) =>
    `id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify(eventView(runId, event))}\n\n`,
};

const lines: Encoding = {
  contentType: 'application/x-ndjson; charset=utf-8',
  opening: '',
  ping: '',
  encode: (runId, event) => `${JSON.stringify(eventView(runId, event))}\n`,
};

/** @param closing is raised when the process goes down: streams end, and their readers come back to the next one */
export function eventRoutes(deps: ApiDeps, closing: AbortSignal): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/runs/:runId/events',
      {
        config: { permission: 'runs:read' },
        exposeHeadRoute: false,
        schema: { params: RunParams, querystring: EventQuery, headers: EventHeaders },
      },
      async (request, reply) => {
        const run = await findRun(deps, request.params.runId);
        const afterSeq = request.headers['last-event-id'] ?? request.query['since-seq'] ?? 0;
        const encoding = request.headers.accept?.includes('application/x-ndjson') === true ? lines : eventStream;
        const isOver = !isActive(run.status) && run.headSeq <= afterSeq;
        if (isOver && encoding === eventStream) return await reply.code(204).send();

        const gone = new AbortController();
        reply.raw.once('close', () => gone.abort());
        if (reply.raw.destroyed) gone.abort();
        const pages = runEventPages(deps, {
          runId: run.runId,
          afterSeq,
          pingMs: deps.pingMs ?? defaultPingMs,
          signal: AbortSignal.any([gone.signal, closing]),
        });
        return await reply
          .header('content-type', encoding.contentType)
          .header('cache-control', 'no-cache, no-transform')
          .header('x-accel-buffering', 'no')
          .send(Readable.from(encoded(run.runId, pages, encoding), { objectMode: false }));
      },
    );
  };
}

/** One chunk for each page; the next page is read when the reader has taken the last. */
async function* encoded(
  runId: string,
  pages: AsyncIterable<readonly RunEvent[]>,
  encoding: Encoding,
): AsyncGenerator<string, void, undefined> {
  if (encoding.opening !== '') yield encoding.opening;
  for await (const page of pages) {
    const text = page.length === 0 ? encoding.ping : page.map((event) => encoding.encode(runId, event)).join('');
    if (text !== '') yield text;
  }
}
