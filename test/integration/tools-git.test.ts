import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createToolRegistry } from '../../activities/tools/registry.ts';
import { makeToolWorkspace, type ToolWorkspace } from '../support/tool-workspace.ts';

let workspace: ToolWorkspace;

beforeEach(async () => {
  workspace = await makeToolWorkspace();
});

afterEach(() => {
  workspace.remove();
});

const git = (given: Record<string, unknown>) => workspace.run('git', given);
const inRoot = (...args: string[]) => workspace.repository.git(['-C', workspace.root, ...args]);

describe('git', () => {
  test('shows the state, the changes and the history', async () => {
    workspace.write({ 'README.md': '# other\n', 'new.txt': 'x\n' });
    expect((await git({ op: 'status' })).output).toBe('## story\n M README.md\n?? new.txt');
    expect((await git({ op: 'diff' })).output).toContain('-# sums\n+# other\nnew files, not staged: new.txt');
    expect((await git({ op: 'diff_staged' })).output).toBe('no changes since the last commit');
    expect((await git({ op: 'log' })).output).toMatch(/^[0-9a-f]{7} \d{4}-\d\d-\d\d .*: /);
    expect((await git({ op: 'show' })).output).toContain('+# sums');
    expect((await git({ op: 'branch' })).output).toMatch(/\* story/);
  });

  test('commits all changes, or some, on the branch of the workspace', async () => {
    workspace.write({ 'a.txt': 'a\n', 'b.txt': 'b\n', 'ignored/c.txt': 'c' });
    expect((await git({ op: 'commit', message: 'only a', paths: ['a.txt'] })).output).toMatch(/^[0-9a-f]{7} only a\n/);
    expect(inRoot('show', '--name-only', '--format=', 'HEAD')).toBe('a.txt');
    expect(await git({ op: 'commit', message: 'the rest' })).toMatchObject({ ok: true });
    expect(inRoot('show', '--name-only', '--format=', 'HEAD')).toBe('b.txt');
    expect(inRoot('rev-parse', '--abbrev-ref', 'HEAD')).toBe('story');
    expect(await git({ op: 'commit', message: 'nothing' })).toEqual({
      ok: false,
      output: 'error: there is nothing to commit',
    });
    expect(await git({ op: 'commit' })).toMatchObject({ ok: false });
  });

  test('a commit never lands on a branch of the user, whatever HEAD says', async () => {
    const main = workspace.repository.git(['rev-parse', 'main']);
    inRoot('symbolic-ref', 'HEAD', 'refs/heads/main');
    workspace.write({ 'a.txt': 'a\n' });
    const outcome = await git({ op: 'commit', message: 'x' });
    expect(outcome.output).toContain('HEAD is on main; commits of this workspace belong on story');
    inRoot('checkout', '-q', '--detach');
    expect((await git({ op: 'commit', message: 'x' })).output).toContain('HEAD is on no branch');
    expect(workspace.repository.git(['rev-parse', 'main'])).toBe(main);
  });

  test('options cannot be smuggled in, and git’s own failures are answers', async () => {
    expect((await git({ op: 'show', rev: '--output=/tmp/x' })).output).toContain('must not begin with -');
    expect((await git({ op: 'log', rev: 'none' })).output).toMatch(/^error: git log/);
    expect((await git({ op: 'diff', path: '../..' })).output).toContain('is not inside the workspace');
    expect((await git({ op: 'push' })).output).toContain('op: Invalid option');
  });
});

describe('batch', () => {
  const batch = (...calls: { tool: string; args: Record<string, unknown> }[]) => workspace.run('batch', { calls });

  test('makes its calls in order and shows each result', async () => {
    const outcome = await batch(
      { tool: 'write', args: { path: 'a.txt', content: 'a\n' } },
      { tool: 'read', args: { path: 'a.txt' } },
      { tool: 'bash', args: { command: 'cat a.txt' } },
    );
    expect(outcome).toMatchObject({
      ok: true,
      changedFiles: [{ relative: 'a.txt' }],
      output: '── 1 write a.txt\ncreated a.txt (1 lines, 2 bytes)\n── 2 read a.txt\n   1| a\n── 3 bash cat a.txt\na',
    });
  });

  test('runs neighbours that only read side by side', async () => {
    const { context } = workspace;
    let running = 0;
    let most = 0;
    const listFiles = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 500));
      running -= 1;
      return context.listFiles();
    };
    const calls = ['*.md', '*.js', '*.ts'].map((pattern) => ({ tool: 'glob', args: { pattern } }));
    await createToolRegistry().call('batch', { calls }, { ...context, listFiles });
    expect(most).toBe(3);
  });

  test('stops after a change that failed, goes on after a look that failed', async () => {
    const outcome = await batch(
      { tool: 'read', args: { path: 'none' } },
      { tool: 'edit', args: { path: 'README.md', old_string: 'not there', new_string: 'x' } },
      { tool: 'write', args: { path: 'b.txt', content: 'b' } },
    );
    expect(outcome.ok).toBe(false);
    expect(outcome.output).toContain('── 1 read none (failed)');
    expect(outcome.output).toContain('── 3 write b.txt\nnot run: a call before it failed');
    expect((await workspace.run('glob', { pattern: 'b.txt' })).output).toBe('no file matches b.txt');
  });

  test('holds no batch and at most ten calls, and its output is bounded', async () => {
    expect((await batch({ tool: 'batch', args: {} })).output).toContain('a batch holds no batch');
    const call = { tool: 'bash', args: { command: 'seq 1 100000' } };
    expect((await batch(...Array.from({ length: 11 }, () => call))).output).toContain('Too big');
    expect((await batch(call, call, call)).output.length).toBeLessThan(30_000);
  });
});
