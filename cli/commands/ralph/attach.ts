import { ask, openContext } from './context.ts';
import { findRunId } from './find-run.ts';
import type { OutputFormat } from './options.ts';
import { watchRun } from './watch.ts';

export interface AttachOptions {
  readonly prd?: string;
  readonly sinceSeq?: number;
  readonly json?: boolean;
  readonly outputFormat: OutputFormat;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly detachOnAsk?: boolean;
}

/** `codetether ralph attach [run]`; the exit status is the run's. */
export async function attach(run: string | undefined, options: AttachOptions): Promise<number> {
  const context = openContext();
  const id = await findRunId(context, { run, prd: options.prd });
  const { runId } = await ask(context, (client) => client.getRun(id));
  return await watchRun(context, {
    runId,
    sinceSeq: options.sinceSeq ?? 0,
    outputFormat: options.json === true ? 'json' : options.outputFormat,
    quiet: options.quiet === true,
    verbose: options.verbose === true,
    detachOnAsk: options.detachOnAsk === true,
  });
}
