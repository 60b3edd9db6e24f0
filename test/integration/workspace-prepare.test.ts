import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { memoryStore } from '../support/repository.ts';
import {
  attempt,
  committedStory,
  makeWorld,
  mergedStory,
  newActivities,
  removeRepositories,
  repositoryForTest,
  tip,
} from '../support/workspace-world.ts';

afterEach(removeRepositories);

describe('opening a repository', () => {
  test('the run branch is made at HEAD, and the checkout does not notice', async () => {
    const repository = repositoryForTest();
    repository.write({ 'README.md': 'changed by the user\n', 'new.txt': 'x' });
    repository.git(['add', 'new.txt']);
    const before = repository.git(['status', '--porcelain']);
    const store = memoryStore({ repoPath: repository.top, stories: [{ id: 'US-001' }] });
    const head = repository.git(['rev-parse', 'HEAD']);
    expect(await newActivities(repository, store).openRepository({ runId: store.run.runId })).toEqual({
      base: head,
      tip: head,
    });
    expect(repository.git(['rev-parse', 'feature/sums'])).toBe(head);
    expect(repository.git(['status', '--porcelain'])).toBe(before);
    expect(repository.git(['symbolic-ref', 'HEAD'])).toBe('refs/heads/main');
  });

  test('an existing run branch is gone on with, and the first base is remembered', async () => {
    const world = await makeWorld();
    const base = world.store.run.base;
    const merged = await mergedStory(world, 'US-001', { 'a.txt': 'a\n' });
    expect(await world.workspace.openRepository({ runId: world.runId })).toEqual({ base, tip: merged });
  });

  test('worktrees are excluded once, however often it is opened', async () => {
    const world = await makeWorld();
    await world.workspace.openRepository({ runId: world.runId });
    const text = readFileSync(path.join(world.repository.top, '.git/info/exclude'), 'utf8');
    expect(text.match(/^\/\.codetether-worktrees\/$/gm)).toHaveLength(1);
  });

  test('a folder without a repository and a repository without a commit are named as such', async () => {
    const repository = repositoryForTest();
    const empty = path.join(repository.scratch, 'empty');
    mkdirSync(empty);
    const store = memoryStore({ repoPath: empty, stories: [] });
    const open = () => newActivities(repository, store).openRepository({ runId: store.run.runId });
    await expect(open()).rejects.toMatchObject({ code: 'not-a-repository' });
    repository.git(['init', '-q'], empty);
    await expect(open()).rejects.toMatchObject({ code: 'repository-empty' });
  });

  test('a branch name that git does not allow is said to be the PRD’s fault', async () => {
    await expect(makeWorld({ branch: 'feature/a..b' })).rejects.toMatchObject({ code: 'prd-invalid' });
  });
});

