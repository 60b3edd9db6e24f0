import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  ForkRequest,
  MessageRequest,
  MessageResponse,
  RenameSessionRequest,
  SessionListView,
  SessionView,
  StartSessionRequest,
  SteerSessionRequest,
  TranscriptView,
  UndoRequest,
} from '../../domain/contracts/api.ts';
import type { SessionRun } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { sessionRunId } from '../../domain/run/ids.ts';
import { effectiveTranscript } from '../../domain/session/transcript.ts';
import { blocksOf, keepBefore, turnsOf } from '../../domain/session/turns.ts';
import { currentTenant } from '../store/current-tenant.ts';
import { requireAllowed } from './allowed-paths.ts';
import type { ApiDeps } from './deps.ts';
import { requestIdOf } from './idempotency.ts';
import { cursorsOf, pageOf, pageQuery, placeName, placeTime } from './pages.ts';
import { principalOf } from './permissions.ts';
import { prepareTurn, requireFolder, titleOf } from './prepare-turn.ts';
import { findAgentTranscript, findIdleSession, findSession, reconcileSession } from './find-session.ts';
import { runUiUrl } from './views.ts';
import type { UiLocation } from './views.ts';

const SessionParams = z.object({ sessionId: z.string().min(1).max(300) });
/** `agent`: one that the session's has started, `scout`, `scout/helper`. */
const TranscriptQuery = z.strictObject({ agent: z.string().min(1).max(300).optional() });
const ListQuery = z.strictObject({
  ...pageQuery,
  folder: z
    .string()
    .regex(/^[^\0]+$/)
    .optional(),
});
/** The one that was used last first. */
const SessionPlace = z.tuple([placeTime, placeName]);
/** A message and what is around it, as JSON with escapes. */
const bodyLimit = 8 * 1024 * 1024;

