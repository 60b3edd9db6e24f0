import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestStack, git, repositoryFolder } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';
import { githubToken, startGithubServer } from '../support/github-server.ts';

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
  readonly text: string;
  readonly tools?: readonly { readonly name: string; readonly args: object }[];
}

/** A folder, and a model that plays these turns: one list for each message. */
async function workplace(...messages: readonly (readonly Turn[])[]): Promise<{ path: string; model: string }> {
  const folder = await repositoryFolder();
  const path = join(folder, 'work');
  await mkdir(path);
  const script = join(folder, 'script.json');
  const attempts = messages.map((turns) => ({ turns }));
  const price = { inputPerMillionUsd: 1, outputPerMillionUsd: 1 };
  await writeFile(
    script,
    JSON.stringify({ version: 1, summary: 'The words came twice.', price, stories: { main: { attempts } } }),
  );
  return { path, model: `scripted/${script}` };
}

async function told(args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await stack.cli(args, { cwd });
  expect(code, `${args.join(' ')}: ${stderr}`).toBe(0);
  return `${stdout}${stderr}`;
}

test('stats are of the folder: tokens and price, tools with their failures, files with who changed them', async () => {
  const write = { name: 'write', args: { path: 'a.txt', content: 'a\n' } };
  const { path, model } = await workplace([
    { text: 'I write.', tools: [write, { name: 'read', args: { path: 'missing.txt' } }] },
    { text: 'Done.' },
  ]);
  await told(['run', 'write a.txt', '--model', model], path);
  const { stdout } = await stack.cli(['stats', '--json'], { cwd: path });
  expect(JSON.parse(stdout)).toMatchObject({
    schema_version: 1,
    sessions: 1,
    tool_executions: {
      total_executions: 2,
      total_failures: 1,
      executions_by_tool: { write: 1, read: 1 },
      files_modified: 1,
    },
    token_usage: { requests: 2 },
  });
  expect(await told(['stats', '--file', 'a.txt'], path)).toMatch(/\| 1 +\| write \|.*a\.txt/);
  expect(await told(['stats', '--tokens'], (await workplace()).path)).toContain('0 requests');
});

test('a context is looked at, pinned, and reset: the model itself sums it up before its next answer', async () => {
  const words = 'many words '.repeat(60);
  const { path, model } = await workplace([{ text: words }], [{ text: words }], [{ text: 'three' }]);
  await told(['run', 'keep this', '--model', model], path);
  await told(['run', '-c', 'and this not'], path);
  expect(await told(['context', 'browse'], path)).toMatch(
    /^1\t2–3\t2\t\d+\t\tkeep this\n2\t4–5\t2\t\d+\t\tand this not/,
  );
  expect(await told(['context', 'browse', 'show-turn', '2'], path)).toContain('many words many words');
  await told(['context', 'pin', '1'], path);
  expect(await told(['context', 'reset'], path)).toContain('sums 2 turns (4 steps');
  expect(await told(['context', 'budget'], path)).toContain('made before the next answer');
  expect(await told(['run', '-c', 'go on'], path)).toContain('three');
  const budget = await told(['context', 'budget'], path);
  expect(budget).toMatch(/rows 4–5, 2 steps, .* tokens: a summary stands for them/);
  expect(budget).toContain('turn 1');
  const { stdout } = await stack.cli(['sessions', 'show', '--json'], { cwd: path });
  const { rows } = JSON.parse(stdout) as { readonly rows: readonly { readonly kind: string; readonly body: object }[] };
  expect(rows.find(({ kind }) => kind === 'summary')).toMatchObject({ body: { text: 'The words came twice.' } });
  expect(await told(['context', 'reset', '--summary', 'all is well'], path)).toContain('your summary stands');
  const nothing = await stack.cli(['context', 'reset'], { cwd: path });
  expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining('[context-refused]')]);
});

