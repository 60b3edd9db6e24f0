/**
 * Measures what docs/benchmarks.md promises and writes that page. One stack of its own, one run after the other; every
 * comparison is a ratio within this run. Run it on a quiet machine: npm run bench
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { createTestStack } from '../test/support/test-stack.ts';
import type { StackProcess, TestStack } from '../test/support/test-stack.ts';
import { measureA2a } from './a2a/measure.ts';
import { compareCommands, median, quantile } from './commands.ts';
import { pssMb, treePssMb } from './memory.ts';
import { benchRun, createBenchRepository, parseEvents, runArguments } from './run.ts';
import type { BenchPrd } from './run.ts';
import { measureSessionMemory } from './session-memory.ts';
import { measureSession } from './session.ts';

interface Row {
  readonly what: string;
  readonly figure: string;
  readonly goal: string;
  readonly met: boolean;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const program = join(root, 'bin', 'codetether');
const node = join(root, 'node_modules', '.bin', 'node');
const small: BenchPrd = { stories: 1, steps: 1, delayMs: 0, concurrent: 1, gates: false };

const otherPackages = [
  { name: 'opencode-ai', bin: 'opencode' },
  { name: '@openai/codex', bin: 'codex' },
  { name: '@google/gemini-cli', bin: 'gemini' },
] as const;

const rows: Row[] = [];
function report(what: string, figure: string, goal: string, met: boolean): void {
  rows.push({ what, figure, goal, met });
  process.stderr.write(`${met ? '✓' : '✗'} ${what}: ${figure} (goal ${goal})\n`);
}

async function main(): Promise<void> {
  const stack = await createTestStack();
  try {
    startUp(stack);
    await coldStack(stack);
    await idleMemory(stack);
    await agentMemory(stack);
    warmCommands(stack);
    await sessionMemory(stack);
    await steps(stack);
    await shareOfModelTime(stack);
    await twentyStories(stack);
    await recovery(stack);
    await a2a(stack);
    await otherAgents(stack);
  } finally {
    await stack.remove();
  }
  await longSession();
  await writeFile(join(root, 'docs', 'benchmarks.md'), page());
  process.exitCode = rows.every((row) => row.met) ? 0 : 1;
}

async function longSession(): Promise<void> {
  const { bytes, openMs, deriveMs, wholeMs, worstMs } = await measureSession();
  report(
    `a session of 10,000 events (${(bytes / 1e6).toFixed(1)} MB) opened from PostgreSQL and derived for a window of 200,000 tokens, 20 times`,
    `median ${wholeMs.toFixed(0)} ms (opened ${openMs.toFixed(0)}, derived ${deriveMs.toFixed(0)}), worst ${worstMs.toFixed(0)} ms`,
    'median < 100 ms',
    wholeMs < 100,
  );
}

function startUp(stack: TestStack): void {
  for (const [args, goal] of [
    [['--version'], 1.5],
    [['--help'], 3],
  ] as const)
    againstNode(stack, args, { goal, when: '' });
}

function warmCommands(stack: TestStack): void {
  for (const args of [
    ['ralph', 'status'],
    ['sessions', 'list'],
  ])
    againstNode(stack, args, { goal: 4, when: ' on a warm stack' });
}

function againstNode(
  stack: TestStack,
  args: readonly string[],
  { goal, when }: { readonly goal: number; readonly when: string },
): void {
  const { ratio, ours, theirs } = compareCommands([program, ...args], [node, '-e', '0'], {
    pairs: 21,
    env: stack.env,
    cwd: root,
  });
  report(
    `\`codetether ${args.join(' ')}\`${when} against bare \`node -e 0\``,
    `× ${ratio.toFixed(2)} (${ours.toFixed(0)} ms, ${theirs.toFixed(0)} ms)`,
    `≤ × ${goal}`,
    ratio <= goal,
  );
}

/** Of npm, as their own documentation has them installed; a program that does not start says nothing here. */
async function otherAgents(stack: TestStack): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'codetether-bench-'));
  const install = ['install', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder];
  try {
    execFileSync('npm', [...install, ...otherPackages.map(({ name }) => name)], { stdio: 'inherit' });
    for (const { name, bin } of otherPackages)
      for (const flag of ['--version', '--help']) {
        const theirs = [join(folder, 'node_modules', '.bin', bin), flag];
        const found = compareCommands([program, flag], theirs, { pairs: 7, env: stack.env, cwd: folder });
        const { version } = JSON.parse(await readFile(join(folder, 'node_modules', name, 'package.json'), 'utf8')) as {
          readonly version: string;
        };
        report(
          `\`codetether ${flag}\` against \`${bin} ${flag}\` (${name} ${version}), in turn`,
          `× ${found.ratio.toFixed(2)} (${found.ours.toFixed(0)} ms, ${found.theirs.toFixed(0)} ms)`,
          '≤ × 1',
          found.ratio <= 1,
        );
      }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function sessionMemory(stack: TestStack): Promise<void> {
  for (const { sessions, heldMb, workingMb } of await measureSessionMemory(stack, [1, 10, 100])) {
    const held = heldMb / sessions;
    const working = workingMb / sessions;
    // One session alone is less than what the garbage collector moves it by.
    const counts = sessions > 1;
    report(
      `memory of a worker for each of ${sessions} ${sessions === 1 ? 'session' : 'sessions at once'} (highest PSS)`,
      `waiting for its model ${held.toFixed(2)} MB, working ${working.toFixed(2)} MB`,
      counts ? '≤ 1 MB, ≤ 2 MB' : '(shown)',
      !counts || (held <= 1 && working <= 2),
    );
  }
}

async function coldStack(stack: TestStack): Promise<void> {
  await up(stack);
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    await stack.cli(['down']);
    times.push(await up(stack));
  }
  const worst = Math.max(...times);
  report(
    'the whole stack from cold, 5 times',
    `median ${seconds(median(times))}, worst ${seconds(worst)}`,
    '≤ 4 s',
    worst <= 4_000,
  );
}

