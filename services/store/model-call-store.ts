import type { Kysely, RawBuilder } from 'kysely';
import { sql } from 'kysely';
import { z } from 'zod';
import type {
  ChatCallAnswer,
  ChatStore,
  ModelCallAnswer,
  ModelCallReservation,
  ModelCallStore,
  ReserveResult,
} from '../../domain/contracts/store.ts';
import { ChatAnswer } from '../../domain/contracts/openai.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { brokenCap, budgetLineKey, nanoDollars, reachedLine } from '../../domain/run/budget.ts';
import type { BudgetShare } from '../../domain/run/budget.ts';
import { AgentRequest } from '../../domain/session/agent-requests.ts';
import { agentSessionId, chatRunId } from '../../domain/run/ids.ts';
import { jsonText } from './json.ts';
import { numericDollars } from './money.ts';
import { answerProblems } from '../../domain/session/answer-problems.ts';
import { readSpending } from './model-spending.ts';
import { appendRunEvents, hasRunEvent } from './run-events.ts';
import { ledgerOf, lockRun, storedCaps, storedLine, usageOf } from './run-rows.ts';
import type { Database } from './schema.ts';
import { appendSessionEvents } from './session-store.ts';
import { inTransaction } from './transaction.ts';
import type { Queries } from './transaction.ts';

const StoredAnswer = z.object({
  kind: z.literal('answered'),
  stop: z.enum(['tool-calls', 'finished', 'length']),
  toolCalls: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      risk: z.enum(['read', 'network', 'write', 'shell']),
      label: z.string(),
      ask: z.object({ why: z.string(), isSafe: z.boolean() }).optional(),
      spawns: z.object({ readsOnly: z.boolean(), maxSteps: z.number(), maxCostUsd: z.number().optional() }).optional(),
      beside: AgentRequest.optional(),
      asks: z.enum(['question', 'plan']).optional(),
    }),
  ),
  isPlanning: z.boolean().optional(),
  usage: z.object({
    inputTokens: z.number(),
    outputTokens: z.number(),
    cachedInputTokens: z.number(),
    costUsd: z.number(),
  }),
  problem: z.object({ kind: z.enum(answerProblems), inARow: z.number() }).exactOptional(),
});

export function createModelCallStore(database: Kysely<Database>): ModelCallStore & ChatStore {
  return {
    getModelCall: async (key) => {
      const row = await database
        .selectFrom('model_call')
        .select('result')
        .where('key', '=', key)
        .where('status', '=', 'answered')
        .executeTakeFirst();
      return row === undefined ? undefined : StoredAnswer.parse(row.result);
    },
    modelCallUsage: async (key) => {
      const row = await database
        .selectFrom('model_call')
        .select(['model', 'input_tokens', 'output_tokens', 'cached_input_tokens', 'cost_usd'])
        .where('key', '=', key)
        .where('status', '=', 'answered')
        .executeTakeFirst();
      return row === undefined ? undefined : { model: row.model, usage: usageOf(row) };
    },
    lastModelStep: async (of) => await lastModelStep(database, of),
    spending: async (runId) => await readSpending(database, runId),
    openChatRun: async (of) => await openChatRun(database, of),
    getChatCall: async (key) => {
      const row = await database
        .selectFrom('model_call')
        .select(['status', sql`result -> 'chat'`.as('chat')])
        .where('key', '=', key)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      if (row.status !== 'answered') return 'reserved';
      return row.chat === null ? {} : { chat: ChatAnswer.parse(row.chat) };
    },
    answerChatCall: async (answer) =>
      await inTransaction(database, async (transaction) => {
        await storeAnswer(transaction, answer, { ...answer.result, ...(answer.chat && { chat: answer.chat }) });
      }),
    reserveModelCall: async (call) =>
      await inTransaction(database, async (transaction) => await reserve(transaction, call)),
    answerModelCall: async (answer) =>
      await inTransaction(database, async (transaction) => {
        const { sessionId, sessionEvent, runId, runEvents } = answer;
        if (!(await storeAnswer(transaction, answer, answer.result))) return;
        await appendSessionEvents(transaction, sessionId, [sessionEvent]);
        await appendRunEvents(transaction, runId, runEvents);
      }),
    releaseModelCall: async (key) =>
      await inTransaction(database, async (transaction) => await release(transaction, key)),
    budget: async (runId) => {
      const row = await database.selectFrom('run').selectAll().where('run_id', '=', runId).executeTakeFirst();
      if (row === undefined) throw noRun(runId);
      return { caps: storedCaps(row.options), ledger: ledgerOf(row) };
    },
  };
}