/** A repository with a worktree for each state. */
async function manyWorktrees(): Promise<string> {
  const path = join(await repositoryFolder(), 'todo');
  await mkdir(path);
  await git(path, 'init', '--quiet', '--initial-branch', 'main');
  await git(path, 'commit', '--quiet', '--allow-empty', '--message', 'start');
  for (const name of ['ready', 'dirty', 'unmerged', 'locked', 'gone', 'here'])
    await git(path, 'worktree', 'add', '--quiet', '-b', `work/${name}`, join(path, '..', 'trees', name));
  const tree = (name: string) => join(path, '..', 'trees', name);
  await writeFile(join(tree('dirty'), 'new.txt'), 'x');
  await git(tree('unmerged'), 'commit', '--quiet', '--allow-empty', '--message', 'mine');
  await git(path, 'worktree', 'lock', tree('locked'));
  await rm(tree('gone'), { recursive: true });
  return path;
}

interface Cleanup {
  readonly base: string;
  readonly applied: boolean;
  readonly entries: readonly {
    readonly path: string;
    readonly branch: string | null;
    readonly state: string;
    readonly error?: string;
    readonly run?: string;
  }[];
}

async function cleanup(cwd: string, ...args: readonly string[]): Promise<Cleanup & { readonly code: number }> {
  const { code, stdout, stderr } = await stack.cli(['worktree', 'cleanup', '--json', ...args], { cwd });
  expect(stdout, stderr).not.toBe('');
  return { code, ...(JSON.parse(stdout) as Cleanup) };
}
const states = ({ entries }: Cleanup) =>
  Object.fromEntries(entries.map(({ path, state }) => [path.split('/').at(-1), state]));

test('worktrees are cleaned up where nothing is lost by it, after they were shown; branches stay', async () => {
  const path = await manyWorktrees();
  const trees = join(path, '..', 'trees');
  const expected = { todo: 'primary', dirty: 'dirty', unmerged: 'unmerged', locked: 'locked', here: 'current' };
  const preview = await cleanup(join(trees, 'here'));
  expect(preview).toMatchObject({ base: 'main', applied: false, code: 0 });
  expect(states(preview)).toEqual({ ...expected, ready: 'ready', gone: 'prunable' });
  expect(existsSync(join(trees, 'ready'))).toBe(true);
  expect(states(await cleanup(path, '--root', join(trees, 'locked')))).toEqual({ locked: 'locked' });

  const applied = await cleanup(join(trees, 'here'), '--apply');
  expect(states(applied)).toEqual({ ...expected, ready: 'removed', gone: 'removed' });
  expect(applied.code).toBe(0);
  expect(readdirSync(trees).toSorted()).toEqual(['dirty', 'here', 'locked', 'unmerged']);
  expect(await git(path, 'branch', '--list', 'work/*')).toMatch(/work\/gone[^]*work\/ready/);
  const unknown = await stack.cli(['worktree', 'cleanup', '--base', 'nowhere'], { cwd: path });
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('there is no nowhere here')]);
});