async function up(stack: TestStack): Promise<number> {
  const startedMs = performance.now();
  const { code, stderr } = await stack.cli(['up']);
  if (code !== 0) throw new Error(stderr);
  return performance.now() - startedMs;
}

async function idleMemory(stack: TestStack): Promise<void> {
  // What starting has left behind is collected some seconds later.
  await delay(15_000);
  const pids = await stack.pids();
  const sizes = new Map<StackProcess, number>();
  for (const [name, pid] of pids) sizes.set(name, name === 'supervisor' ? pssMb(pid) : treePssMb(pid));
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const each = [...sizes].map(([name, size]) => `${name} ${size.toFixed(0)}`).join(', ');
  report('idle memory of the whole stack (PSS)', `${total.toFixed(0)} MB (${each})`, '≤ 450 MB', total <= 450);
  const worker = sizes.get('worker') ?? Number.NaN;
  report('idle memory of the worker (PSS)', `${worker.toFixed(0)} MB`, '≤ 150 MB', worker <= 150);
}

async function agentMemory(stack: TestStack): Promise<void> {
  const agents = 25;
  const prd: BenchPrd = { ...small, stories: agents, steps: 10, delayMs: 1_500, concurrent: agents };
  // The first agents load what an idle worker does not need yet.
  await benchRun(stack, { ...small, stories: 4, steps: 5, concurrent: 4 });
  await delay(5_000);
  const worker = await runningWorker(stack);
  const before = pssMb(worker);
  const samples: number[] = [];
  let over = false;
  const sampling = (async () => {
    for (; !over; await delay(500)) samples.push(pssMb(worker));
  })();
  await benchRun(stack, prd);
  over = true;
  await sampling;
  const each = (Math.max(...samples) - before) / agents;
  report(
    'memory of a worker for each of 25 working agents (highest PSS)',
    `${each.toFixed(2)} MB`,
    '≤ 2 MB',
    each <= 2,
  );
}

