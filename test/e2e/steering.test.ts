import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestStack, git, repositoryFolder } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

let stack: TestStack;

beforeAll(async () => {
  stack = await createTestStack();
  const up = await stack.cli(['up']);
  expect(up.code, up.stderr).toBe(0);
}, 900_000);
afterAll(async () => {
  await stack.remove();
});

interface Repository {
  readonly path: string;
  readonly model: string;
  readonly branch: string;
  edit(change: (stories: { id: string; [key: string]: unknown }[]) => unknown): Promise<void>;
}

const story = (id: string) => ({
  id,
  title: `Write ${id}`,
  description: `Write ${id}.txt.`,
  acceptance_criteria: [],
  depends_on: [] as string[],
  passes: false,
});

/** Each story's agent writes a file of its name, after a command. */
async function makeRepository(options: {
  readonly name: string;
  readonly stories: readonly ReturnType<typeof story>[];
  readonly command?: string;
  readonly gate?: string;
}): Promise<Repository> {
  const { name, stories, command = 'true', gate = 'true' } = options;
  const folder = await repositoryFolder();
  const path = join(folder, name);
  const branch = `feature/${name}`;
  await git(tmpdir(), 'init', '--quiet', '--initial-branch', 'main', path);
  const prdPath = join(path, 'prd.json');
  const prd = { project: name, feature: 'x', branch_name: branch, quality_checks: { test: gate } };
  await writeFile(prdPath, JSON.stringify({ ...prd, user_stories: stories }));
  await git(path, 'add', '--all');
  await git(path, 'commit', '--quiet', '--message', 'start');
  const script = join(folder, 'script.yaml');
  const turns = (id: string) =>
    `[{ tools: [{ name: bash, args: { command: "${command}" } }] }, { tools: [{ name: write, args: { path: ${id}.txt, content: ${id} } }] }, { text: Done. }]`;
  const ids = [...stories.map(({ id }) => id), 'US-9'];
  await writeFile(
    script,
    `version: 1\nstories:\n${ids.map((id) => `  ${id}: { attempts: [{ turns: ${turns(id)} }] }`).join('\n')}\n`,
  );
  return {
    path,
    branch,
    model: `scripted/${script}`,
    edit: async (change) => {
      const known = JSON.parse(await readFile(prdPath, 'utf8')) as { user_stories: { id: string }[] };
      await writeFile(prdPath, JSON.stringify({ ...known, user_stories: change(known.user_stories) }));
    },
  };
}

const filesOf = async ({ path, branch }: Repository) =>
  (await git(path, 'ls-tree', '--name-only', branch)).split('\n').filter((file) => file.endsWith('.txt'));

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(200)) if (await holds()) return;
  throw new Error('it did not happen within a minute');
}

test('a run follows a PRD that was edited, through the loss of worker and API', async () => {
  const goOn = join(await repositoryFolder(), 'go-on');
  const repository = await makeRepository({
    name: 'edited',
    stories: ['US-1', 'US-2', 'US-3'].map(story),
    command: `while [ ! -e ${goOn} ]; do sleep 0.1; done`,
  });
  const { path, model } = repository;
  const run = stack.start(['ralph', 'run', '--model', model, '--max-concurrent', '2', '--json'], { cwd: path });
  await until(async () => (await stack.cli(['ralph', 'logs'], { cwd: path })).stdout.includes('US-2 step 1'));
  // US-3 has not begun, US-2 is worked on.
  await repository.edit((stories) => [...stories.filter(({ id }) => id === 'US-1'), story('US-9')]);
  const planned = await stack.cli(['ralph', 'reload', '--dry-run'], { cwd: path });
  expect(planned.stdout).toContain('would follow the edited PRD: 1 added, 2 removed\n');
  await stack.kill('worker', 'api');
  const reloaded = await stack.cli(['ralph', 'reload'], { cwd: path });
  expect(reloaded.code, reloaded.stderr).toBe(0);
  expect(reloaded.stdout).toContain('  - US-2  removed, its agent stops after its step\n');
  await writeFile(goOn, '');
  const ended = await run.result;
  expect(ended.code, ended.stderr).toBe(0);
  expect(JSON.parse(ended.stdout)).toMatchObject({ outcome: 'completed', passed: 2, total: 2 });
  expect(await filesOf(repository)).toEqual(['US-1.txt', 'US-9.txt']);
}, 180_000);

