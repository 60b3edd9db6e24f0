import type { RunView } from '../../../domain/contracts/api.ts';
import { exitCodes } from '../../../domain/errors.ts';
import { formatCost, formatDay, formatElapsed, formatTokens } from '../../output/format.ts';
import { inSigns } from '../../output/signs.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { listTable } from '../../output/table.ts';
import type { Look } from '../../output/terminal.ts';
import { ask, openContext, print, stdoutLook } from './context.ts';

/** `codetether ralph list`: newest first. */
export async function list(options: { readonly limit: number; readonly json?: boolean }): Promise<number> {
  const context = openContext();
  const { runs } = await ask(context, (client) => client.listRuns({ limit: options.limit }));
  if (options.json === true) print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, runs }))]);
  else if (runs.length > 0)
    print(context.stdout, runTable(runs, stdoutLook(context), context.stdout.isTTY, new Date()));
  else print(context.stderr, ['no run yet; start one: codetether ralph run --prd prd.json']);
  return exitCodes.completed;
}

export function runTable(runs: readonly RunView[], look: Look, onTerminal: boolean, now: Date): string[] {
  const column = (title: string, cell: (run: RunView) => string) => ({
    title,
    cells: runs.map((run) => inSigns(cell(run), look.signs)),
  });
  return listTable(
    [
      column('run', (run) => run.runId),
      column('status', (run) => run.status),
      column('passed', (run) => `${run.passed}/${run.total}`),
      column('started', (run) => (onTerminal ? formatDay(run.startedAt, now) : run.startedAt)),
      column('time', (run) =>
        formatElapsed((run.endedAt === null ? now.getTime() : Date.parse(run.endedAt)) - Date.parse(run.startedAt)),
      ),
      column('tokens', (run) => formatTokens(run.spentTokens)),
      column('cost', (run) => formatCost({ usd: run.spentUsd, tokens: run.spentTokens })),
      column('feature', (run) => `${run.project} · ${run.feature}`),
    ],
    look,
    onTerminal,
  );
}