/** Orchestration is the time between the end of one activity and the start of the next. */
async function steps(stack: TestStack): Promise<void> {
  const turns = 200;
  const half = await benchRun(stack, { ...small, steps: turns / 2 });
  const run = await benchRun(stack, { ...small, steps: turns });
  const [halfHistory, history] = [await historyOf(stack, half.runId), await historyOf(stack, run.runId)];
  const p50 = median(history.gapsMs);
  const p95 = quantile(history.gapsMs, 0.95);
  report(
    'orchestration of one model or tool step, 400 steps in a row',
    `p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms`,
    'p50 ≤ 15 ms',
    p50 <= 15,
  );
  const bytes = history.bytes / turns;
  const growth = bytes / (halfHistory.bytes / (turns / 2));
  report(
    'history of one step (model call and tool call)',
    `${bytes.toFixed(0)} bytes; 200 steps × ${growth.toFixed(2)} of 100 steps`,
    '≤ 3 KB, flat',
    bytes <= 3_072 && growth <= 1.1,
  );
}

async function historyOf(
  stack: TestStack,
  runId: string,
): Promise<{ readonly bytes: number; readonly gapsMs: readonly number[] }> {
  const status = JSON.parse((await stack.cli(['status', '--json'])).stdout) as { readonly temporal_address: string };
  const connection = await Connection.connect({ address: status.temporal_address });
  try {
    const handle = new Client({ connection }).workflow.getHandle(`${runId}:B-001:1`);
    const { events } = await handle.fetchHistory();
    const bytes = Number((await handle.describe()).raw.workflowExecutionInfo?.historySizeBytes ?? Number.NaN);
    const gapsMs: number[] = [];
    let endedMs: number | undefined;
    for (const event of events ?? []) {
      const atMs = Number(event.eventTime?.seconds) * 1_000 + Number(event.eventTime?.nanos) / 1_000_000;
      if (event.activityTaskStartedEventAttributes && endedMs !== undefined) gapsMs.push(atMs - endedMs);
      if (event.activityTaskCompletedEventAttributes) endedMs = atMs;
    }
    return { bytes, gapsMs };
  } finally {
    await connection.close();
  }
}

async function shareOfModelTime(stack: TestStack): Promise<void> {
  const calls = 20;
  const { runId, events } = await benchRun(stack, { ...small, steps: calls - 2, delayMs: 1_000 });
  const answers = events.filter((event) => event.kind === 'model-answered').map((event) => Date.parse(event.at));
  const loopMs = (answers.at(-1) ?? 0) - (answers[0] ?? 0);
  const { gapsMs } = await historyOf(stack, runId);
  // Two activities a step: the gaps of the steps that lie between the first and the last answer.
  const share = (2 * (answers.length - 1) * median(gapsMs)) / loopMs;
  const all = (loopMs - (answers.length - 1) * 1_000) / loopMs;
  report(
    `share of orchestration with model calls of 1 s (${calls} calls, each with a tool call)`,
    `${percent(share)}; with the tool calls and all work of the database ${percent(all)}`,
    '≤ 3 %',
    share <= 0.03,
  );
}

async function twentyStories(stack: TestStack): Promise<void> {
  const { wallMs } = await benchRun(stack, {
    stories: 20,
    steps: 3,
    delayMs: 0,
    concurrent: 4,
    gates: true,
  });
  const each = wallMs / 20;
  report(
    '20 stories, 4 at a time, real git and gates (`node --test --test-isolation=none`), a model without latency',
    `${seconds(each)} a story (${seconds(wallMs)} in all)`,
    '≤ 1 s a story',
    each <= 1_000,
  );
}

