import type { Kysely, RawBuilder, Selectable } from 'kysely';
import { sql } from 'kysely';
import { z } from 'zod';
import type { StatsQuery, StatsStore, StatsView, UsageReport } from '../../domain/contracts/stats.ts';
import { addUsage, noUsage } from '../../domain/run/budget.ts';
import { runEventBodies } from '../../domain/run/events.ts';
import { usageOf } from './run-rows.ts';
import type { Database, UsageColumns } from './schema.ts';
import type { Queries } from './transaction.ts';

const Kind = z.enum(['ralph', 'session', 'chat']);

/** See `StatsStore`. Everything is added up by PostgreSQL; what comes back is bounded by the query's limit. */
export function createStatsStore(database: Kysely<Database>): StatsStore {
  return {
    readUsage: async (days) => await readUsage(database, days),
    readStats: async (query) => {
      const [{ runs, sessions }, models, tools, recentExecutions, recentChanges, files] = await Promise.all([
        countRuns(database, query),
        readModels(database, query),
        readTools(database, query),
        readRecent(database, query),
        readRecent(database, query, sql`body ? 'files'`),
        readFiles(database, query),
      ]);
      return {
        runs,
        sessions,
        requests: models.reduce((sum, { requests }) => sum + requests, 0),
        usage: models.reduce(addUsage, noUsage),
        models: models.slice(0, query.limit),
        executions: tools.reduce((sum, { executions }) => sum + executions, 0),
        failures: tools.reduce((sum, { failures }) => sum + failures, 0),
        tools: tools.slice(0, query.limit),
        recentExecutions,
        recentChanges,
        ...files,
      };
    },
  };
}

async function readUsage(
  database: Queries,
  { since: first, until: last }: { readonly since: string; readonly until: string },
): Promise<UsageReport['days']> {
  const { rows } = await sql<
    Readonly<Selectable<UsageColumns> & { day: string; model: string; kind: string; requests: number }>
  >`
    SELECT to_char(model_call.answered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, model_call.model, run.kind,
           count(*) AS requests, sum(model_call.input_tokens) AS input_tokens,
           sum(model_call.output_tokens) AS output_tokens, sum(model_call.cached_input_tokens) AS cached_input_tokens,
           sum(model_call.cost_usd) AS cost_usd
    FROM model_call JOIN run USING (tenant_id, run_id)
    WHERE model_call.status = 'answered' AND model_call.answered_at >= ${first}::date::timestamp AT TIME ZONE 'UTC'
      AND model_call.answered_at < (${last}::date + 1)::timestamp AT TIME ZONE 'UTC'
    GROUP BY 1, 2, 3
    ORDER BY day DESC, sum(model_call.cost_usd) DESC, model_call.model, run.kind`.execute(database);
  return rows.map((row) => ({
    day: row.day,
    model: row.model,
    kind: Kind.parse(row.kind),
    requests: row.requests,
    ...usageOf(row),
  }));
}

async function countRuns(
  database: Queries,
  query: StatsQuery,
): Promise<{ readonly runs: number; readonly sessions: number }> {
  const { rows } = await sql<Readonly<{ runs: number; sessions: number }>>`
    SELECT count(*) FILTER (WHERE kind = 'ralph') AS runs, count(*) FILTER (WHERE kind = 'session') AS sessions
    FROM run WHERE ${worksIn(query)} AND ${since(query, 'coalesce(ended_at, now())')}`.execute(database);
  return rows[0] ?? { runs: 0, sessions: 0 };
}

async function readModels(database: Queries, query: StatsQuery): Promise<StatsView['models']> {
  const { rows } = await sql<Readonly<Selectable<UsageColumns> & { model: string; requests: number }>>`
    SELECT model_call.model, count(*) AS requests, sum(model_call.input_tokens) AS input_tokens,
           sum(model_call.output_tokens) AS output_tokens, sum(model_call.cached_input_tokens) AS cached_input_tokens,
           sum(model_call.cost_usd) AS cost_usd
    FROM model_call JOIN run USING (tenant_id, run_id)
    WHERE model_call.status = 'answered' AND ${worksIn(query)} AND ${since(query, 'model_call.answered_at')}
    GROUP BY model_call.model
    ORDER BY sum(model_call.cost_usd) DESC, requests DESC, model_call.model`.execute(database);
  return rows.map((row) => ({ model: row.model, requests: row.requests, ...usageOf(row) }));
}