test('a script is told by exit code 6 that a merge waits for a person, and goes on after the answer', async () => {
  const { path, model, branch } = await makeRepository({ name: 'asks-merge', stories: [story('US-1')] });
  const flags = ['--ask-merge', '--detach-on-ask', '--json'];
  const left = await stack.cli(['ralph', 'run', '--model', model, ...flags], { cwd: path });
  expect(left.code, left.stderr).toBe(6);
  const { approvals } = JSON.parse(left.stdout) as { approvals: { id: string; story_id: string; question: string }[] };
  expect(approvals).toMatchObject([{ story_id: 'US-1' }]);
  expect(approvals[0]?.question).toMatch(/^merge 1 file onto feature\/asks-merge\? git show [0-9a-f]{10}$/);
  const shown = await git(path, 'show', '--stat', '--format=%s', approvals[0]?.question.split(' ').at(-1) ?? '');
  expect(shown).toContain('US-1.txt');
  expect(await git(path, 'rev-list', '--count', `main..${branch}`)).toBe('0');
  expect((await stack.cli(['approve', approvals[0]?.id ?? ''])).code).toBe(0);
  const ended = await stack.cli(['ralph', 'attach', 'asks-merge', '--detach-on-ask', '--json'], { cwd: path });
  expect(ended.code, ended.stderr).toBe(0);
  expect(await git(path, 'rev-list', '--count', `main..${branch}`)).toBe('1');
  const bad = await stack.cli(['ralph', 'run', '--model', model, '--ask-merge', '--on-ask', 'deny'], { cwd: path });
  expect([bad.code, bad.stderr.includes('[usage]')]).toEqual([2, true]);
}, 120_000);

test('the plan waits for a person before any model is asked', async () => {
  const { path, model } = await makeRepository({ name: 'asks-plan', stories: [story('US-1')] });
  const flags = ['--ask-plan', '--detach-on-ask', '--json'];
  const left = await stack.cli(['ralph', 'run', '--model', model, ...flags], { cwd: path });
  expect(left.code, left.stderr).toBe(6);
  const { approvals } = JSON.parse(left.stdout) as { approvals: { id: string; question: string }[] };
  expect(approvals[0]?.question).toMatch(
    /^work on 1 of 1 stories, on feature\/asks-plan, with scripted\/.*without a cap on its cost\?$/,
  );
  expect((await stack.cli(['approve', approvals[0]?.id ?? ''])).code).toBe(0);
  const ended = await stack.cli(['ralph', 'attach', 'asks-plan', '--json'], { cwd: path });
  expect(ended.code, ended.stderr).toBe(0);
}, 120_000);

test('a story that failed passes after the run was started again with a hint', async () => {
  const stories = [story('US-1'), { ...story('US-2'), depends_on: ['US-1'] }];
  const gate = 'test ! -e US-1.txt || test -e US-9.txt';
  const repository = await makeRepository({ name: 'retried', stories, gate });
  const { path, model, branch } = repository;
  const flags = ['--model', model, '--max-attempts', '1', '--json'];
  const failed = await stack.cli(['ralph', 'run', ...flags], { cwd: path });
  expect(failed.code, failed.stderr).toBe(3);
  // The script knows one attempt only, which leaves US-9.txt out; what is there is kept for the next one.
  const worktree = join(path, '.codetether-worktrees');
  const { stdout } = await stack.cli(['ralph', 'status', '--json'], { cwd: path });
  expect(JSON.parse(stdout)).toMatchObject({ stories: [{ status: 'failed' }, { status: 'blocked' }] });
  const [line] = (await git(path, 'worktree', 'list')).split('\n').filter((text) => text.startsWith(worktree));
  await writeFile(join(line?.split(' ')[0] ?? worktree, 'US-9.txt'), 'mended');
  const retried = await stack.cli(['ralph', 'retry', 'US-1', '--hint', 'write US-9.txt, too'], { cwd: path });
  expect(retried.code, retried.stderr).toBe(0);
  expect(retried.stdout).toMatch(/^US-1 is open again; ralph:retried-\w+:\S+ goes on \(execution 2\)\n$/);
  const ended = await stack.cli(['ralph', 'attach', 'retried', '--json'], { cwd: path });
  expect(ended.code, ended.stderr).toBe(0);
  expect(await git(path, 'rev-list', '--count', `main..${branch}`)).toBe('2');
}, 120_000);

test('an agent that fills the disk is told, and status shows what the worktrees take', async () => {
  const { path, model } = await makeRepository({
    name: 'full',
    stories: [story('US-1')],
    command: 'head -c 8000000 /dev/zero > big.bin; echo big.bin > .gitignore',
  });
  const ended = await stack.cli(['ralph', 'run', '--model', model, '--max-disk', '5m', '--json'], { cwd: path });
  expect(ended.code, ended.stderr).toBe(0);
  const status = await stack.cli(['ralph', 'status'], { cwd: path });
  expect(status.stdout).toMatch(/^- disk \d+ MB of 5 MB, which is too much$/m);
}, 120_000);
