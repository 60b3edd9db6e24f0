import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createWorkspaceActivities } from '../../activities/workspace/create-workspace-activities.ts';
import { createRepositories } from '../../activities/workspace/repository.ts';
import {
  bareEnvironment,
  makeRepository,
  memoryStore,
  type Files,
  type MemoryStore,
  type TestRepository,
} from '../support/repository.ts';

const made: TestRepository[] = [];
afterEach(() => {
  for (const repository of made.splice(0)) repository.remove();
});

interface World {
  readonly repository: TestRepository;
  readonly store: MemoryStore;
  readonly workspace: ReturnType<typeof createWorkspaceActivities>;
  readonly runId: string;
}

async function makeWorld(
  options: {
    readonly name?: string;
    readonly files?: Files;
    readonly branch?: string;
    readonly stories?: readonly string[];
    readonly top?: (repository: TestRepository) => string;
  } = {},
): Promise<World> {
  const repository = makeRepository(options);
  made.push(repository);
  const store = memoryStore({
    repoPath: options.top?.(repository) ?? repository.top,
    stories: (options.stories ?? ['US-001', 'US-002']).map((id) => ({ id })),
    ...(options.branch === undefined ? {} : { branch: options.branch }),
  });
  const workspace = newActivities(repository, store);
  const opened = await workspace.openRepository({ runId: store.run.runId });
  store.run = { ...store.run, base: opened.base };
  return { repository, store, workspace, runId: store.run.runId };
}

function newActivities(repository: TestRepository, store: MemoryStore): World['workspace'] {
  const processes = { env: bareEnvironment(repository.scratch), processDir: path.join(repository.scratch, 'processes') };
  return createWorkspaceActivities({ store, hostId: 'host-1', repositories: createRepositories(processes) });
}

const attempt = (world: World, storyId: string, number = 1) => ({ runId: world.runId, storyId, attempt: number });
const tip = { kind: 'tip' } as const;

async function committedStory(world: World, storyId: string, files: Files): Promise<string> {
  const prepared = await world.workspace.prepareWorkspace({ ...attempt(world, storyId), start: tip });
  world.repository.write(files, prepared.path);
  const result = await world.workspace.commitStory(attempt(world, storyId));
  if (result.kind !== 'committed') throw new Error('nothing was committed');
  return result.commit;
}

async function mergedStory(world: World, storyId: string, files: Files): Promise<string> {
  const commit = await committedStory(world, storyId, files);
  const merge = await world.workspace.mergeStory({ ...attempt(world, storyId), commit });
  if (merge.kind !== 'merged') throw new Error(`not merged: ${merge.kind}`);
  expect(await world.workspace.advanceBranch({ runId: world.runId, tip: merge.tip, commit: merge.commit })).toEqual({
    kind: 'advanced',
  });
  return merge.commit;
}

