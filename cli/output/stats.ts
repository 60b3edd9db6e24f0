import type { StatsView } from '../../domain/contracts/stats.ts';
import { shortRunId } from '../../domain/run/ids.ts';
import type { StatsOptions } from '../commands/stats.ts';
import { formatCost, formatDay, formatDuration, formatTokens } from './format.ts';
import { snakeKeys } from './stream-json.ts';
import { listTable, markdownTable } from './table.ts';
import type { Column } from './table.ts';
import { paint } from './terminal.ts';
import type { Look } from './terminal.ts';
import { cleanLine, counted } from './text.ts';

type Shown = Omit<StatsOptions, 'json'> & { readonly where: string };
type Execution = StatsView['recentExecutions'][number];

/** Statistics for people: aligned tables on a terminal, Markdown off it. */
export function statsLines(
  view: StatsView,
  options: Shown & { readonly look: Look; readonly onTerminal: boolean },
): string[] {
  const { where, look, onTerminal, all = false } = options;
  const now = new Date();
  const wanted = sectionsOf(options);
  const section = (title: string, about: string, columns: readonly Column[]): string[] => {
    const isEmpty = (columns[0]?.cells ?? []).length === 0;
    if (!onTerminal) return ['', `## ${title}`, '', about, ...(isEmpty ? [] : ['', ...markdownTable(columns)])];
    return ['', `${paint(title, 'bold', look)}  ${about}`, ...(isEmpty ? [] : listTable(columns, look, true))];
  };
  const day = (at: string) => formatDay(at, now);
  const head = `${cleanLine(where)}: ${counted(view.runs, 'run')}, ${counted(view.sessions, 'session')}${
    options.since === undefined ? '' : ` since ${day(options.since.toISOString())}`
  }`;
  return [
    onTerminal ? head : `# ${head}`,
    ...(wanted.tokens ? section('Tokens', tokensLine(view), modelColumns(view)) : []),
    ...(wanted.tools ? section('Tools', toolsLine(view), toolColumns(view, day)) : []),
    ...(wanted.recent
      ? section(
          'Newest calls',
          counted(view.recentExecutions.length, 'call'),
          recentColumns(view.recentExecutions, day),
        )
      : []),
    ...(wanted.files ? section('Files', filesLine(view), fileColumns(view, { all, day })) : []),
  ];
}

function sectionsOf({ tools = false, files = false, tokens = false, tool, file }: Shown) {
  const isChosen = tools || files || tokens;
  const isNarrow = tool !== undefined || file !== undefined;
  return {
    tokens: tokens || (!isChosen && !isNarrow),
    tools: tools || !isChosen,
    recent: tools || (!isChosen && isNarrow),
    files: files || !isChosen,
  };
}

function tokensLine({ usage, requests }: StatsView): string {
  const { inputTokens, cachedInputTokens, outputTokens } = usage;
  const tokens = `${formatTokens(inputTokens)} in (${formatTokens(cachedInputTokens)} of them cached), ${formatTokens(outputTokens)} out`;
  return `${tokens}; ${counted(requests, 'request')}; cost ${cost(usage)}`;
}

function cost(usage: StatsView['usage']): string {
  return formatCost({ usd: usage.costUsd, tokens: usage.inputTokens + usage.outputTokens });
}

function toolsLine({ executions, failures }: StatsView): string {
  return `${counted(executions, 'call')}, ${failures} failed`;
}

function filesLine({ filesModified }: StatsView): string {
  return `${counted(filesModified, 'file')} changed by tools; what shell commands change is not counted`;
}

function modelColumns({ models }: StatsView): Column[] {
  const column = (title: string, cell: (model: StatsView['models'][number]) => string) => ({
    title,
    cells: models.map(cell),
  });
  return [
    column('requests', ({ requests }) => String(requests)),
    column('in', ({ inputTokens }) => formatTokens(inputTokens)),
    column('cached', ({ cachedInputTokens }) => formatTokens(cachedInputTokens)),
    column('out', ({ outputTokens }) => formatTokens(outputTokens)),
    column('cost', cost),
    column('model', ({ model }) => model),
  ];
}

