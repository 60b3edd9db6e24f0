import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { embeddedServers } from '../../services/stack/server-environment.ts';
import { createTestStack, git } from '../support/test-stack.ts';
import type { RunningCli, TestStack } from '../support/test-stack.ts';
import { judge, processesIn } from './invariants.ts';
import type { EndOfRun, Verdict } from './invariants.ts';
import { chooseKill, crashAt, kill, launcherPids, stackPids } from './kills.ts';
import type { Kill } from './kills.ts';
import { startPlanModel } from './plan-model.ts';
import { createRandom } from './random.ts';
import type { Random } from './random.ts';
import { planStories, tortureFiles } from './story-plan.ts';

export interface TortureOptions {
  readonly kills: number;
  readonly seed: number;
  readonly stories: number;
  readonly modelDelayMs: number;
  readonly temporalCli: string;
  readonly say: (line: string) => void;
}

export interface TortureRun extends Verdict {
  readonly kills: readonly string[];
  readonly seconds: number;
}

export interface TortureReport {
  readonly runs: readonly TortureRun[];
  readonly violations: readonly string[];
}

/** A kill every half to two seconds. */
const pauseMs = { least: 500, spread: 1_500 } as const;
const pointTimeoutMs = 4_000;
const runTimeoutMs = 600_000;

/**
 * Runs a PRD undisturbed once, then again and again while something is killed every second or so, until so many kills are
 * done; each run on a new stack. The seed fixes the choice of victims, points and pauses.
 */
export async function torture(options: TortureOptions): Promise<TortureReport> {
  const random = createRandom(options.seed);
  const reference = await tortureRun(options, { random, kills: 0, tree: undefined });
  options.say(`undisturbed: ${reference.seconds.toFixed(1)} s, tree ${reference.tree.hash.slice(0, 10)}`);
  const runs: TortureRun[] = [reference];
  for (const violation of reference.violations) options.say(`  VIOLATION ${violation}`);
  if (reference.violations.length > 0) return { runs, violations: reference.violations };
  for (let left = options.kills; left > 0;) {
    const run = await tortureRun(options, { random, kills: left, tree: reference.tree });
    runs.push(run);
    left -= run.kills.length;
    options.say(
      `run ${runs.length - 1}: ${run.kills.length} kills in ${run.seconds.toFixed(1)} s, ` +
        `${run.paidTwice} calls paid twice (${run.inFlight} in flight at kills), ${run.violations.length} violations`,
    );
    for (const violation of run.violations) options.say(`  VIOLATION ${violation}`);
    if (run.kills.length === 0) break;
  }
  return { runs, violations: runs.flatMap(({ violations }) => violations) };
}

async function tortureRun(
  options: TortureOptions,
  given: { readonly random: Random; readonly kills: number; readonly tree: EndOfRun['tree'] },
): Promise<TortureRun> {
  const stories = planStories(options.stories);
  const model = await startPlanModel(stories, { delayMs: options.modelDelayMs });
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-torture-')));
  const crashPointFile = join(folder, 'crash-point');
  const stack = await createTestStack({
    CODETETHER_TEMPORAL_CLI: await eagerEngine(folder, options.temporalCli),
    CODETETHER_CRASH_POINT_FILE: crashPointFile,
    OPENAI_COMPATIBLE_BASE_URL: `${model.url}/v1`,
    OPENAI_COMPATIBLE_API_KEY: 'sk-torture',
  });
  try {
    const repository = await createRepository(folder, stories);
    const startedMs = performance.now();
    const user = startUser(stack, repository);
    const watcher = watchPrd(repository, () => user.ended !== undefined);
    const kills: string[] = [];
    const killTimes: number[] = [];
    while (kills.length < given.kills && user.ended === undefined) {
      await delay(pauseMs.least + given.random.next() * pauseMs.spread);
      const chosen = chooseKill(given.random);
      const done = user.ended === undefined && (await carryOut(chosen, { stack, user, crashPointFile }));
      if (!done) continue;
      kills.push(chosen.name);
      killTimes.push(Date.now());
      options.say(`kill ${kills.length}: ${chosen.name} (${((performance.now() - startedMs) / 1_000).toFixed(1)} s)`);
    }
    const outcome = await user.end;
    const seconds = (performance.now() - startedMs) / 1_000;
    const violations = [...(await watcher)];
    if (outcome !== 'completed') violations.push(`the run ended with ${outcome}`);
    // The whole stack comes back with the next command, and what is not needed any more is gone a moment later.
    await stack.cli(['up']);
    const end = {
      repository,
      dataDir: stack.dataDir,
      databaseUrl: await databaseOf(stack.dataDir),
      stories,
      model,
      tree: given.tree,
      killTimes,
    };
    let verdict = await judge(end);
    for (const deadline = Date.now() + 30_000; verdict.violations.length > 0 && Date.now() < deadline;) {
      await delay(1_000);
      verdict = await judge(end);
    }
    await stack.cli(['down']);
    const left = [...(await processesIn(stack.dataDir)), ...(await processesIn(repository))];
    violations.push(...verdict.violations, ...left.map((name) => `a process is left after down: ${name}`));
    if (violations.length === 0) await rm(folder, { recursive: true, force: true });
    else options.say(`  kept for a look: ${folder}, ${stack.dataDir}`);
    return { ...verdict, violations, kills, seconds };
  } finally {
    await stack.cli(['down']);
    await model.stop();
    if (!existsSync(folder)) await stack.remove();
  }
}