describe('opening a repository', () => {
  test('the run branch is made at HEAD, and the checkout does not notice', async () => {
    const repository = makeRepository();
    made.push(repository);
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
    const repository = makeRepository();
    made.push(repository);
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
    const prepared = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001', 2), start: { kind: 'keep' } });
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

describe('places', () => {
  test.each(['with space', 'größe-日本', "it's $HOME"])('a repository in a folder called %s', async (name) => {
    const world = await makeWorld({ name });
    const merged = await mergedStory(world, 'US-001', { 'schön & gut.txt': 'a', 'ordner ü/x y.txt': 'b' });
    expect(world.repository.git(['-c', 'core.quotePath=false', 'show', '--name-only', '--format=', merged])).toBe(
      'ordner ü/x y.txt\nschön & gut.txt',
    );
    await world.workspace.removeWorkspace(attempt(world, 'US-001'));
    await world.workspace.closeRepository({ runId: world.runId });
    expect(existsSync(path.join(world.repository.top, '.codetether-worktrees'))).toBe(false);
  });

  test('a checkout that is a linked worktree itself', async () => {
    const world = await makeWorld({
      top(repository) {
        const linked = path.join(repository.scratch, 'linked checkout');
        repository.git(['worktree', 'add', '-q', '-b', 'other', linked]);
        return linked;
      },
    });
    const merged = await mergedStory(world, 'US-001', { 'a.txt': 'a' });
    expect(world.repository.git(['rev-parse', 'feature/sums'])).toBe(merged);
    expect(world.repository.git(['status', '--porcelain'])).toBe('');
    expect(world.repository.git(['status', '--porcelain'], world.store.run.repoPath)).toBe('');
  });

  test('a run branch codetether/sums leaves room for the stories’ branches', async () => {
    const world = await makeWorld({ branch: 'codetether/sums' });
    const merged = await mergedStory(world, 'US-001', { 'a.txt': 'a' });
    expect(world.repository.git(['rev-parse', 'codetether/sums'])).toBe(merged);
  });
});

describe('committing a story', () => {
  test('one commit on the base, with trailers, however often it is asked for', async () => {
    const world = await makeWorld();
    const commit = await committedStory(world, 'US-001', { 'a.txt': 'a\n', 'src/add.js': null });
    expect(world.repository.git(['log', '--format=%B', `${world.store.run.base}..${commit}`])).toBe(
      'feat(US-001): Title of US-001\n\nCodetether-Run: ralph:repo-000000:sums\nCodetether-Story: US-001\nCodetether-Attempt: 1',
    );
    expect(world.repository.git(['log', '-1', '--format=%an <%ae>', commit])).toBe('codetether <codetether@localhost>');
    expect(await world.workspace.commitStory(attempt(world, 'US-001'))).toEqual({
      kind: 'committed',
      commit,
      filesChanged: 2,
    });
    const { path: folder } = [...world.store.workspaces.values()][0] ?? { path: '' };
    expect(world.repository.git(['status', '--porcelain'], folder)).toBe('');
    expect(world.repository.git(['log', '--oneline', 'main'])).not.toContain('US-001');
  });

  test('commits, branches, detached heads and staged files of the agent end up in the one commit', async () => {
    const world = await makeWorld();
    const { path: folder } = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    world.repository.write({ 'one.txt': '1' }, folder);
    world.repository.git(['add', '-A'], folder);
    world.repository.git(['commit', '-q', '-m', 'my own commit'], folder);
    world.repository.git(['checkout', '-q', '-b', 'agent-branch'], folder);
    world.repository.write({ 'two.txt': '2' }, folder);
    world.repository.git(['add', '-A'], folder);
    world.repository.git(['commit', '-q', '-m', 'another'], folder);
    world.repository.git(['checkout', '-q', '--detach'], folder);
    world.repository.write({ 'three.txt': '3' }, folder);
    world.repository.git(['add', '-A'], folder);
    world.repository.write({ 'four.txt': '4' }, folder);
    const result = await world.workspace.commitStory(attempt(world, 'US-001'));
    expect(result).toMatchObject({ kind: 'committed', filesChanged: 4 });
    expect(world.repository.git(['rev-list', '--count', 'main..codetether/sums/us-001'])).toBe('1');
    expect(world.repository.git(['symbolic-ref', 'HEAD'], folder)).toBe('refs/heads/codetether/sums/us-001');
    expect(world.repository.git(['status', '--porcelain'], folder)).toBe('');
  });

  test('a change that was taken back is no change', async () => {
    const world = await makeWorld();
    const { path: folder } = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    expect(await world.workspace.commitStory(attempt(world, 'US-001'))).toEqual({ kind: 'nothing-changed' });
    world.repository.write({ 'README.md': 'x' }, folder);
    world.repository.git(['commit', '-q', '-a', '-m', 'x'], folder);
    world.repository.write({ 'README.md': '# sums\n' }, folder);
    expect(await world.workspace.commitStory(attempt(world, 'US-001'))).toEqual({ kind: 'nothing-changed' });
  });

  test('prd.json and progress.txt stay as they are in the base', async () => {
    const world = await makeWorld({ files: { 'prd.json': '{}\n' } });
    const { path: folder } = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    world.repository.write({ 'prd.json': '{"passes":true}\n', 'progress.txt': 'done!' }, folder);
    expect(await world.workspace.commitStory(attempt(world, 'US-001'))).toEqual({ kind: 'nothing-changed' });
    world.repository.write({ 'a.txt': 'a' }, folder);
    const result = await world.workspace.commitStory(attempt(world, 'US-001'));
    expect(result).toMatchObject({ kind: 'committed', filesChanged: 1 });
    expect(world.repository.git(['show', 'codetether/sums/us-001:prd.json'])).toBe('{}');
  });

  test('what running the code leaves behind is not committed, unless the repository tracks it', async () => {
    const world = await makeWorld({ files: { 'vendor/__pycache__/kept.pyc': '1' } });
    const { path: folder } = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    world.repository.write(
      { 'lib/x.py': 'x = 1\n', 'lib/__pycache__/x.pyc': 'p', 'node_modules/a/b.js': 'b', 'vendor/__pycache__/kept.pyc': '2' },
      folder,
    );
    await world.workspace.commitStory(attempt(world, 'US-001'));
    expect(world.repository.git(['diff', '--name-only', 'main', 'codetether/sums/us-001']).split('\n')).toEqual([
      'lib/x.py',
      'vendor/__pycache__/kept.pyc',
    ]);
  });

  test('a repository made inside the workspace is committed as plain files', async () => {
    const world = await makeWorld();
    const { path: folder } = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    world.repository.write({ 'app/.gitignore': 'dist\n', 'app/a.js': 'a', 'app/dist/a.js': 'a', 'empty/b.js': 'b' }, folder);
    world.repository.git(['init', '-q', 'app'], folder);
    world.repository.git(['add', '-A'], path.join(folder, 'app'));
    world.repository.git(['commit', '-q', '-m', 'app'], path.join(folder, 'app'));
    world.repository.git(['init', '-q', 'empty'], folder);
    const result = await world.workspace.commitStory(attempt(world, 'US-001'));
    expect(result).toMatchObject({ kind: 'committed', filesChanged: 3 });
    expect(world.repository.git(['ls-tree', '-r', '--name-only', 'codetether/sums/us-001']).split('\n')).toEqual([
      'README.md',
      'app/.gitignore',
      'app/a.js',
      'empty/b.js',
      'src/add.js',
    ]);
  });

  test('a workspace whose .git the agent deleted never reaches the checkout around it', async () => {
    const world = await makeWorld();
    const { path: folder } = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    world.repository.write({ 'a.txt': 'a', '.git': null }, folder);
    world.repository.write({ 'README.md': 'the user’s own\n' });
    expect(await world.workspace.commitStory(attempt(world, 'US-001'))).toMatchObject({ filesChanged: 1 });
    expect(world.repository.git(['status', '--porcelain'])).toBe('M README.md');
    expect(world.repository.git(['rev-parse', 'HEAD'])).toBe(world.store.run.base);
  });

  test('a title of several lines with control characters is one line', async () => {
    const world = await makeWorld();
    const record = world.store.stories.get('US-001');
    if (record === undefined) throw new Error('no story');
    const title = 'Add\u001b[31m sums\n\nCodetether-Story: US-009\u202e';
    world.store.stories.set('US-001', { ...record, story: { ...record.story, title } });
    const commit = await committedStory(world, 'US-001', { 'a.txt': 'a' });
    expect(world.repository.git(['log', '-1', '--format=%s', commit])).toBe(
      'feat(US-001): Add [31m sums Codetether-Story: US-009',
    );
  });

  test('the user’s own name is used where git knows it', async () => {
    const world = await makeWorld();
    world.repository.git(['config', 'user.name', 'Grace']);
    world.repository.git(['config', 'user.email', 'grace@example.com']);
    const commit = await (async () => {
      const workspace = newActivities(world.repository, world.store);
      return committedStory({ ...world, workspace }, 'US-001', { 'a.txt': 'a' });
    })();
    expect(world.repository.git(['log', '-1', '--format=%an <%ae> %cn', commit])).toBe(
      'Grace <grace@example.com> Grace',
    );
  });
});

describe('the merge lane', () => {
  test('a story on the tip is merged as the commit it is; a second one gets the first as parent', async () => {
    const world = await makeWorld();
    const one = await committedStory(world, 'US-001', { 'a.txt': 'a' });
    const two = await committedStory(world, 'US-002', { 'b.txt': 'b' });
    const first = await world.workspace.mergeStory({ ...attempt(world, 'US-001'), commit: one });
    expect(first).toEqual({ kind: 'merged', commit: one, tip: world.store.run.base });
    const folder = path.join(world.repository.top, '.codetether-worktrees/sums/_merge');
    expect(readdirSync(folder).toSorted()).toEqual(['.git', 'README.md', 'a.txt', 'src']);
    await world.workspace.advanceBranch({ runId: world.runId, tip: world.store.run.base ?? '', commit: one });

    writeFileSync(path.join(folder, 'README.md'), 'a gate wrote this');
    writeFileSync(path.join(folder, 'left-by-a-gate.txt'), 'x');
    const second = await world.workspace.mergeStory({ ...attempt(world, 'US-002'), commit: two });
    if (second.kind !== 'merged') throw new Error(second.kind);
    expect(second.tip).toBe(one);
    expect(world.repository.git(['status', '--porcelain'], folder)).toBe('');
    expect(readdirSync(folder).toSorted()).toEqual(['.git', 'README.md', 'a.txt', 'b.txt', 'src']);
    const format = '--format=%an %ad%n%B';
    expect(world.repository.git(['log', '-1', format, second.commit])).toBe(
      world.repository.git(['log', '-1', format, two]),
    );
    expect(world.repository.git(['rev-parse', 'feature/sums'])).toBe(one);
    expect(await world.workspace.mergeStory({ ...attempt(world, 'US-002'), commit: two })).toEqual(second);
  });

  test('an attempt that is on the branch already is not merged again', async () => {
    const world = await makeWorld();
    const commit = await mergedStory(world, 'US-001', { 'a.txt': 'a' });
    await mergedStory(world, 'US-002', { 'b.txt': 'b' });
    expect(await world.workspace.mergeStory({ ...attempt(world, 'US-001'), commit })).toEqual({
      kind: 'already-merged',
      commit,
    });
  });

  test('a conflict names the files and leaves no trace', async () => {
    const world = await makeWorld();
    const two = await committedStory(world, 'US-002', { 'README.md': 'two\n', 'ü x.txt': '2' });
    await mergedStory(world, 'US-001', { 'README.md': 'one\n', 'ü x.txt': '1' });
    const folder = path.join(world.repository.top, '.codetether-worktrees/sums/_merge');
    const trace = () => [
      world.repository.git(['for-each-ref']),
      world.repository.git(['rev-parse', 'HEAD'], folder),
      world.repository.git(['status', '--porcelain'], folder),
      world.repository.git(['status', '--porcelain']),
    ];
    const before = trace();
    expect(await world.workspace.mergeStory({ ...attempt(world, 'US-002'), commit: two })).toEqual({
      kind: 'conflict',
      files: ['README.md', 'ü x.txt'],
    });
    expect(trace()).toEqual(before);
  });

  test('a commit of the user on the run branch is merged with, never lost', async () => {
    const world = await makeWorld();
    const one = await committedStory(world, 'US-001', { 'a.txt': 'a' });
    const first = await world.workspace.mergeStory({ ...attempt(world, 'US-001'), commit: one });
    if (first.kind !== 'merged') throw new Error(first.kind);
    world.repository.git(['worktree', 'add', '-q', path.join(world.repository.scratch, 'w'), 'feature/sums']);
    world.repository.write({ 'mine.txt': 'm' }, path.join(world.repository.scratch, 'w'));
    world.repository.git(['add', '-A'], path.join(world.repository.scratch, 'w'));
    world.repository.git(['commit', '-q', '-m', 'mine'], path.join(world.repository.scratch, 'w'));
    const advance = { runId: world.runId, tip: first.tip, commit: first.commit };
    expect(await world.workspace.advanceBranch(advance)).toEqual({
      kind: 'checked-out',
      path: path.join(world.repository.scratch, 'w'),
    });
    world.repository.git(['worktree', 'remove', path.join(world.repository.scratch, 'w')]);
    expect(await world.workspace.advanceBranch(advance)).toEqual({ kind: 'moved' });
    const again = await world.workspace.mergeStory({ ...attempt(world, 'US-001'), commit: one });
    if (again.kind !== 'merged') throw new Error(again.kind);
    const second = { runId: world.runId, tip: again.tip, commit: again.commit };
    expect(await world.workspace.advanceBranch(second)).toEqual({ kind: 'advanced' });
    expect(await world.workspace.advanceBranch(second)).toEqual({ kind: 'advanced' });
    expect(world.repository.git(['ls-tree', '--name-only', 'feature/sums'])).toBe('README.md\na.txt\nmine.txt\nsrc');
  });

  test('a branch that is checked out, or being rebased, is not moved', async () => {
    const world = await makeWorld();
    const one = await committedStory(world, 'US-001', { 'a.txt': 'a' });
    const advance = { runId: world.runId, tip: world.store.run.base ?? '', commit: one };
    world.repository.git(['checkout', '-q', 'feature/sums']);
    expect(await world.workspace.advanceBranch(advance)).toEqual({ kind: 'checked-out', path: world.repository.top });
    world.repository.git(['commit', '-q', '--allow-empty', '-m', 'x']);
    try {
      execFileSync('git', ['rebase', '-q', '-x', 'false', 'main'], { cwd: world.repository.top, stdio: 'ignore' });
    } catch {
      // The rebase stops in the middle, as wanted.
    }
    expect(await world.workspace.advanceBranch(advance)).toEqual({ kind: 'checked-out', path: world.repository.top });
    expect(world.repository.git(['rev-parse', 'refs/heads/feature/sums'])).not.toBe(one);
  });

  test('a run branch that was deleted is said to be gone, with the way to put it back', async () => {
    const world = await makeWorld();
    const commit = await committedStory(world, 'US-001', { 'a.txt': 'a' });
    world.repository.git(['branch', '-q', '-D', 'feature/sums']);
    await expect(world.workspace.mergeStory({ ...attempt(world, 'US-001'), commit })).rejects.toMatchObject({
      code: 'workspace-failed',
      next: `Put it back: git branch feature/sums ${world.store.run.base}`,
    });
  });

  test('of two processes that move the branch at the same time one wins and the other is told', async () => {
    const world = await makeWorld();
    const one = await committedStory(world, 'US-001', { 'a.txt': 'a' });
    const two = await committedStory(world, 'US-002', { 'b.txt': 'b' });
    const other = newActivities(world.repository, world.store);
    const from = { runId: world.runId, tip: world.store.run.base ?? '' };
    const results = await Promise.all([
      world.workspace.advanceBranch({ ...from, commit: one }),
      other.advanceBranch({ ...from, commit: two }),
    ]);
    expect(results.map((result) => result.kind).toSorted()).toEqual(['advanced', 'moved']);
  });

  test('a lock that a killed git left behind is removed', async () => {
    const world = await makeWorld();
    const one = await committedStory(world, 'US-001', { 'a.txt': 'a' });
    writeFileSync(path.join(world.repository.top, '.git/refs/heads/feature/sums.lock'), '');
    const advance = { runId: world.runId, tip: world.store.run.base ?? '', commit: one };
    expect(await world.workspace.advanceBranch(advance)).toEqual({ kind: 'advanced' });
  });
});

describe('tidying up', () => {
  test('nothing is left of a run that passed', async () => {
    const world = await makeWorld();
    await mergedStory(world, 'US-001', { 'a.txt': 'a' });
    const merged = await mergedStory(world, 'US-002', { 'b.txt': 'b' });
    for (const id of ['US-001', 'US-002']) {
      await world.workspace.removeWorkspace(attempt(world, id));
      await world.workspace.removeWorkspace(attempt(world, id));
    }
    expect(await world.workspace.closeRepository({ runId: world.runId })).toEqual({ tip: merged, commits: 2 });
    expect(await world.workspace.closeRepository({ runId: world.runId })).toEqual({ tip: merged, commits: 2 });
    expect(existsSync(path.join(world.repository.top, '.codetether-worktrees'))).toBe(false);
    expect(world.repository.git(['for-each-ref', '--format=%(refname)'])).toBe(
      'refs/heads/feature/sums\nrefs/heads/main',
    );
    expect(world.repository.git(['worktree', 'list', '--porcelain']).match(/^worktree /gm)).toHaveLength(1);
    expect(world.store.workspaces.size).toBe(0);
  });

  test('the worktree of a failed story is kept', async () => {
    const world = await makeWorld();
    await mergedStory(world, 'US-001', { 'a.txt': 'a' });
    await world.workspace.removeWorkspace(attempt(world, 'US-001'));
    const failed = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-002'), start: tip });
    await world.workspace.closeRepository({ runId: world.runId });
    expect(readdirSync(path.dirname(failed.path))).toEqual(['us-002']);
  });

  test('links in a worktree are removed, not followed', async () => {
    const world = await makeWorld();
    const { path: folder } = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    writeFileSync(path.join(world.repository.scratch, 'precious'), 'p');
    symlinkSync(world.repository.scratch, path.join(folder, 'link'));
    await world.workspace.removeWorkspace(attempt(world, 'US-001'));
    expect(existsSync(folder)).toBe(false);
    expect(existsSync(path.join(world.repository.scratch, 'precious'))).toBe(true);
  });
});