async function readTools(database: Queries, query: StatsQuery): Promise<StatsView['tools']> {
  const { rows } = await sql<
    Readonly<{
      tool: string;
      executions: number;
      failures: number;
      p50: number;
      p95: number;
      total: number;
      last_at: Date;
    }>
  >`
    SELECT body ->> 'tool' AS tool, count(*) AS executions, count(*) FILTER (WHERE body ->> 'ok' = 'false') AS failures,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY (body ->> 'durationMs')::bigint) AS p50,
           percentile_disc(0.95) WITHIN GROUP (ORDER BY (body ->> 'durationMs')::bigint) AS p95,
           sum((body ->> 'durationMs')::bigint)::bigint AS total, max(at) AS last_at
    FROM run_event JOIN run USING (tenant_id, run_id)
    WHERE ${endedCalls(query)}
    GROUP BY 1
    ORDER BY executions DESC, tool`.execute(database);
  return rows.map(({ tool, executions, failures, p50, p95, total, last_at }) => ({
    tool,
    executions,
    failures,
    p50Ms: p50,
    p95Ms: p95,
    totalMs: total,
    lastAt: last_at.toISOString(),
  }));
}

async function readRecent(
  database: Queries,
  query: StatsQuery,
  also: RawBuilder<unknown> = sql`true`,
): Promise<StatsView['recentExecutions']> {
  const { rows } = await sql<
    Readonly<{ run_id: string; seq: number; story_id: string | null; body: unknown; at: Date }>
  >`
    SELECT run_event.run_id, seq, story_id, body, at
    FROM run_event JOIN run USING (tenant_id, run_id)
    WHERE ${endedCalls(query)} AND ${also}
    ORDER BY at DESC, run_event.run_id, seq DESC
    LIMIT ${query.limit}`.execute(database);
  return rows.map(({ run_id, seq, story_id, body, at }) => {
    const { tool, label, ok, durationMs, files = [] } = runEventBodies['tool-ended'].parse(body);
    return { runId: run_id, seq, storyId: story_id, tool, label, ok, durationMs, files, at: at.toISOString() };
  });
}

async function readFiles(database: Queries, query: StatsQuery): Promise<Pick<StatsView, 'files' | 'filesModified'>> {
  const { rows } = await sql<
    Readonly<{
      folder: string;
      path: string;
      changes: number;
      tools: unknown;
      last_at: Date;
      last: unknown;
      files: number;
    }>
  >`
    SELECT run.repo_path AS folder, path, count(*) AS changes, json_agg(DISTINCT body ->> 'tool') AS tools,
           max(at) AS last_at,
           (array_agg(json_build_array(body ->> 'tool', run_event.run_id) ORDER BY at DESC, seq DESC))[1] AS last,
           count(*) OVER () AS files
    FROM run_event JOIN run USING (tenant_id, run_id), jsonb_array_elements_text(body -> 'files') AS path
    WHERE ${endedCalls(query)} AND ${isFile(query)}
    GROUP BY run.repo_path, path
    ORDER BY changes DESC, last_at DESC, path
    LIMIT ${query.limit}`.execute(database);
  return {
    filesModified: rows[0]?.files ?? 0,
    files: rows.map(({ folder, path, changes, tools, last_at, last }) => {
      const [lastTool, lastRunId] = z.tuple([z.string(), z.string()]).parse(last);
      return {
        folder,
        path,
        changes,
        tools: z.array(z.string()).parse(tools),
        lastAt: last_at.toISOString(),
        lastTool,
        lastRunId,
      };
    }),
  };
}

/** Tool calls that have ended; one that changed a file in question, where one is. */
function endedCalls(query: StatsQuery): RawBuilder<boolean> {
  const { tool, file } = query;
  return sql<boolean>`run_event.kind = 'tool-ended' AND ${worksIn(query)} AND ${since(query, 'run_event.at')}
    AND ${tool === undefined ? sql`true` : sql`body ->> 'tool' = ${tool}`}
    AND ${
      file === undefined
        ? sql`true`
        : sql`EXISTS (SELECT 1 FROM jsonb_array_elements_text(body -> 'files') AS path WHERE ${isFile(query)})`
    }`;
}

function isFile({ file }: StatsQuery): RawBuilder<boolean> {
  if (file === undefined) return sql<boolean>`true`;
  const wanted = file.replace(/\/+$/, '');
  if (wanted.startsWith('/'))
    return sql<boolean>`(run.repo_path || '/' || path = ${wanted}
      OR starts_with(run.repo_path || '/' || path, ${`${wanted}/`}))`;
  return sql<boolean>`(path = ${wanted} OR starts_with(path, ${`${wanted}/`})
    OR right(path, ${wanted.length + 1}) = ${`/${wanted}`})`;
}

function worksIn({ folder }: StatsQuery): RawBuilder<boolean> {
  if (folder === undefined) return sql<boolean>`true`;
  const any = folder.map((each) => {
    const path = each.replace(/\/+$/, '');
    return sql`run.repo_path = ${path === '' ? '/' : path} OR starts_with(run.repo_path, ${`${path}/`})`;
  });
  return sql<boolean>`(${any.length === 0 ? sql`false` : sql.join(any, sql` OR `)})`;
}

function since({ since: from }: StatsQuery, column: string): RawBuilder<boolean> {
  return from === undefined ? sql<boolean>`true` : sql<boolean>`${sql.raw(column)} >= ${from}::timestamptz`;
}