test('a worktree that cannot be removed is told, with exit code 1', async () => {
  const path = await manyWorktrees();
  // git refuses to remove a worktree that has a submodule, although it is clean.
  const [library, tree] = [join(path, '..', 'library'), join(path, '..', 'trees', 'ready')];
  await git(path, 'init', '--quiet', library);
  await git(library, 'commit', '--quiet', '--allow-empty', '--message', 'start');
  await git(tree, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', library, 'library');
  await git(tree, 'commit', '--quiet', '--message', 'library');
  await git(path, 'merge', '--quiet', 'work/ready');
  const applied = await cleanup(path, '--apply', '--root', tree);
  expect(applied).toMatchObject({ code: 1, entries: [{ state: 'removal_failed', branch: 'work/ready' }] });
  expect(applied.entries[0]?.error).toContain('submodules');
  expect(existsSync(tree)).toBe(true);
});

/** A repository with a PRD of these stories, and a model whose agents write one file each. */
async function withPrd(
  stories: readonly { readonly id: string; readonly title: string; readonly writes: string; readonly after?: string }[],
  { delayMs = 0 }: { readonly delayMs?: number } = {},
): Promise<{ readonly folder: string; readonly path: string; readonly model: string }> {
  const folder = await repositoryFolder();
  const [path, script] = [join(folder, 'todo'), join(folder, 'script.json')];
  await mkdir(path);
  await git(path, 'init', '--quiet', '--initial-branch', 'trunk');
  const prd = {
    project: 'todo',
    feature: 'due dates',
    branch_name: 'feature/due',
    quality_checks: { test: 'test ! -e broken' },
    user_stories: stories.map(({ id, title, after }) => ({
      id,
      title,
      description: 'x',
      acceptance_criteria: ['x'],
      depends_on: after === undefined ? [] : [after],
    })),
  };
  await writeFile(join(path, 'prd.json'), JSON.stringify(prd));
  const turnsOf = (file: string) => [
    { text: '', delayMs, tools: [{ name: 'write', args: { path: file, content: 'x\n' } }] },
    { text: 'Done.' },
  ];
  const played = stories.map(({ id, writes }) => [id, { attempts: [{ turns: turnsOf(writes) }] }]);
  await writeFile(script, JSON.stringify({ version: 1, stories: Object.fromEntries(played) }));
  await git(path, 'add', '--all');
  await git(path, 'commit', '--quiet', '--message', 'start');
  return { folder, path, model: `scripted/${script}` };
}

test('what a run or a session works in is never cleaned up', async () => {
  const { path, model } = await withPrd([{ id: 'US-1', title: 'Slow', writes: 'a.txt' }], { delayMs: 6_000 });
  await git(path, 'worktree', 'add', '--quiet', '-b', 'mine', join(path, '..', 'mine'));
  const script = join(path, '..', 'slow.json');
  const turns = [{ text: 'slow', delayMs: 8_000 }];
  await writeFile(script, JSON.stringify({ version: 1, stories: { main: { attempts: [{ turns }] } } }));
  const run = stack.start(['ralph', 'run', '--model', model, '--json'], { cwd: path });
  const session = stack.start(['run', 'wait', '--model', `scripted/${script}`], { cwd: join(path, '..', 'mine') });
  let seen: Cleanup['entries'] = [];
  for (const deadline = Date.now() + 30_000; Date.now() < deadline;) {
    seen = (await cleanup(path)).entries.filter(({ state }) => state === 'in_use');
    if (seen.length > 1 && seen.some(({ path: at }) => at.endsWith('/mine'))) break;
  }
  expect(seen.find(({ path: at }) => at.endsWith('/mine'))?.run).toMatch(/^session:/);
  expect(seen.find(({ path: at }) => at.includes('/.codetether-worktrees/'))?.run).toMatch(/^ralph:/);
  await cleanup(path, '--apply');
  expect((await run.result).code).toBe(0);
  expect((await session.result).stdout).toBe('slow\n');
}, 120_000);

test('worktrees are listed, opened in the editor that is set, and written to a workspace file', async () => {
  const path = await manyWorktrees();
  const trees = join(path, '..', 'trees');
  expect(await told(['worktree', 'list'], path)).toContain(`\nready\twork/ready\t${join(trees, 'ready')}\n`);
  const { stdout } = await stack.cli(['worktree', 'list', '--json'], { cwd: path });
  expect(JSON.parse(stdout)).toContainEqual(
    expect.objectContaining({ name: 'gone', branch: 'work/gone', path: join(trees, 'gone'), prunable: true }),
  );
  const editor = join(path, '..', 'code');
  await writeFile(editor, `#!/bin/sh\necho "$@" >> ${join(path, '..', 'opened')}\n`);
  await chmod(editor, 0o755);
  const codetether = async (...args: string[]) => {
    stack.env['VISUAL'] = editor;
    try {
      return await stack.cli(['worktree', ...args], { cwd: path });
    } finally {
      delete stack.env['VISUAL'];
    }
  };
  expect((await codetether('open', 'ready', '-r')).code).toBe(0);
  expect((await codetether('open', 'work/dirty')).code).toBe(0);
  expect((await codetether('open', 'gone')).stderr).toContain('is gone');
  expect((await codetether('open', 'redy')).stderr).toContain('did you mean ready?');
  const dest = join(path, '..', 'all.code-workspace');
  await writeFile(dest, '{"settings": {"a": 1}, "folders": []}');
  expect((await codetether('workspace', '--dest', dest, '--open')).code).toBe(0);
  const workspace = JSON.parse(await readFile(dest, 'utf8')) as { readonly folders: readonly object[] };
  expect(workspace).toMatchObject({ settings: { a: 1 } });
  expect(workspace.folders).toHaveLength(6);
  expect(await readFile(join(path, '..', 'opened'), 'utf8')).toBe(
    `-r ${join(trees, 'ready')}\n${join(trees, 'dirty')}\n${dest}\n`,
  );
  for (const name of ['VISUAL', 'EDITOR']) delete stack.env[name];
  const none = await stack.cli(['worktree', 'open', 'ready'], { cwd: path });
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('[editor-missing]')]);
});