/** Of all calls that were made or begun, so that no key is used a second time. */
export async function lastModelStep(
  database: Queries,
  { runId, sessionId }: { readonly runId: string; readonly sessionId: string },
): Promise<number> {
  const calls = await database
    .selectFrom('model_call')
    .select(sql<number>`coalesce(max(substring(key from '[0-9]+$')::bigint), 0)`.as('step'))
    .where('run_id', '=', runId)
    .where('session_id', '=', sessionId)
    .where(sql<boolean>`key ~ ':[0-9]+$'`)
    .executeTakeFirstOrThrow();
  return calls.step;
}

async function openChatRun(
  database: Queries,
  { principal, day, maxCostUsd }: Parameters<ChatStore['openChatRun']>[0],
): Promise<string> {
  const runId = chatRunId({ principal, day });
  const options = jsonText({ maxCostUsd, maxTokens: null });
  await database
    .insertInto('run')
    .values({
      run_id: runId,
      kind: 'chat',
      // Nothing of it is worked on by an engine.
      status: 'completed',
      project: '',
      feature: '',
      repo_path: '',
      prd_path: '',
      branch: '',
      host_id: '',
      options,
      prd: '{}',
    })
    .onConflict((conflict) =>
      conflict
        .constraint('run_pkey')
        .doUpdateSet({ options })
        .where('run.options', '<>', sql<string>`${options}::jsonb`),
    )
    .execute();
  return runId;
}

async function reserve(database: Queries, call: ModelCallReservation): Promise<ReserveResult> {
  const run = await lockRun(database, call.runId);
  if (run === undefined) throw noRun(call.runId);
  const known = await database
    .selectFrom('model_call')
    .select(['status', 'model', 'reserved_tokens'])
    .where('key', '=', call.key)
    .executeTakeFirst();
  if (known?.status === 'answered') return { kind: 'answered' };
  if (known?.model === call.model) return { kind: 'reserved', tokens: known.reserved_tokens };
  if (known !== undefined) {
    // Another model is asked in its place: what was held is not what this one can cost.
    await release(database, call.key);
    return await reserve(database, call);
  }
  const budget = brokenCap(storedCaps(run.options), ledgerOf(run), call);
  if (budget !== null) return { kind: 'budget-exceeded', budget };
  for (const share of call.shares ?? []) {
    if (!(await fitsShare(database, call, share))) return { kind: 'budget-exceeded', budget: 'agent-share' };
  }
  const line = reachedLine(storedLine(run.options), ledgerOf(run));
  if (line !== null && !(await hasRunEvent(database, call.runId, budgetLineKey(line))))
    return { kind: 'budget-line', line };
  const reserved_usd = numericDollars(call.usd);
  await database
    .insertInto('model_call')
    .values({
      key: call.key,
      run_id: call.runId,
      story_id: call.storyId,
      session_id: call.sessionId,
      model: call.model,
      status: 'reserved',
      reserved_tokens: call.tokens,
      reserved_usd,
      price: jsonText(call.price),
    })
    .execute();
  await database
    .updateTable('run')
    .set(reservedChange('+', { tokens: call.tokens, usd: reserved_usd, steps: 1 }))
    .where('run_id', '=', call.runId)
    .execute();
  return { kind: 'reserved', tokens: call.tokens };
}

/** Of rows: those of a transcript, and of the agents that it has started. */
export function withAgents(sessionId: string): RawBuilder<boolean> {
  return sql<boolean>`(session_id = ${sessionId} OR starts_with(session_id, ${agentSessionId(sessionId, '')}))`;
}