/** Conversations with an agent. */
export function sessionRoutes(deps: ApiDeps): FastifyPluginAsyncZod {
  const { store, engine, ui } = deps;
  return async (app) => {
    app.post(
      '/v1/sessions',
      {
        bodyLimit,
        config: { permission: 'runs:write', summary: 'A new session with its first message' },
        schema: { body: StartSessionRequest, response: { 201: MessageResponse } },
      },
      async (request, reply) => {
        const { model, defaultModel, ...rest } = request.body;
        const named = { paths: [rest.folder], models: [model, defaultModel, rest.fallbackModel] };
        await requireAllowed(deps, principalOf(request), named);
        const folder = await requireFolder(rest.folder);
        const session = {
          sessionId: sessionRunId(requestIdOf(request), currentTenant()),
          folder,
          hostId: deps.hostId,
          title: titleOf(rest.text),
          model: model ?? defaultModel,
          agent: 'build',
        };
        const messageId = rest.messageId ?? requestIdOf(request);
        const message = { ...rest, messageId, ...(model === undefined ? {} : { model }) };
        return await reply.code(201).send(await say(session, message));
      },
    );

    app.post(
      '/v1/sessions/:sessionId/messages',
      {
        bodyLimit,
        config: { permission: 'runs:write', summary: 'A further message to a session' },
        schema: { params: SessionParams, body: MessageRequest, response: { 200: MessageResponse } },
      },
      async (request) => {
        const session = await findSession(deps, request.params.sessionId);
        const { model, fallbackModel } = request.body;
        const named = { paths: [session.folder], models: [model, fallbackModel] };
        await requireAllowed(deps, principalOf(request), named);
        await requireFolder(session.folder);
        const messageId = request.body.messageId ?? requestIdOf(request);
        return await say(session, { ...request.body, messageId });
      },
    );

    app.get(
      '/v1/sessions',
      {
        config: { permission: 'runs:read', summary: 'Sessions, the one that was used last first' },
        schema: { querystring: ListQuery, response: { 200: SessionListView } },
      },
      async (request) => {
        const { limit, cursor, folder } = request.query;
        const cursors = cursorsOf([principalOf(request).tenant, 'sessions', folder], SessionPlace);
        const place = cursors.read(cursor);
        const read = await store.listSessionRuns({
          limit: limit + 1,
          before: place === undefined ? undefined : { usedAt: new Date(place[0]), sessionId: place[1] },
          ...(folder === undefined ? {} : { folder }),
        });
        const at = ({ usedAt, sessionId }: SessionRun) => [usedAt.getTime(), sessionId] as [number, string];
        const { items, nextCursor } = pageOf(read, { limit, cursors, at });
        const current = await Promise.all(items.map(async (session) => await reconcileSession(deps, session)));
        return { sessions: current.map((session) => sessionView(session, ui)), nextCursor };
      },
    );

    app.get(
      '/v1/sessions/:sessionId',
      {
        config: { permission: 'runs:read', summary: 'One session' },
        schema: { params: SessionParams, response: { 200: SessionView } },
      },
      async (request) => sessionView(await findSession(deps, request.params.sessionId), ui),
    );

    app.get(
      '/v1/sessions/:sessionId/transcript',
      {
        config: { permission: 'runs:read', summary: 'All that was said and done in a session' },
        schema: { params: SessionParams, querystring: TranscriptQuery, response: { 200: TranscriptView } },
      },
      async ({ params, query: { agent } }) => {
        const { sessionId } = await findSession(deps, params.sessionId);
        const transcript = agent === undefined ? sessionId : await findAgentTranscript(deps, sessionId, agent);
        return { rows: [...(await store.readSession(transcript))] };
      },
    );

    app.post(
      '/v1/sessions/:sessionId/undo',
      {
        config: { permission: 'runs:write', summary: 'Let the last turns not count any more' },
        schema: { params: SessionParams, body: UndoRequest, response: { 200: SessionView } },
      },
      async (request) => {
        const session = await findIdleSession(deps, request.params.sessionId);
        const keepSeq = await keptSeq(session, request.body.turns);
        const row = { key: `undo:${requestIdOf(request)}`, kind: 'undo', body: { keepSeq } } as const;
        await store.appendSessionEvents(session.sessionId, [row]);
        return sessionView(session, ui);
      },
    );

    app.post(
      '/v1/sessions/:sessionId/redo',
      {
        config: { permission: 'runs:write', summary: 'Take the last undo back' },
        schema: { params: SessionParams, response: { 200: SessionView } },
      },
      async (request) => {
        const session = await findIdleSession(deps, request.params.sessionId);
        const row = { key: `redo:${requestIdOf(request)}`, kind: 'redo', body: {} } as const;
        await store.appendSessionEvents(session.sessionId, [row]);
        return sessionView(session, ui);
      },
    );

    app.post(
      '/v1/sessions/:sessionId/fork',
      {
        config: { permission: 'runs:write', summary: 'A further session with what was said' },
        schema: { params: SessionParams, body: ForkRequest, response: { 201: SessionView } },
      },
      async (request, reply) => {
        const parent = await findSession(deps, request.params.sessionId);
        const { dropTurns, title = `${parent.title} (fork)` } = request.body;
        const seq =
          dropTurns === 0
            ? ((await store.getSession(parent.sessionId))?.headSeq ?? 0)
            : await keptSeq(parent, dropTurns);
        const sessionId = sessionRunId(requestIdOf(request), currentTenant());
        if ((await store.getSessionRun(sessionId)) === undefined)
          await store.forkSessionRun({ sessionId: parent.sessionId, seq }, { sessionId, title });
        const forked = await findSession(deps, sessionId);
        return await reply.code(201).send(sessionView(forked, ui));
      },
    );

    app.patch(
      '/v1/sessions/:sessionId',
      {
        config: { permission: 'runs:write', summary: 'Give a session another title' },
        schema: { params: SessionParams, body: RenameSessionRequest, response: { 200: SessionView } },
      },
      async (request) => {
        const session = await findSession(deps, request.params.sessionId);
        const { title } = request.body;
        await store.renameSession(session.sessionId, { key: randomUUID(), title });
        return sessionView({ ...session, title }, ui);
      },
    );

    app.delete(
      '/v1/sessions/:sessionId',
      {
        config: { permission: 'runs:write', summary: 'List a session no more' },
        schema: { params: SessionParams, response: { 200: SessionView } },
      },
      async (request) => {
        const session = await findIdleSession(deps, request.params.sessionId);
        await store.deleteSession(session.sessionId);
        return sessionView(session, ui);
      },
    );

    app.post(
      '/v1/sessions/:sessionId/interrupt',
      {
        config: { permission: 'runs:write', summary: 'End the turn under way' },
        schema: { params: SessionParams, response: { 200: SessionView } },
      },
      async (request) => {
        const session = await findSession(deps, request.params.sessionId);
        await engine.interrupt(session.sessionId);
        return sessionView((await store.getSessionRun(session.sessionId)) ?? session, ui);
      },
    );

    app.post(
      '/v1/sessions/:sessionId/steer',
      {
        config: { permission: 'runs:write', summary: 'Tell the agent at work something before its next step' },
        schema: { params: SessionParams, body: SteerSessionRequest, response: { 200: SessionView } },
      },
      async (request) => {
        const session = await findSession(deps, request.params.sessionId);
        await engine.steerSession(session.sessionId, { nudgeId: requestIdOf(request), text: request.body.text });
        return sessionView(session, ui);
      },
    );
  };

  /** The last row before the last so many turns. @throws `not-found` when there are fewer */
  async function keptSeq({ sessionId }: SessionRun, count: number): Promise<number> {
    const turns = turnsOf(blocksOf(effectiveTranscript(await store.readSession(sessionId))).blocks);
    const kept = keepBefore(turns, count);
    if (kept !== undefined) return kept.keepSeq;
    throw new CodetetherError('not-found', `${sessionId} has no ${count} turns, but ${turns.length}`);
  }

  /** The message is in the store before the engine hears of it; handing it over again is harmless. */
  async function say(
    session: Pick<SessionRun, 'sessionId' | 'folder' | 'hostId' | 'title' | 'agent'> & {
      readonly model: string | undefined;
    },
    request: z.output<typeof MessageRequest> & { readonly messageId: string },
  ): Promise<MessageResponse> {
    const { opening, message, warnings } = await prepareTurn(deps, session, request);
    const { sessionId } = opening;
    const afterSeq = await store.openSession(opening);
    const ahead = await engine.send(opening, message).catch(async (error: unknown) => {
      await store.abandonTurn(sessionId, 'the message could not be handed over', { onlyIfStarting: true });
      throw error;
    });
    const now = await store.getSessionRun(sessionId);
    if (now === undefined) throw new CodetetherError('not-found', `there is no session ${sessionId}`);
    return {
      session: sessionView(now, ui),
      messageId: message.messageId,
      afterSeq,
      ahead,
      warnings: [...warnings],
    };
  }
}

function sessionView(session: SessionRun, ui: UiLocation): SessionView {
  const { sessionId, status, folder, hostId, title, model, agent, turns, usage, caps, ledger } = session;
  return {
    sessionId,
    status,
    folder,
    hostId,
    title,
    model,
    agent,
    parent: session.parent,
    turns,
    usage,
    ...caps,
    spentUsd: ledger.spentUsd,
    spentTokens: ledger.spentTokens,
    reservedUsd: ledger.reservedUsd,
    message: session.outcomeMessage,
    createdAt: session.createdAt.toISOString(),
    usedAt: session.startedAt.toISOString(),
    headSeq: session.headSeq,
    uiUrl: runUiUrl(ui, sessionId),
  };
}
