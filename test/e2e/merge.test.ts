import { mkdtemp, readFile, realpath, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestStack, git, repositoryFolder } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

const branch = 'feature/words';

let stack: TestStack;
beforeAll(async () => {
  stack = await createTestStack();
  const up = await stack.cli(['up']);
  expect(up.code, up.stderr).toBe(0);
}, 900_000);
afterAll(async () => {
  await stack.remove();
});

interface Turn {
  readonly text?: string;
  readonly tools?: readonly { readonly name: string; readonly args: object }[];
}

const write = (path: string, content: string): Turn => ({
  tools: [{ name: 'write', args: { path, content } }],
});
const done: Turn = { text: 'Done.' };
/** A command that ends when the condition holds. */
const waitUntil = (condition: string): Turn => ({
  tools: [{ name: 'bash', args: { command: `until ${condition}; do sleep 0.1; done` } }],
});

/** A repository whose one gate wants words in `words.txt`, with a PRD and a model that answers as told. */
async function makeRepository(
  stories: readonly {
    readonly id: string;
    readonly dependsOn?: readonly string[];
    readonly attempts: readonly (readonly Turn[])[];
  }[],
  gate = `! grep -n '^[<=>][<=>]' words.txt && grep -q . words.txt`,
): Promise<{ readonly path: string; readonly args: readonly string[] }> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'codetether-words-')));
  const script = join(await realpath(await mkdtemp(join(tmpdir(), 'codetether-script-'))), 'script.json');
  await writeFile(join(path, 'words.txt'), 'start\n');
  const prd = {
    project: 'words',
    feature: 'words',
    branch_name: branch,
    user_stories: stories.map(({ id, dependsOn = [] }) => ({
      id,
      title: `Story ${id}`,
      description: 'Words.',
      depends_on: dependsOn,
      passes: false,
    })),
    quality_checks: { test: gate },
  };
  await writeFile(join(path, 'prd.json'), `${JSON.stringify(prd, null, 2)}\n`);
  await git(path, 'init', '--quiet', '--initial-branch', 'main');
  await git(path, 'add', '--all');
  await git(path, 'commit', '--quiet', '--message', 'start');
  const answers = Object.fromEntries(
    stories.map(({ id, attempts }) => [id, { attempts: attempts.map((turns) => ({ turns: [...turns, done] })) }]),
  );
  await writeFile(script, JSON.stringify({ version: 1, stories: answers }));
  return { path, args: ['ralph', 'run', '--model', `scripted/${script}`, '--json'] };
}

const trailers = async (path: string, key: string): Promise<string[]> =>
  (
    await git(
      path,
      'log',
      '--reverse',
      `--format=%(trailers:key=Codetether-${key},valueonly,separator=)`,
      `main..${branch}`,
    )
  ).split('\n');

async function expectTidy(path: string): Promise<void> {
  expect(await git(path, 'worktree', 'list')).not.toContain('\n');
  expect(await git(path, 'branch', '--list', 'codetether/*')).toBe('');
  expect(await git(path, 'for-each-ref', 'refs/codetether')).toBe('');
}

test('two stories that change the same line are both on the branch, the second after it resolved the conflict', async () => {
  const { path, args } = await makeRepository([
    { id: 'US-001', attempts: [[write('words.txt', 'one\n')]] },
    {
      id: 'US-002',
      attempts: [
        [write('words.txt', 'two\n'), waitUntil(`git log --format=%B ${branch} | grep -q US-001`)],
        [write('words.txt', 'one two\n')],
      ],
    },
  ]);
  const run = await stack.cli(args, { cwd: path });
  expect(run.code, run.stderr).toBe(0);
  expect(await trailers(path, 'Story')).toEqual(['US-001', 'US-002']);
  expect(await trailers(path, 'Attempt')).toEqual(['1', '2']);
  expect(await git(path, 'show', `${branch}:words.txt`)).toBe('one two');
  await expectTidy(path);
  const log = await stack.cli(['ralph', 'logs', '--json'], { cwd: path });
  expect(log.stdout).toContain('conflicts with the run branch in words.txt');
}, 120_000);