/** Under the run's row lock, like all that is reserved. */
async function fitsShare(database: Queries, call: ModelCallReservation, share: BudgetShare): Promise<boolean> {
  const { sessionId, maxCostUsd } = share;
  const { usd } = await database
    .selectFrom('model_call')
    .select(sql<number>`coalesce(sum(reserved_usd + cost_usd), 0)`.as('usd'))
    .where('run_id', '=', call.runId)
    .where(withAgents(sessionId))
    .executeTakeFirstOrThrow();
  return nanoDollars(usd) + nanoDollars(call.usd) <= nanoDollars(maxCostUsd);
}

/** An answer whose reservation was given back meanwhile is spent all the same. @returns whether it is new */
async function storeAnswer(
  database: Queries,
  answer: ModelCallAnswer | ChatCallAnswer,
  kept: unknown,
): Promise<boolean> {
  const { key, runId, storyId, sessionId, result } = answer;
  const run = await lockRun(database, runId);
  if (run === undefined) throw noRun(runId);
  const call = await database
    .selectFrom('model_call')
    .select(['status', 'reserved_tokens', 'reserved_usd'])
    .where('key', '=', key)
    .executeTakeFirst();
  if (call?.status === 'answered') return false;
  const answered = {
    model: answer.model,
    status: 'answered',
    reserved_tokens: 0,
    reserved_usd: '0',
    result: jsonText(kept),
    input_tokens: result.usage.inputTokens,
    output_tokens: result.usage.outputTokens,
    cached_input_tokens: result.usage.cachedInputTokens,
    cost_usd: numericDollars(result.usage.costUsd),
    answered_at: sql<Date>`now()`,
  };
  await database
    .insertInto('model_call')
    .values({
      key,
      run_id: runId,
      story_id: storyId,
      session_id: sessionId,
      ...answered,
    })
    .onConflict((conflict) => conflict.constraint('model_call_pkey').doUpdateSet(answered))
    .execute();
  const spent = {
    input_tokens: sql<number>`input_tokens + ${answered.input_tokens}::bigint`,
    output_tokens: sql<number>`output_tokens + ${answered.output_tokens}::bigint`,
    cached_input_tokens: sql<number>`cached_input_tokens + ${answered.cached_input_tokens}::bigint`,
    cost_usd: sql<string>`cost_usd + ${answered.cost_usd}::numeric`,
  };
  // The step was counted with its reservation, unless that was given back.
  const reserved = {
    tokens: call?.reserved_tokens ?? 0,
    usd: numericDollars(call?.reserved_usd ?? 0),
    steps: call === undefined ? -1 : 0,
  };
  await database
    .updateTable('run')
    .set({ ...spent, ...reservedChange('-', reserved) })
    .where('run_id', '=', runId)
    .execute();
  await database.updateTable('story').set(spent).where('run_id', '=', runId).where('story_id', '=', storyId).execute();
  return true;
}

async function release(database: Queries, key: string): Promise<void> {
  const call = await database.selectFrom('model_call').select('run_id').where('key', '=', key).executeTakeFirst();
  if (call === undefined) return;
  await lockRun(database, call.run_id);
  const released = await database
    .deleteFrom('model_call')
    .where('key', '=', key)
    .where('status', '=', 'reserved')
    .returning(['reserved_tokens', 'reserved_usd'])
    .executeTakeFirst();
  if (released === undefined) return;
  const reserved = { tokens: released.reserved_tokens, usd: numericDollars(released.reserved_usd), steps: 1 };
  await database.updateTable('run').set(reservedChange('-', reserved)).where('run_id', '=', call.run_id).execute();
}

function reservedChange(
  sign: '+' | '-',
  amount: { readonly tokens: number; readonly usd: string; readonly steps: number },
) {
  const operator = sql.raw(sign);
  return {
    reserved_tokens: sql<number>`reserved_tokens ${operator} ${amount.tokens}::bigint`,
    reserved_usd: sql<string>`reserved_usd ${operator} ${amount.usd}::numeric`,
    steps: sql<number>`steps ${operator} ${amount.steps}::bigint`,
  };
}

function noRun(runId: string): CodetetherError {
  return new CodetetherError('not-found', `there is no run ${runId}`);
}