test('a pull request of a run has its evidence, and is of its branch', async () => {
  const { folder, path, model } = await withPrd([
    { id: 'US-1', title: 'Store <b>dates</b> | @all', writes: 'a.txt' },
    { id: 'US-2', title: 'Never green', writes: 'broken', after: 'US-1' },
  ]);
  const bare = join(folder, 'todo.git');
  await git(folder, 'init', '--quiet', '--bare', bare);
  await git(path, 'config', `url.${bare}.insteadOf`, 'https://github.example/acme/todo.git');
  await git(path, 'remote', 'add', 'origin', 'https://github.example/acme/todo.git');
  const run = await stack.cli(['ralph', 'run', '--model', model, '--max-attempts', '1', '--json'], {
    cwd: path,
  });
  expect(run.code, run.stderr).toBe(3);
  const { run_id: runId } = JSON.parse(run.stdout) as { readonly run_id: string };

  const github = await startGithubServer();
  const create = async () => {
    Object.assign(stack.env, { GITHUB_TOKEN: githubToken, GITHUB_API_URL: github.url });
    try {
      return await stack.cli(['pr', 'create', '--run', runId], { cwd: folder });
    } finally {
      for (const name of ['GITHUB_TOKEN', 'GITHUB_API_URL']) delete stack.env[name];
    }
  };
  try {
    const early = await create();
    expect([early.code, early.stderr]).toEqual([2, expect.stringContaining('git push -u origin feature/due')]);
    await git(path, 'push', '--quiet', 'origin', 'trunk', 'feature/due');
    const made = await create();
    expect(made.stdout, made.stderr).toContain('PR_HEAD=feature/due\n');
    expect((await create()).stderr).toContain('updated pull request 1');
  } finally {
    await github.close();
  }
  const [pull, ...more] = github.pulls;
  expect([pull?.title, pull?.base.ref, more]).toEqual(['todo: due dates', 'trunk', []]);
  expect(pull?.body).toContain('### 1 of 2 stories passed');
  const commit = (await git(path, 'rev-parse', 'feature/due')).slice(0, 7);
  expect(pull?.body).toContain(String.raw`| US-1  | Store &lt;b>dates&lt;/b> \| @`);
  expect(pull?.body).toMatch(new RegExp(`all \\| passed +\\| 1 +\\| ${commit} \\| .*test ok`));
  expect(pull?.body).toMatch(/US-2 +\| Never green +\| failed: .*\| 1 +\| – /);
  expect(pull?.body).toMatch(/is quality-failed; `scripted\//);
});