test('a commit of the user on the run branch in the middle of a run is kept, and the gates run on both together', async () => {
  const goOn = join(await repositoryFolder(), 'go-on');
  const { path, args } = await makeRepository([
    { id: 'US-001', attempts: [[waitUntil(`[ -e ${goOn} ]`), write('a.txt', 'a\n')]] },
  ]);
  const running = stack.start(args, { cwd: path });
  await until(async () => (await git(path, 'branch', '--list', branch)) !== '');
  await git(path, 'worktree', 'add', '--quiet', '--detach', `${path}-mine`, branch);
  await writeFile(join(`${path}-mine`, 'mine.txt'), 'mine\n');
  await git(`${path}-mine`, 'add', '--all');
  await git(`${path}-mine`, 'commit', '--quiet', '--message', 'mine');
  const mine = await git(`${path}-mine`, 'rev-parse', 'HEAD');
  await git(path, 'update-ref', `refs/heads/${branch}`, mine, await git(path, 'rev-parse', 'main'));
  await git(path, 'worktree', 'remove', `${path}-mine`);
  await writeFile(goOn, '');
  const run = await running.result;
  expect(run.code, run.stderr).toBe(0);
  expect(await git(path, 'rev-parse', `${branch}~1`)).toBe(mine);
  expect(await git(path, 'rev-list', '--count', '--merges', `main..${branch}`)).toBe('0');
  expect(await git(path, 'ls-tree', '--name-only', branch)).toBe('a.txt\nmine.txt\nprd.json\nwords.txt');
  await expectTidy(path);
}, 120_000);

test('a passed story is taken off the branch with what was built on it, and the next run does both anew', async () => {
  const { path, args } = await makeRepository([
    { id: 'US-001', attempts: [[write('a.txt', 'a\n')]] },
    { id: 'US-002', dependsOn: ['US-001'], attempts: [[write('b.txt', 'b\n')]] },
    { id: 'US-003', attempts: [[write('c.txt', 'c\n')]] },
  ]);
  const first = await stack.cli(args, { cwd: path });
  expect(first.code, first.stderr).toBe(0);
  const refused = await stack.cli(['ralph', 'rollback', 'US-001'], { cwd: path });
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain('US-002 passed on top of US-001');
  expect(refused.stderr).toContain('--cascade');

  const rolledBack = await stack.cli(['ralph', 'rollback', 'US-001', '--cascade', '--json'], { cwd: path });
  expect(rolledBack.code, rolledBack.stderr).toBe(0);
  expect(JSON.parse(rolledBack.stdout)).toMatchObject({
    rolled_back: [{ story_id: 'US-002' }, { story_id: 'US-001' }],
  });
  expect(await git(path, 'ls-tree', '--name-only', branch)).toBe('c.txt\nprd.json\nwords.txt');
  expect(await git(path, 'log', '-1', '--format=%s', branch)).toBe('revert(US-001): Story US-001');
  // The event comes first; prd.json and the end of the integration worktree follow.
  await until(async () => !(await git(path, 'worktree', 'list')).includes('\n'));
  expect(await passes(path)).toEqual([false, false, true]);
  await expectTidy(path);

  const again = await stack.cli(args, { cwd: path });
  expect(again.code, again.stderr).toBe(0);
  expect(await git(path, 'ls-tree', '--name-only', branch)).toBe('a.txt\nb.txt\nc.txt\nprd.json\nwords.txt');
  expect(await passes(path)).toEqual([true, true, true]);
  await expectTidy(path);
}, 120_000);

test('a story that is rolled back while the run goes on is done anew by it', async () => {
  const goOn = join(await repositoryFolder(), 'go-on');
  const { path, args } = await makeRepository([
    { id: 'US-001', attempts: [[write('a.txt', 'a\n')]] },
    { id: 'US-002', attempts: [[waitUntil(`[ -e ${goOn} ]`), write('b.txt', 'b\n')]] },
  ]);
  const running = stack.start(args, { cwd: path });
  await until(async () => (await trailers(path, 'Story').catch((): string[] => [])).includes('US-001'));
  const rolledBack = await stack.cli(['ralph', 'rollback', 'US-001'], { cwd: path });
  expect(rolledBack.code, rolledBack.stderr).toBe(0);
  await writeFile(goOn, '');
  const run = await running.result;
  expect(run.code, run.stderr).toBe(0);
  expect(await git(path, 'ls-tree', '--name-only', branch)).toBe('a.txt\nb.txt\nprd.json\nwords.txt');
  expect((await trailers(path, 'Reverts')).filter((commit) => commit !== '')).toHaveLength(1);
  await expectTidy(path);
}, 120_000);

test('a run that is cancelled in the middle of a gate leaves no integration worktree behind', async () => {
  const { path, args } = await makeRepository([{ id: 'US-001', attempts: [[write('a.txt', 'a\n')]] }], 'sleep 20');
  const running = stack.start(args, { cwd: path });
  const integration = async () => (await git(path, 'worktree', 'list')).includes('_merge');
  await until(integration);
  expect((await stack.cli(['ralph', 'cancel'], { cwd: path })).code).toBe(0);
  await running.result;
  expect(await integration()).toBe(false);
  expect(await git(path, 'status', '--porcelain')).toBe('');
}, 120_000);

async function passes(path: string): Promise<boolean[]> {
  const prd = JSON.parse(await readFile(join(path, 'prd.json'), 'utf8')) as {
    readonly user_stories: readonly { readonly passes: boolean }[];
  };
  return prd.user_stories.map((story) => story.passes);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(20)) if (await isSo()) return;
  throw new Error('it did not come to that within a minute');
}
