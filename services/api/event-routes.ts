import { addAbortListener } from 'node:events';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { RunRecord } from '../../domain/contracts/store.ts';
import type { RunEvent } from '../../domain/run/events.ts';
import { isActive } from '../../domain/run/status.ts';
import type { RunStatus } from '../../domain/run/status.ts';
import type { ApiDeps } from './deps.ts';
import { runEventPages } from './event-pages.ts';
import { findRun, reconcileRun } from './find-run.ts';
import { findSession, reconcileSession } from './find-session.ts';
import type { Metrics } from './metrics.ts';
import { principalOf } from './permissions.ts';
import { ralphFrames } from './ralph-wire.ts';
import { asStream, defaultPingMs, eventStreamType, openStream, whenGone } from './stream-reply.ts';
import type { StreamCounts } from './stream-reply.ts';
import { eventView } from './views.ts';

const SessionParams = z.object({ sessionId: z.string().min(1).max(300) });
const RunParams = z.object({ runId: z.string().min(1).max(300) });
const Seq = z.coerce.number().int().nonnegative();
const EventQuery = z.strictObject({ 'since-seq': Seq.optional() });
const EventHeaders = z.object({ 'last-event-id': Seq.optional(), accept: z.string().optional() });

const reconnectMs = 500;

/** No schema: neither is one document. */
const answers = { 200: ['text/event-stream', 'application/x-ndjson'], 204: [] } as const;

interface Encoding {
  readonly contentType: string;
  /** Written at once, so that the reader knows that it is connected. */
  readonly opening: string;
  /** Written when nothing has happened for a while. */
  readonly ping: string;
  readonly encode: (runId: string, event: RunEvent) => string;
}

const eventStream: Encoding = {
  contentType: eventStreamType,
  opening: `retry: ${reconnectMs}\n\n`,
  ping: ': ping\n\n',
  encode: (runId, event) =>
    `id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify(eventView(runId, event))}\n\n`,
};

/** As clients of the codetether platform read it. */
const ralphStream: Encoding = { ...eventStream, encode: (_runId, event) => ralphFrames(event) };

const lines: Encoding = {
  contentType: 'application/x-ndjson; charset=utf-8',
  opening: '',
  ping: '',
  encode: (runId, event) => `${JSON.stringify(eventView(runId, event))}\n`,
};

export interface StreamContext extends StreamCounts {
  /** Raised when the process goes down: streams end, and their readers come back to the next one. */
  readonly closing: AbortSignal;
  readonly metrics: Pick<Metrics, 'openStream' | 'noteEventLag'>;
}

export function eventRoutes(deps: ApiDeps, context: StreamContext): FastifyPluginAsyncZod {
  const { closing, metrics } = context;
  return async (app) => {
    app.get(
      '/v1/runs/:runId/events',
      {
        config: { permission: 'runs:read', summary: 'The event log of a run, then what comes', answers },
        exposeHeadRoute: false,
        schema: { params: RunParams, querystring: EventQuery, headers: EventHeaders },
      },
      async (request, reply) => {
        const run = await findRun(deps, request.params.runId);
        return await sendEvents({ request, reply }, loggedRun(run));
      },
    );
    app.get(
      '/v1/ralph/runs/:runId/stream',
      {
        config: {
          permission: 'runs:read',
          summary: 'What happens to a run (as the platform tells it)',
          answers: { 200: ['text/event-stream'], 204: [] },
        },
        exposeHeadRoute: false,
        schema: { params: RunParams, querystring: EventQuery, headers: EventHeaders },
      },
      async (request, reply) => {
        const run = await findRun(deps, request.params.runId);
        return await sendEvents({ request, reply }, loggedRun(run), ralphStream);
      },
    );
    app.get(
      '/v1/sessions/:sessionId/events',
      {
        config: { permission: 'runs:read', summary: 'The event log of a session, then what comes', answers },
        exposeHeadRoute: false,
        schema: { params: SessionParams, querystring: EventQuery, headers: EventHeaders },
      },
      async (request, reply) => {
        const session = await findSession(deps, request.params.sessionId);
        const isOver = async (seen: number) => {
          const found = await deps.store.getSessionRun(session.sessionId);
          return found === undefined || isOverAt(await reconcileSession(deps, found), seen);
        };
        return await sendEvents({ request, reply }, { ...session, runId: session.sessionId, isOver });
      },
    );
  };

  function loggedRun({ runId, status, headSeq }: RunRecord): LoggedRun {
    const isOver = async (seen: number) => {
      const found = await deps.store.getRun(runId);
      return found === undefined || isOverAt(await reconcileRun(deps, found), seen);
    };
    return { runId, status, headSeq, isOver };
  }

  async function sendEvents(
    { request, reply }: Exchange,
    { runId, status, headSeq, isOver }: LoggedRun,
    stream = eventStream,
  ): Promise<FastifyReply> {
    const afterSeq = request.headers['last-event-id'] ?? request.query['since-seq'] ?? 0;
    const encoding = request.headers.accept?.includes('application/x-ndjson') === true ? lines : stream;
    if (isOverAt({ status, headSeq }, afterSeq) && encoding === stream) return await reply.code(204).send();

    const end = openStream(context, principalOf(request));
    const gone = whenGone(reply);
    addAbortListener(gone, end);
    const from = Date.now();
    const noteLag = ({ at }: RunEvent): void => {
      // What is older than the stream was not waited for.
      if (Date.parse(at) >= from) metrics.noteEventLag((Date.now() - Date.parse(at)) / 1000);
    };
    const pages = runEventPages(deps, {
      runId,
      afterSeq,
      isOver,
      pingMs: deps.pingMs ?? defaultPingMs,
      signal: AbortSignal.any([gone, closing]),
    });
    const text = encoded(runId, pages, { ...encoding, noteLag });
    return await asStream(reply, encoding.contentType).send(Readable.from(text, { objectMode: false }));
  }
}

interface Exchange {
  readonly request: Pick<FastifyRequest, 'principal'> & {
    readonly headers: z.output<typeof EventHeaders>;
    readonly query: z.output<typeof EventQuery>;
  };
  readonly reply: FastifyReply;
}

/** A run of any kind. */
interface LoggedRun {
  readonly runId: string;
  readonly status: RunStatus;
  readonly headSeq: number;
  readonly isOver: (seen: number) => Promise<boolean>;
}

function isOverAt({ status, headSeq }: Pick<LoggedRun, 'status' | 'headSeq'>, seen: number): boolean {
  return !isActive(status) && headSeq <= seen;
}

/** One chunk for each page; the next page is read when the reader has taken the last. */
async function* encoded(
  runId: string,
  pages: AsyncIterable<readonly RunEvent[]>,
  { opening, ping, encode, noteLag }: Encoding & { readonly noteLag: (event: RunEvent) => void },
): AsyncGenerator<string, void, undefined> {
  if (opening !== '') yield opening;
  for await (const page of pages) {
    const text = page.length === 0 ? ping : page.map((event) => encode(runId, event)).join('');
    if (text !== '') yield text;
    page.forEach(noteLag);
  }
}
