import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestStack, git, repositoryFolder } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

const branch = 'feature/asks';
let stack: TestStack;

beforeAll(async () => {
  stack = await createTestStack();
  const up = await stack.cli(['up']);
  expect(up.code, up.stderr).toBe(0);
}, 900_000);
afterAll(async () => {
  await stack.remove();
});

/** A repository with one story whose agent pushes, and leaves a file that says so. */
async function pushingRepository(): Promise<{ readonly path: string; readonly model: string }> {
  const folder = await repositoryFolder();
  const path = join(folder, 'asks');
  await git(tmpdir(), 'init', '--quiet', '--initial-branch', 'main', path);
  const prd = {
    project: 'asks',
    feature: 'push',
    branch_name: branch,
    quality_checks: { test: 'true' },
    user_stories: [{ id: 'US-1', title: 'Push', description: 'Push it.', acceptance_criteria: [] }],
  };
  await writeFile(join(path, 'prd.json'), JSON.stringify(prd));
  await git(path, 'add', '--all');
  await git(path, 'commit', '--quiet', '--message', 'start');
  const script = join(folder, 'script.yaml');
  const push = '{ name: bash, args: { command: "git push; echo ran > ran.txt" } }';
  const write = '{ name: write, args: { path: a.txt, content: a } }';
  await writeFile(
    script,
    `version: 1\ndefault: { attempts: [{ turns: [{ tools: [${push}] }, { tools: [${write}] }, { text: Done. }] }] }\n`,
  );
  return { path, model: `scripted/${script}` };
}

const filesOf = async (path: string) => (await git(path, 'ls-tree', '--name-only', branch)).split('\n');

interface Asked {
  readonly approvals: readonly { readonly id: string; readonly question: string }[];
}

async function asked(): Promise<Asked['approvals'][number]> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(200)) {
    const { stdout } = await stack.cli(['approvals', '--json']);
    const [first] = (JSON.parse(stdout) as Asked).approvals;
    if (first !== undefined) return first;
  }
  throw new Error('nothing was asked within a minute');
}

test('a push waits for a person, through the loss of worker and API, and runs once it is approved', async () => {
  const { path, model } = await pushingRepository();
  const run = stack.start(['ralph', 'run', '--model', model, '--on-ask', 'wait', '--json'], { cwd: path });
  const { id, question } = await asked();
  expect(question).toContain('git push; echo ran > ran.txt (it pushes to a remote)');
  await stack.kill('worker', 'api');
  const status = await stack.cli(['ralph', 'status'], { cwd: path });
  expect(status.stdout).toContain(`codetether approve ${id} | codetether deny ${id}`);
  const approved = await stack.cli(['approve', id]);
  expect(approved.code, approved.stderr).toBe(0);
  expect((await stack.cli(['approve', id])).code).toBe(2);
  const ended = await run.result;
  expect(ended.code, ended.stderr).toBe(0);
  expect(await filesOf(path)).toEqual(['a.txt', 'prd.json', 'ran.txt']);
}, 180_000);

test('off a terminal a push is denied at once, and the agent goes on without it', async () => {
  const { path, model } = await pushingRepository();
  const ended = await stack.cli(['ralph', 'run', '--model', model, '--json'], { cwd: path });
  expect(ended.code, ended.stderr).toBe(0);
  expect(await filesOf(path)).toEqual(['a.txt', 'prd.json']);
}, 120_000);
