import { spawn } from 'node:child_process';
import { Command } from 'commander';
import { CodetetherError, exitCodes } from '../../domain/errors.ts';
import { variable } from '../../services/config/environment.ts';
import { ask, openContext, print } from './ralph/context.ts';
import type { Context } from './ralph/context.ts';
import { findRunId } from './ralph/find-run.ts';
import { shortExitCodes, withHelpEnd } from './ralph/options.ts';

/** `codetether ui`: the way to the engine's UI. */
export function command(): Command {
  const ui = new Command('ui')
    .summary("open a run in the engine's UI")
    .description(
      "Opens a run in the Temporal UI: its board, its stories, every step. Without a run: this repository's newest.",
    )
    .argument('[run]', 'id of a run, or the beginning of one')
    .option('--print', 'print the link and open nothing; off a terminal this is so anyway')
    .action(async (run: string | undefined, options: { readonly print?: boolean }) => {
      process.exitCode = await showUi(run, options);
    });
  return withHelpEnd(ui, {
    examples: [
      ['codetether ui', "this repository's newest run"],
      ['codetether ui due-dates', 'a run by the last part of its id'],
      ['codetether ui --print', 'the link only'],
    ],
    exitCodes: shortExitCodes,
  });
}

async function showUi(run: string | undefined, options: { readonly print?: boolean }): Promise<number> {
  const context = openContext();
  const url = await uiUrl(context, run);
  print(context.stdout, [url]);
  if (options.print !== true && context.stdout.isTTY) openBrowser(url, context.environment);
  return exitCodes.completed;
}

async function uiUrl(context: Context, run: string | undefined): Promise<string> {
  const { runs } = await ask(context, (client) => client.listRuns({ limit: 1 }));
  if (run === undefined && runs.length === 0) {
    const { ensureStack } = await import('../../services/stack/ensure-stack.ts');
    const { temporalUiUrl } = await ensureStack({ settings: 'keep' });
    if (temporalUiUrl !== null) return temporalUiUrl;
  }
  const id = await findRunId(context, { run });
  const view = await ask(context, (client) => client.getRun(id));
  if (view.uiUrl !== null) return view.uiUrl;
  throw new CodetetherError('not-found', "the address of the engine's UI is not known", {
    next: 'Set CODETETHER_TEMPORAL_UI_URL to the address of the Temporal UI.',
  });
}

/** Never fails: the link is on the screen. */
function openBrowser(url: string, environment: { readonly [name: string]: string | undefined }): void {
  const hasScreen =
    process.platform === 'darwin' ||
    variable(environment, 'DISPLAY') !== undefined ||
    variable(environment, 'WAYLAND_DISPLAY') !== undefined;
  if (!hasScreen) return;
  const child = spawn(process.platform === 'darwin' ? 'open' : 'xdg-open', [url], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}
