/** Who dies, when and where. */
import { execFile } from 'node:child_process';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Random } from './random.ts';

export const stackVictims = ['worker', 'api', 'temporal', 'postgres', 'supervisor'] as const;
type StackVictim = (typeof stackVictims)[number];
const execute = promisify(execFile);

export type Kill =
  | { readonly kind: 'victims'; readonly name: string; readonly cli: boolean; readonly stack: readonly StackVictim[] }
  | { readonly kind: 'launcher'; readonly name: string }
  | { readonly kind: 'point'; readonly name: string };

const activities = [
  'modelStep',
  'toolCall',
  'recoverToolCall',
  'openSession',
  'prepareWorkspace',
  'runGate',
  'commitStory',
  'mergeStory',
  'advanceBranch',
  'removeWorkspace',
  'syncPrdFiles',
  'record',
  'readyStories',
  'closeRepository',
  'finishRun',
];
const storeMethods = [
  'beginEffect',
  'settleEffect',
  'recordToolResult',
  'reserveModelCall',
  'answerModelCall',
  'putWorkspace',
];
/** Where it hurts most comes up more often: between an effect and the record of it. */
const sore = [
  'after:advanceBranch',
  'after:commitStory',
  'before:settleEffect',
  'before:recordToolResult',
  'before:answerModelCall',
  'after:beginEffect',
];
const points = [
  ...[...activities, ...storeMethods].flatMap((name) => [`before:${name}`, `after:${name}`]),
  ...sore,
  ...sore,
];

/** The worker, which does the work, and named points in it come up most. */
export function chooseKill(random: Random): Kill {
  if (random.next() < 0.5) return { kind: 'point', name: random.pick(points) };
  const name = random.pick([
    'cli',
    'worker',
    'worker',
    'worker',
    'api',
    'temporal',
    'temporal',
    'postgres',
    'postgres',
    'supervisor',
    'launcher',
    'launcher',
    'all',
  ]);
  if (name === 'launcher') return { kind: 'launcher', name };
  const stack = name === 'all' ? stackVictims : stackVictims.filter((victim) => victim === name);
  return { kind: 'victims', name, cli: name === 'cli' || name === 'all', stack };
}

/** From the file in which the supervisor keeps them. */
export async function stackPids(dataDir: string): Promise<ReadonlyMap<StackVictim, number>> {
  const text = await readFile(join(dataDir, 'stack', 'state.json'), 'utf8').catch(() => '{}');
  const state = JSON.parse(text) as {
    readonly supervisor?: { readonly pid: number };
    readonly children?: { readonly [name: string]: { readonly process: { readonly pid: number } | null } };
  };
  return new Map(
    stackVictims.flatMap((name) => {
      const process = name === 'supervisor' ? state.supervisor : state.children?.[name]?.process;
      return process === undefined || process === null ? [] : [[name, process.pid] as const];
    }),
  );
}

/** The processes that start commands for the worker. */
export async function launcherPids(workerPid: number): Promise<readonly number[]> {
  const { stdout } = await execute('ps', ['-axo', 'pid=,ppid=,args=']);
  return stdout.split('\n').flatMap((line) => {
    const [pid, parent, ...args] = line.trim().split(/\s+/);
    return Number(parent) === workerPid && args.join(' ').includes('launcher-process') ? [Number(pid)] : [];
  });
}

/** False when there was no such process any more. */
export function kill(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}

/** Lets the worker run into the point; false when it did not come by in time. */
export async function crashAt(
  point: string,
  options: { readonly file: string; readonly timeoutMs: number; readonly isOver: () => boolean },
): Promise<boolean> {
  await writeFile(`${options.file}.new`, point);
  await rename(`${options.file}.new`, options.file);
  for (const deadline = Date.now() + options.timeoutMs; Date.now() < deadline && !options.isOver();) {
    await delay(20);
    if (!existsSync(options.file)) return true;
  }
  const reached = !existsSync(options.file);
  await rm(options.file, { force: true });
  return reached;
}
