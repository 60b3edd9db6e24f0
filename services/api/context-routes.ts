import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  ContextView,
  PinRequest,
  PinResponse,
  ResetRequest,
  ResetResponse,
  TurnView,
} from '../../domain/contracts/context.ts';
import type { SessionRun } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { contextParts, pinnedWith, rangeOf, tokensOf } from '../../domain/session/context-parts.ts';
import type { ContextParts } from '../../domain/session/context-parts.ts';
import { defaultContextPolicy } from '../../domain/session/context-policy.ts';
import { deriveContext } from '../../domain/session/derive-context.ts';
import { textOfBlock } from '../../domain/session/recall.ts';
import type { NewSessionEvent } from '../../domain/session/transcript.ts';
import type { Turn } from '../../domain/session/turns.ts';
import type { ApiDeps } from './deps.ts';
import { findIdleSession, findSession } from './find-session.ts';

const SessionParams = z.object({ sessionId: z.string().min(1).max(300) });
const TurnParams = SessionParams.extend({ turn: z.coerce.number().int().positive() });
const mostTurns = 1_000;
const textCharacters = 200;
/** A summary that is wanted has a quarter of what it stands for, between these. */
const summaryTokens = { least: 64, most: 1_024 };

/**
 * What people do about the context of a session: rows in its transcript, which nothing is taken out of. A pin counts from the next
 * model call on, also in the middle of a turn; a reset is for a session that is not working.
 */
export function contextRoutes(deps: ApiDeps): FastifyPluginAsyncZod {
  const { store } = deps;
  return async (app) => {
    app.get(
      '/v1/sessions/:sessionId/context',
      {
        config: { permission: 'runs:read', summary: 'What the next model call of a session is sent' },
        schema: { params: SessionParams, response: { 200: ContextView } },
      },
      async (request) => await contextView(deps, await findSession(deps, request.params.sessionId)),
    );

    app.get(
      '/v1/sessions/:sessionId/context/turns/:turn',
      {
        config: { permission: 'runs:read', summary: 'The rows of one turn' },
        schema: { params: TurnParams, response: { 200: TurnView } },
      },
      async ({ params }) => {
        const { sessionId } = await findSession(deps, params.sessionId);
        const { turns } = contextParts(await store.readSession(sessionId));
        const turn = turns.find(({ number }) => number === params.turn);
        if (turn === undefined) throw noSuchTurn(sessionId, turns.length);
        return { turn: turn.number, ...sizeOf(turn), rows: turn.blocks.flatMap(({ rows }) => rows) };
      },
    );

    app.post(
      '/v1/sessions/:sessionId/context/pin',
      {
        config: { permission: 'runs:write', summary: 'Send a turn or row always, or not any more' },
        schema: { params: SessionParams, body: PinRequest, response: { 200: PinResponse } },
      },
      async ({ params, body }) => {
        const session = await findSession(deps, params.sessionId);
        const { sessionId, model } = session;
        const parts = contextParts(await store.readSession(sessionId));
        const range = rangeOf(parts, body);
        if (range === undefined) throw noSuchTurn(sessionId, parts.turns.length);
        if (body.pinned) {
          const { tokens, mostTokens } = pinnedWith(parts, range, await deps.contextWindow(model));
          if (tokens > mostTokens)
            throw new CodetetherError(
              'context-refused',
              `with that ${Math.round(tokens)} tokens would be pinned; at most ${Math.round(mostTokens)} can be`,
              { next: 'Unpin another turn, or pin less of this one: --row.' },
            );
        }
        const row = { key: `pin:${randomUUID()}`, kind: 'pin', body: { ...range, pinned: body.pinned } } as const;
        await store.appendSessionEvents(sessionId, [row]);
        const { pinned } = contextParts(await store.readSession(sessionId));
        return { ...range, pinnedTokens: tokensOf(pinned) };
      },
    );

    app.post(
      '/v1/sessions/:sessionId/context/reset',
      {
        config: { permission: 'runs:write', summary: 'Send nothing of what was said before any more' },
        schema: { params: SessionParams, body: ResetRequest, response: { 200: ResetResponse } },
      },
      async ({ params, body }) => {
        const { sessionId, model } = await findIdleSession(deps, params.sessionId);
        const policy = (await store.getSession(sessionId))?.policy ?? defaultContextPolicy;
        if (policy.kind === 'off')
          throw new CodetetherError('context-refused', 'the context policy of this session is off: everything is sent');
        const parts = contextParts(await store.readSession(sessionId));
        const { row, blocks } = resetRow(parts, body.summary);
        await store.appendSessionEvents(sessionId, [row]);
        return {
          kind: row.kind === 'reset' ? ('reset' as const) : ('summary-wanted' as const),
          turns: new Set(blocks.filter(({ turn }) => turn > 0).map(({ turn }) => turn)).size,
          steps: blocks.length,
          tokens: tokensOf(blocks),
          model,
        };
      },
    );
  };
}

