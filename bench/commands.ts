import { spawnSync } from 'node:child_process';

export interface Comparison {
  /** Medians in milliseconds. */
  readonly ours: number;
  readonly theirs: number;
  /** Median of the ratios pair by pair: holds when the machine's speed drifts. */
  readonly ratio: number;
}

/** Times two whole processes in turn, A B A B …, after one pair that does not count. */
export function compareCommands(
  ours: readonly string[],
  theirs: readonly string[],
  options: { readonly pairs: number; readonly env: NodeJS.ProcessEnv; readonly cwd: string },
): Comparison {
  const pairs: { ours: number; theirs: number }[] = [];
  for (let pair = 0; pair <= options.pairs; pair++)
    pairs.push({ ours: time(ours, options), theirs: time(theirs, options) });
  const counted = pairs.slice(1);
  return {
    ours: median(counted.map((pair) => pair.ours)),
    theirs: median(counted.map((pair) => pair.theirs)),
    ratio: median(counted.map((pair) => pair.ours / pair.theirs)),
  };
}

function time(
  [file = '', ...args]: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly cwd: string },
): number {
  const startedMs = performance.now();
  const { status, stderr } = spawnSync(file, args, {
    env: options.env,
    cwd: options.cwd,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const tookMs = performance.now() - startedMs;
  if (status !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${status}: ${stderr.toString()}`);
  return tookMs;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** @param share 0 to 1 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
