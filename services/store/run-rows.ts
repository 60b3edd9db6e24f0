import type { Selectable } from 'kysely';
import { sql } from 'kysely';
import { z } from 'zod';
import type { RalphOptions } from '../../domain/contracts/ralph.ts';
import type { RunRecord, StoryRecord } from '../../domain/contracts/store.ts';
import { Prd, Story } from '../../domain/ralph/prd.ts';
import { onAskPolicies } from '../../domain/run/approval.ts';
import { runStatuses } from '../../domain/run/events.ts';
import type { CheckVerdict } from '../../domain/run/events.ts';
import { budgetCaps } from '../../domain/run/budget.ts';
import type { BudgetCaps, BudgetLedger, Usage } from '../../domain/run/budget.ts';
import type { Database, RunTable, StoryTable, UsageColumns } from './schema.ts';
import type { Queries } from './transaction.ts';

const StoredOptions: z.ZodType<RalphOptions> = z.object({
  model: z.string(),
  fallbackModel: z.string().optional(),
  maxIterations: z.number(),
  maxAttempts: z.number(),
  maxSteps: z.number(),
  maxConcurrent: z.number(),
  maxCostUsd: z.number().nullable(),
  maxTokens: z.number().nullable(),
  maxTotalSteps: z.number().optional(),
  maxTimeMs: z.number().nullable(),
  onAsk: z.enum(onAskPolicies).optional(),
  maxDiskBytes: z.number().optional(),
  askAtPercent: z.number().optional(),
  askPlan: z.boolean().optional(),
  askMerge: z.boolean().optional(),
  askTimeoutMs: z.number().optional(),
  remote: z.string().optional(),
});
const StoredPrd = Prd.omit({ stories: true });
const StoredFeedback = z
  .object({ reason: z.string(), message: z.string(), diagnosis: z.string().optional() })
  .nullable();
const RunStatus = z.enum(runStatuses);
const StoryStatus = z.enum(['open', 'running', 'passed', 'failed', 'blocked']);

/** Runs of PRDs, with how many of their stories there are and have passed. */
export function selectRuns(database: Queries) {
  return database
    .selectFrom('run')
    .where('run.kind', '=', 'ralph')
    .selectAll('run')
    .select([
      sql<number>`(SELECT count(*) FROM story WHERE story.run_id = run.run_id AND NOT story.removed)`.as('total'),
      sql<number>`(SELECT count(*) FROM story
                 WHERE story.run_id = run.run_id AND NOT story.removed AND story.status = 'passed')`.as('passed'),
      gatesThatWere('flaky').as('flaky_gates'),
      gatesThatWere('red-as-before').as('red_gates'),
    ]);
}

function gatesThatWere(verdict: CheckVerdict) {
  return sql<string[]>`(SELECT coalesce(json_agg(DISTINCT name), '[]') FROM check_result
                 WHERE check_result.run_id = run.run_id AND verdict = ${verdict})`;
}

/** Stories of the PRD in its order. */
export function selectStories(database: Queries, runId: string) {
  return database
    .selectFrom('story')
    .selectAll()
    .where('run_id', '=', runId)
    .where('removed', '=', false)
    .orderBy('position');
}

export function storedPrd(prd: unknown): Omit<Prd, 'stories'> {
  return StoredPrd.parse(prd);
}

export function storedOptions(options: unknown): RalphOptions {
  return StoredOptions.parse(options);
}

const StoredCaps = z.object({
  maxCostUsd: z.number().nullable(),
  maxTokens: z.number().nullable(),
  maxTotalSteps: z.number().optional(),
});

const StoredLine = z.object({ maxCostUsd: z.number().nullable(), askAtPercent: z.number().optional() });

/** At which share of its money a person is asked, in the options of a run of any kind. */
export function storedLine(options: unknown): z.output<typeof StoredLine> {
  return StoredLine.parse(options);
}

/** The caps in the options of a run of any kind. */
export function storedCaps(options: unknown): BudgetCaps {
  return budgetCaps(StoredCaps.parse(options));
}

export function usageOf(row: Selectable<UsageColumns>): Usage {
  return {
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    cachedInputTokens: row.cached_input_tokens,
    costUsd: row.cost_usd,
  };
}

export function ledgerOf(row: Selectable<RunTable>): BudgetLedger {
  return {
    spentUsd: row.cost_usd,
    spentTokens: row.input_tokens + row.output_tokens,
    reservedUsd: row.reserved_usd,
    reservedTokens: row.reserved_tokens,
    steps: row.steps,
  };
}

export function runRecord(
  row: Selectable<RunTable> & {
    readonly passed: number;
    readonly total: number;
    readonly flaky_gates: readonly string[];
    readonly red_gates: readonly string[];
  },
): RunRecord {
  const usage = usageOf(row);
  return {
    runId: row.run_id,
    kind: 'ralph',
    status: RunStatus.parse(row.status),
    project: row.project,
    feature: row.feature,
    repoPath: row.repo_path,
    prdPath: row.prd_path,
    branch: row.branch,
    base: row.base,
    tip: row.tip,
    hostId: row.host_id,
    options: storedOptions(row.options),
    prd: storedPrd(row.prd),
    execution: row.execution,
    ledger: ledgerOf(row),
    usage,
    outcomeMessage: row.outcome_message,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    headSeq: row.head_seq,
    openedSeq: row.opened_seq,
    passed: row.passed,
    total: row.total,
    flakyGates: row.flaky_gates,
    redGates: row.red_gates,
  };
}

export function storyRecord(row: Selectable<StoryTable>): StoryRecord {
  return {
    runId: row.run_id,
    position: row.position,
    story: Story.parse(row.story),
    status: StoryStatus.parse(row.status),
    attempts: row.attempts,
    tries: row.tries,
    commit: row.commit,
    feedback: StoredFeedback.parse(row.feedback),
    usage: usageOf(row),
    durationMs: row.duration_ms,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}

/**
 * Takes the run's row lock for the rest of the transaction; writers of the run's events, ledger and stories queue here.
 * Always the first lock of a transaction, so that transactions cannot stand in each other's way.
 */
export async function lockRun(database: Queries, runId: string): Promise<Selectable<Database['run']> | undefined> {
  return await database.selectFrom('run').selectAll().where('run_id', '=', runId).forNoKeyUpdate().executeTakeFirst();
}