/** Of what came after the newest reset: what came before it is not sent any more as it is. */
function resetRow(
  { rows, blocks: all }: ContextParts,
  summary: string | undefined,
): { readonly row: NewSessionEvent; readonly blocks: ContextParts['blocks'] } {
  const resetSeq = rows.findLast(({ kind }) => kind === 'reset')?.seq ?? 0;
  const blocks = all.filter(({ seq }) => seq > resetSeq);
  const [first, last] = [blocks[0], blocks.at(-1)];
  if (first === undefined || last === undefined)
    throw new CodetetherError('context-refused', 'nothing was said since the session began, or since its last reset', {
      next: 'Nothing; the next message begins with an empty context.',
    });
  if (summary !== undefined) return { row: { key: `reset:${randomUUID()}`, kind: 'reset', body: { summary } }, blocks };
  const tokens = tokensOf(blocks);
  if (tokens < 2 * summaryTokens.least)
    throw new CodetetherError(
      'context-refused',
      `what was said has ${tokens} tokens; a summary by the model would not be shorter`,
      { next: 'Say yourself what is to be kept: codetether context reset --summary "…"' },
    );
  const targetTokens = Math.max(summaryTokens.least, Math.min(summaryTokens.most, Math.floor(tokens / 4)));
  const body = { fromSeq: first.seq, toSeq: last.toSeq, targetTokens };
  return { row: { key: `reset:${body.fromSeq}-${body.toSeq}`, kind: 'summary-request', body }, blocks };
}

async function contextView(deps: ApiDeps, { sessionId, model }: SessionRun): Promise<ContextView> {
  const { store } = deps;
  const [transcript, session, window] = await Promise.all([
    store.readSession(sessionId),
    store.getSession(sessionId),
    deps.contextWindow(model),
  ]);
  const policy = session?.policy ?? defaultContextPolicy;
  const { blocks, turns, pinned } = contextParts(transcript);
  const derived = deriveContext(transcript, policy, window);
  const shown = turns.slice(-mostTurns);
  const wanted = derived.kind === 'derived' ? derived.wanted : undefined;
  return {
    sessionId,
    model,
    policy: policy.kind,
    windowTokens: finite(window.contextTokens),
    budgetTokens: finite(derived.budgetTokens),
    tokens: derived.tokens,
    fits: derived.kind === 'derived',
    pinnedTokens: tokensOf(pinned),
    steps: blocks.length,
    turns: shown.map((turn) => ({
      turn: turn.number,
      ...sizeOf(turn),
      pinnedSteps: turn.blocks.filter((block) => pinned.includes(block)).length,
      text: firstWords(turn),
    })),
    earlierTurns: turns.length - shown.length,
    leftOut: derived.kind === 'derived' ? [...derived.leftOut] : [],
    summaryWanted: wanted === undefined ? null : { fromSeq: wanted.fromSeq, toSeq: wanted.toSeq },
  };
}

function sizeOf({ fromSeq, toSeq, blocks }: Turn) {
  return { fromSeq, toSeq, steps: blocks.length, tokens: tokensOf(blocks) };
}

function firstWords({ blocks: [first] }: Turn): string {
  return first === undefined ? '' : textOfBlock(first).slice(0, textCharacters).toWellFormed();
}

function finite(tokens: number): number | null {
  return Number.isFinite(tokens) ? tokens : null;
}

function noSuchTurn(sessionId: string, turns: number): CodetetherError {
  return new CodetetherError('not-found', `${sessionId} has no such turn or row; it has ${turns} turns`, {
    next: 'List them: codetether context browse',
  });
}