function toolColumns({ tools }: StatsView, day: (at: string) => string): Column[] {
  const column = (title: string, cell: (tool: StatsView['tools'][number]) => string) => ({
    title,
    cells: tools.map(cell),
  });
  return [
    column('tool', ({ tool }) => tool),
    column('calls', ({ executions }) => String(executions)),
    column('failed', ({ failures }) => String(failures)),
    column('p50', ({ p50Ms }) => formatDuration(p50Ms)),
    column('p95', ({ p95Ms }) => formatDuration(p95Ms)),
    column('total', ({ totalMs }) => formatDuration(totalMs)),
    column('last', ({ lastAt }) => day(lastAt)),
  ];
}

function recentColumns(executions: readonly Execution[], day: (at: string) => string): Column[] {
  const column = (title: string, cell: (execution: Execution) => string) => ({ title, cells: executions.map(cell) });
  return [
    column('at', ({ at }) => day(at)),
    column('took', ({ durationMs }) => formatDuration(durationMs)),
    column('ended', ({ ok }) => (ok ? 'ok' : 'failed')),
    column('where', ({ runId, storyId }) => placeOf(runId, storyId)),
    column('call', ({ label }) => label),
  ];
}

function placeOf(runId: string, storyId: string | null): string {
  const run = shortRunId(runId);
  return runId.startsWith('session:') ? `session ${run.slice(0, 8)}` : `${run}${storyId === null ? '' : ` ${storyId}`}`;
}

function fileColumns(
  { files }: StatsView,
  { all, day }: { readonly all: boolean; readonly day: (at: string) => string },
): Column[] {
  const column = (title: string, cell: (file: StatsView['files'][number]) => string) => ({
    title,
    cells: files.map(cell),
  });
  return [
    column('changes', ({ changes }) => String(changes)),
    column('tools', ({ tools }) => tools.join(', ')),
    column('last', ({ lastAt }) => day(lastAt)),
    column('file', ({ folder, path }) => (all ? `${folder}/${path}` : path)),
  ];
}

/** For programs: the keys that users of `stats --json` know, and more. */
export function statsJson(view: StatsView, options: Shown): object {
  const { tools = false, files = false, tool, file, since, where } = options;
  return {
    schema_version: 1,
    scope: where,
    since: since?.toISOString() ?? null,
    runs: view.runs,
    sessions: view.sessions,
    tool_executions: {
      total_executions: view.executions,
      total_failures: view.failures,
      total_input_tokens: view.usage.inputTokens,
      total_output_tokens: view.usage.outputTokens,
      executions_by_tool: Object.fromEntries(view.tools.map(({ tool: name, executions }) => [name, executions])),
      tools: snakeKeys(view.tools),
      files_modified: view.filesModified,
    },
    token_usage: {
      total_input: view.usage.inputTokens,
      total_output: view.usage.outputTokens,
      total_cached_input: view.usage.cachedInputTokens,
      requests: view.requests,
      cost_usd: view.usage.costUsd,
      by_model: snakeKeys(view.models),
    },
    ...(tools || tool !== undefined ? { recent_executions: view.recentExecutions.map(executionJson) } : {}),
    ...(files || file !== undefined ? { recent_file_changes: view.recentChanges.flatMap(changesJson) } : {}),
    files: snakeKeys(view.files),
    ...(tool === undefined ? {} : { tool_filter: tool }),
    ...(file === undefined ? {} : { file_filter: file }),
  };
}

function executionJson(execution: Execution): object {
  const { runId, seq, storyId, tool, label, ok, durationMs, files, at } = execution;
  return {
    id: `${runId}#${seq}`,
    tool_name: tool,
    timestamp: at,
    duration_ms: durationMs,
    success: ok,
    label,
    run_id: runId,
    story_id: storyId,
    file_changes: files.map((path) => ({ path })),
  };
}

function changesJson({ runId, seq, tool, at, files }: Execution): object[] {
  return files.map((path) => ({ path, tool_name: tool, timestamp: at, execution_id: `${runId}#${seq}` }));
}