describe('preparing a workspace', () => {
  test('tip: a worktree of its own on the run branch’s tip', async () => {
    const world = await makeWorld();
    const prepared = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    expect(prepared.path).toBe(path.join(world.repository.top, '.codetether-worktrees/sums/us-001'));
    expect(prepared.base).toBe(world.store.run.base);
    expect(world.repository.git(['status', '--porcelain'], prepared.path)).toBe('');
    expect(world.repository.git(['symbolic-ref', 'HEAD'], prepared.path)).toBe('refs/heads/codetether/sums/us-001');
    expect(world.repository.git(['status', '--porcelain'])).toBe('');
  });

  test('a second run of the same attempt changes nothing; a further attempt from the tip starts clean', async () => {
    const world = await makeWorld();
    const input = { ...attempt(world, 'US-001'), start: tip };
    const { path: folder } = await world.workspace.prepareWorkspace(input);
    writeFileSync(path.join(folder, 'work.txt'), 'w');
    await world.workspace.prepareWorkspace(input);
    expect(existsSync(path.join(folder, 'work.txt'))).toBe(true);
    await world.workspace.prepareWorkspace({ ...input, attempt: 2 });
    expect(existsSync(path.join(folder, 'work.txt'))).toBe(false);
    expect(world.store.workspaces.get('ralph:repo-000000:sums:US-001')?.attempt).toBe(2);
  });

  test.each([
    ['tip', { kind: 'tip' }],
    ['keep', { kind: 'keep' }],
  ] as const)('%s: a worker that dies before the row is written finds its way again', async (_, start) => {
    const world = await makeWorld();
    const { path: folder } = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    writeFileSync(path.join(folder, 'work.txt'), 'w');
    const { putWorkspace } = world.store;
    world.store.putWorkspace = async () => {
      throw new Error('died');
    };
    const input = { ...attempt(world, 'US-001', 2), start };
    await expect(world.workspace.prepareWorkspace(input)).rejects.toThrow('died');
    world.store.putWorkspace = putWorkspace;
    expect(await world.workspace.prepareWorkspace(input)).toEqual({ path: folder, base: world.store.run.base });
    expect(existsSync(path.join(folder, 'work.txt'))).toBe(start.kind === 'keep');
    expect(world.store.workspaces.get('ralph:repo-000000:sums:US-001')?.attempt).toBe(2);
  });

  test('keep: the last attempt’s files stay, its half-done merge is forgotten, and the checkpoint holds them', async () => {
    const world = await makeWorld();
    const { path: folder, base } = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    writeFileSync(path.join(folder, 'work.txt'), 'w');
    const gitDir = world.repository.git(['rev-parse', '--absolute-git-dir'], folder);
    writeFileSync(path.join(gitDir, 'MERGE_HEAD'), `${base}\n`);
    writeFileSync(path.join(gitDir, 'index.lock'), '');
    const prepared = await world.workspace.prepareWorkspace({
      ...attempt(world, 'US-001', 2),
      start: { kind: 'keep' },
    });
    expect(prepared).toEqual({ path: folder, base });
    expect(readFileSync(path.join(folder, 'work.txt'), 'utf8')).toBe('w');
    expect(readdirSync(gitDir)).not.toContain('MERGE_HEAD');
    const row = world.store.workspaces.get('ralph:repo-000000:sums:US-001');
    expect(world.repository.git(['ls-tree', '--name-only', row?.checkpoint ?? ''])).toContain('work.txt');
  });

  test('keep without a worktree is the tip', async () => {
    const world = await makeWorld();
    const first = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    rmSync(first.path, { recursive: true });
    const again = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001', 2), start: { kind: 'keep' } });
    expect(readFileSync(path.join(again.path, 'README.md'), 'utf8')).toBe('# sums\n');
  });

  test('merged: the story’s change lies uncommitted on the new tip', async () => {
    const world = await makeWorld();
    const commit = await committedStory(world, 'US-001', { 'a.txt': 'a\n', 'src/add.js': 'changed\n' });
    const tipCommit = await mergedStory(world, 'US-002', { 'b.txt': 'b\n' });
    const prepared = await world.workspace.prepareWorkspace({
      ...attempt(world, 'US-001', 2),
      start: { kind: 'merged', commit },
    });
    expect(prepared.base).toBe(tipCommit);
    expect(world.repository.git(['rev-parse', 'HEAD'], prepared.path)).toBe(tipCommit);
    expect(world.repository.git(['status', '--porcelain'], prepared.path).split('\n')).toEqual([
      'M src/add.js',
      '?? a.txt',
    ]);
    expect(readdirSync(prepared.path)).toContain('b.txt');
  });

  test('merged with a conflict shows it in the files', async () => {
    const world = await makeWorld();
    const commit = await committedStory(world, 'US-001', { 'README.md': 'one\n' });
    await mergedStory(world, 'US-002', { 'README.md': 'two\n' });
    const { path: folder } = await world.workspace.prepareWorkspace({
      ...attempt(world, 'US-001', 2),
      start: { kind: 'merged', commit },
    });
    expect(readFileSync(path.join(folder, 'README.md'), 'utf8')).toMatch(/<<<<<<<[^]*two[^]*=======[^]*one[^]*>>>>>>>/);
  });

  test.each([
    ['a folder that git does not know', (folder: string) => mkdirSync(path.join(folder, 'x'), { recursive: true })],
    ['a read-only folder', (folder: string) => mkdirSync(path.join(folder, 'x'), { recursive: true, mode: 0o500 })],
  ])('tip replaces %s', async (_, make) => {
    const world = await makeWorld();
    make(path.join(world.repository.top, '.codetether-worktrees/sums/us-001'));
    const { path: folder } = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    expect(readdirSync(folder).toSorted()).toEqual(['.git', 'README.md', 'src']);
  });

  test('a worktree that a killed git left half-made and locked is replaced', async () => {
    const world = await makeWorld();
    const folder = path.join(world.repository.top, '.codetether-worktrees/sums/us-001');
    world.repository.git(['worktree', 'add', '-q', '--lock', '-b', 'codetether/sums/us-001', folder]);
    rmSync(folder, { recursive: true });
    mkdirSync(path.join(world.repository.top, '.git/worktrees/us-0011'), { recursive: true });
    writeFileSync(path.join(world.repository.top, '.git/worktrees/us-0011/locked'), 'initializing');
    await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    expect(readdirSync(path.join(world.repository.top, '.git/worktrees'))).toEqual(['us-001']);
    expect(world.repository.git(['status', '--porcelain'], folder)).toBe('');
  });

  test('a story’s branch that somebody has checked out is left alone', async () => {
    const world = await makeWorld();
    world.repository.git(['checkout', '-q', '-b', 'codetether/sums/us-001']);
    const head = world.repository.commit({ 'mine.txt': 'mine' });
    const commit = await committedStory(world, 'US-001', { 'a.txt': 'a\n' });
    expect(world.repository.git(['rev-parse', 'HEAD'])).toBe(head);
    expect(world.repository.git(['status', '--porcelain'])).toBe('');
    expect(world.repository.git(['rev-parse', 'codetether/sums/us-001-attempt-1'])).toBe(commit);
  });

  test('installed dependencies are linked and never become part of a story', async () => {
    const world = await makeWorld({ files: { '.gitignore': 'node_modules/\n' } });
    world.repository.write({ 'node_modules/dep/index.js': 'dep\n' });
    const { path: folder } = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    expect(readFileSync(path.join(folder, 'node_modules/dep/index.js'), 'utf8')).toBe('dep\n');
    expect(lstatSync(path.join(folder, 'node_modules')).isSymbolicLink()).toBe(true);
    expect(world.repository.git(['status', '--porcelain'], folder)).toBe('');
    world.repository.git(['add', '-f', 'node_modules'], folder);
    writeFileSync(path.join(folder, 'a.txt'), 'a');
    const result = await world.workspace.commitStory(attempt(world, 'US-001'));
    expect(result).toMatchObject({ kind: 'committed', filesChanged: 1 });
    await world.workspace.removeWorkspace(attempt(world, 'US-001'));
    expect(existsSync(path.join(world.repository.top, 'node_modules/dep/index.js'))).toBe(true);
  });

  test('stories prepared at the same time do not get in each other’s way', async () => {
    const stories = Array.from({ length: 8 }, (_, index) => `US-${index}`);
    const world = await makeWorld({ stories });
    const prepared = await Promise.all(
      stories.map((id) => world.workspace.prepareWorkspace({ ...attempt(world, id), start: tip })),
    );
    expect(new Set(prepared.map((each) => each.path)).size).toBe(8);
  });

  test('ids that differ in case only have folders that differ', async () => {
    const world = await makeWorld({ stories: ['S-a', 'S-A', 's-a'] });
    const folders: string[] = [];
    for (const id of ['S-a', 'S-A', 's-a']) {
      folders.push((await world.workspace.prepareWorkspace({ ...attempt(world, id), start: tip })).path.toLowerCase());
    }
    expect(new Set(folders).size).toBe(3);
  });

  test.each(['a..b', 'a.lock', 'a.', 'X'.repeat(64)])('story id %s has a workspace', async (id) => {
    const world = await makeWorld({ stories: [id] });
    await mergedStory(world, id, { 'a.txt': 'a' });
    expect(world.repository.git(['show', '--name-only', '--format=', 'feature/sums'])).toBe('a.txt');
  });
});