/** Workflows continue as new after a few steps. */
async function eagerEngine(folder: string, temporalCli: string): Promise<string> {
  const path = join(folder, 'temporal');
  const setting = '--dynamic-config-value limit.historyCount.suggestContinueAsNew=60';
  const script = `#!/bin/sh\n[ "$1" = server ] && exec '${temporalCli}' "$@" ${setting}\nexec '${temporalCli}' "$@"\n`;
  await writeFile(path, script, { mode: 0o755 });
  return path;
}

async function createRepository(folder: string, stories: ReturnType<typeof planStories>): Promise<string> {
  const repository = join(folder, 'torture');
  for (const [name, text] of Object.entries(tortureFiles(stories))) {
    await mkdir(dirname(join(repository, name)), { recursive: true });
    await writeFile(join(repository, name), text);
  }
  await git(repository, 'init', '--quiet', '--initial-branch', 'main');
  await git(repository, 'add', '--all');
  await git(repository, 'commit', '--quiet', '--message', 'start');
  return repository;
}

interface User {
  /** Of the command that is attached now; undefined between two. */
  pid: number | undefined;
  ended: string | undefined;
  /** How the run ended. */
  readonly end: Promise<string>;
}

/** Starts the run and attaches again whenever the command is killed. */
function startUser(stack: TestStack, repository: string): User {
  const model = 'openai-compatible/torture-1';
  const first = [
    'ralph',
    'run',
    '--model',
    model,
    '--max-concurrent',
    '4',
    '--max-attempts',
    '3',
    '--max-iterations',
    '200',
  ];
  const attend = async (): Promise<string> => {
    const deadline = Date.now() + runTimeoutMs;
    let isStarted = false;
    for (let failures = 0; Date.now() < deadline && failures < 5;) {
      const command: RunningCli = stack.start([...(isStarted ? ['ralph', 'attach'] : first), '--json'], {
        cwd: repository,
      });
      user.pid = command.pid;
      const { code, stdout, stderr } = await command.result;
      user.pid = undefined;
      if (stdout.trim() !== '') return (JSON.parse(stdout) as { readonly outcome: string }).outcome;
      const hasRun = await git(repository, 'rev-parse', '--verify', 'feature/torture').catch(() => '');
      isStarted = hasRun !== '';
      if (code === -1) continue;
      failures += 1;
      problems.push(`${code}: ${stderr.trim().slice(-300)}`);
      await delay(1_000);
    }
    return `no end: ${problems.join(' | ')}`;
  };
  const problems: string[] = [];
  const user: User = {
    pid: undefined,
    ended: undefined,
    end: Promise.resolve().then(async () => {
      user.ended = await attend();
      return user.ended;
    }),
  };
  return user;
}

async function carryOut(
  chosen: Kill,
  { stack, user, crashPointFile }: { readonly stack: TestStack; readonly user: User; readonly crashPointFile: string },
): Promise<boolean> {
  if (chosen.kind === 'point') {
    const isOver = () => user.ended !== undefined;
    return await crashAt(chosen.name, { file: crashPointFile, timeoutMs: pointTimeoutMs, isOver });
  }
  const pids = await stackPids(stack.dataDir);
  if (chosen.kind === 'launcher') return (await launcherPids(pids.get('worker') ?? 0)).map(kill).includes(true);
  const victims = chosen.stack.flatMap((name) => pids.get(name) ?? []);
  if (chosen.cli && user.pid !== undefined) victims.push(user.pid);
  return victims.map(kill).includes(true);
}

/** Whether prd.json could be read as JSON all the time. */
async function watchPrd(repository: string, isOver: () => boolean): Promise<readonly string[]> {
  const torn = new Set<string>();
  for (; !isOver(); await delay(15)) {
    try {
      JSON.parse(await readFile(join(repository, 'prd.json'), 'utf8'));
    } catch (error) {
      torn.add(`prd.json was torn: ${String(error)}`);
    }
  }
  return [...torn];
}

async function databaseOf(dataDir: string): Promise<string> {
  const { DATABASE_URL: url } = await embeddedServers(dataDir);
  if (url === undefined) throw new Error('the stack has no database of its own');
  return url;
}