async function recovery(stack: TestStack): Promise<void> {
  const prd: BenchPrd = { ...small, steps: 400, delayMs: 100 };
  const { repository, model } = await createBenchRepository(prd);
  const run = stack.start(runArguments(prd, model), { cwd: repository });
  const kills: number[] = [];
  await delay(3_000);
  for (let round = 0; round < 10; round++) {
    await delay(1_000 + Math.random() * 1_000);
    const worker = await runningWorker(stack);
    kills.push(Date.now());
    process.kill(worker, 'SIGKILL');
    await delay(6_000);
  }
  await stack.cli(['ralph', 'cancel'], { cwd: repository });
  const { list } = parseEvents((await run.result).stdout);
  const stepTimes = list.filter((event) => event.kind === 'step-started').map((event) => Date.parse(event.at));
  const waits = kills.map((kill) => (stepTimes.find((at) => at > kill + 20) ?? Number.POSITIVE_INFINITY) - kill);
  const worst = Math.max(...waits);
  report(
    'next step after kill -9 of the worker, 10 times',
    `p50 ${seconds(median(waits))}, worst ${seconds(worst)}`,
    'p50 ≤ 3 s, worst ≤ 8 s',
    median(waits) <= 3_000 && worst <= 8_000,
  );
}

async function a2a(stack: TestStack): Promise<void> {
  const { bare, sent, sampleSent, getTask, listTasks, streamed, readP50Ms, idleStreams } = await measureA2a(stack);
  const rates = (figures: typeof bare): string =>
    `${figures.alonePerSecond.toFixed(0)}/s one at a time (p50 ${figures.p50Ms.toFixed(1)} ms), ${figures.perSecond.toFixed(0)}/s at 50`;
  const alone = sent.alonePerSecond / bare.alonePerSecond;
  const together = sent.perSecond / bare.perSecond;
  report(
    'A2A: a task that is done at once, from send to completed, against a bare workflow with one local activity',
    `${rates(sent)}; bare ${rates(bare)}: × ${alone.toFixed(2)} and × ${together.toFixed(2)}`,
    '≥ × 0.7, p50 ≤ 35 ms',
    alone >= 0.7 && together >= 0.7 && sent.p50Ms <= 35,
  );
  report("the same by the SDK's sample in memory (Express)", rates(sampleSent), '(shown)', true);
  for (const [method, { ours, sample }] of [
    ['GetTask', getTask],
    ['ListTasks (10 of a page)', listTasks],
  ] as const)
    report(
      `A2A: ${method}, 10 at a time, against the sample in memory`,
      `${ours.toFixed(0)}/s, ${sample.toFixed(0)}/s: × ${(ours / sample).toFixed(2)}`,
      '≥ × 0.5',
      ours >= 0.5 * sample,
    );
  report(
    `A2A: one task followed by ${streamed.subscribers} on two replicas`,
    `${streamed.events} events, ${streamed.lost} readers that missed something`,
    '0 missed',
    streamed.lost === 0,
  );
  report('`GET /v1/runs`, 100 at a time', `p50 ${readP50Ms.toFixed(0)} ms`, '(shown)', true);
  report(
    `memory of an API process for each of ${idleStreams.count} idle streams (PSS)`,
    `${idleStreams.kbEach.toFixed(0)} KB`,
    '≤ 100 KB',
    idleStreams.kbEach <= 100,
  );
}

async function runningWorker(stack: TestStack): Promise<number> {
  for (;;) {
    const pid = (await stack.pids()).get('worker');
    if (pid !== undefined) return pid;
    await delay(50);
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}

function page(): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${(totalmem() / 2 ** 30).toFixed(0)} GB, Node ${process.version}`;
  const lines = rows.map(
    ({ what, figure, goal, met }) => `| ${what} | ${figure} | ${goal} | ${met ? 'yes' : '**no**'} |`,
  );
  return `# Benchmarks

Written by \`npm run bench\` on ${new Date().toISOString().slice(0, 10)} at ${commit}; ${machine}.
Everything runs on one machine: engine, database, worker, API and the scripted model share its cores.

| what | figure | goal | met |
|---|---|---|---|
${lines.join('\n')}
`;
}

await main();
