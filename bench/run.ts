import { mkdir, mkdtemp, realpath, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunEvent } from '../domain/run/events.ts';
import { git } from '../test/support/test-stack.ts';
import type { TestStack } from '../test/support/test-stack.ts';

export interface BenchRun {
  readonly repository: string;
  readonly model: string;
  /** Whole command, from start to exit. */
  readonly wallMs: number;
  readonly runId: string;
  readonly events: readonly RunEvent[];
}

export interface BenchPrd {
  readonly stories: number;
  /** Of each story, before the turn that finishes it. */
  readonly steps: number;
  readonly delayMs: number;
  readonly concurrent: number;
  /** Every story writes a test; with gates it is run. Each step then reads another small file. */
  readonly gates: boolean;
}

/** A repository with such a PRD, and the script that plays its model. */
export async function createBenchRepository(
  prd: BenchPrd,
): Promise<{ readonly repository: string; readonly model: string }> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-bench-')));
  const repository = join(folder, 'bench');
  await git(folder, 'init', '--quiet', '--initial-branch', 'main', repository);
  await mkdir(join(repository, 'notes'));
  for (let step = 1; step <= prd.steps + 1; step++)
    await writeFile(join(repository, 'notes', `${step}.txt`), `note ${step}\n`);
  const stories = Array.from({ length: prd.stories }, (_, index) => {
    const id = `B-${String(index + 1).padStart(3, '0')}`;
    return { id, title: `story ${id}`, description: `Write ${id}.`, depends_on: [], priority: 1 };
  });
  const checks = prd.gates ? { test: 'node --test --test-isolation=none' } : {};
  await writeFile(join(repository, 'package.json'), '{ "name": "bench", "type": "module" }\n');
  await writeFile(
    join(repository, 'prd.json'),
    JSON.stringify(
      {
        project: 'bench',
        feature: 'bench',
        branch_name: 'feature/bench',
        user_stories: stories,
        quality_checks: checks,
      },
      null,
      2,
    ),
  );
  await git(repository, 'add', '--all');
  await git(repository, 'commit', '--quiet', '--message', 'start');
  const test =
    "import assert from 'node:assert/strict';\nimport test from 'node:test';\ntest('it is', () => assert.ok(true));\n";
  const write = { text: 'I write it.', tools: [{ name: 'write', args: { path: '{{story}}.test.js', content: test } }] };
  const read = { name: 'read', args: { path: 'notes/{{step}}.txt' } };
  const steps = Array.from({ length: prd.steps }, () => ({ tools: [read] }));
  const script = {
    version: 1,
    delayMs: prd.delayMs,
    default: { attempts: [{ turns: [write, ...steps, { text: 'Done.' }] }] },
  };
  const scriptPath = join(folder, 'script.json');
  await writeFile(scriptPath, JSON.stringify(script));
  return { repository, model: `scripted/${scriptPath}` };
}

export function runArguments(prd: BenchPrd, model: string): string[] {
  return [
    'ralph',
    'run',
    '--model',
    model,
    '--max-concurrent',
    String(prd.concurrent),
    '--max-steps',
    String(prd.steps + 5),
    '--output-format',
    'stream-json',
    ...(prd.gates ? [] : ['--allow-unchecked']),
  ];
}

/** Runs such a PRD to its end; throws when it does not complete. */
export async function benchRun(stack: TestStack, prd: BenchPrd): Promise<BenchRun> {
  const { repository, model } = await createBenchRepository(prd);
  const startedMs = performance.now();
  const { code, stdout, stderr } = await stack.cli(runArguments(prd, model), { cwd: repository });
  const wallMs = performance.now() - startedMs;
  if (code !== 0) throw new Error(`the run ended with ${code}: ${stderr}`);
  const events = parseEvents(stdout);
  return { repository, model, wallMs, runId: events.runId, events: events.list };
}

export function parseEvents(ndjson: string): { readonly runId: string; readonly list: readonly RunEvent[] } {
  const lines = ndjson
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
  const list = lines.filter((line) => 'seq' in line).map((line) => ({ ...line, storyId: line.story_id }) as RunEvent);
  return { runId: lines[0]?.run_id ?? '', list };
}
