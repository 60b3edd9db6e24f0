import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  attempt,
  committedStory,
  makeWorld,
  mergedStory,
  newActivities,
  removeRepositories,
  tip,
} from '../support/workspace-world.ts';

afterEach(removeRepositories);

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
      files: ['a.txt', 'src/add.js'],
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
    expect(await world.workspace.commitStory(attempt(world, 'US-001'))).toMatchObject({
      kind: 'nothing-changed',
      isAllowed: false,
    });
    world.repository.write({ 'README.md': 'x' }, folder);
    world.repository.git(['commit', '-q', '-a', '-m', 'x'], folder);
    world.repository.write({ 'README.md': '# sums\n' }, folder);
    expect(await world.workspace.commitStory(attempt(world, 'US-001'))).toMatchObject({
      kind: 'nothing-changed',
      isAllowed: false,
    });
  });

  test('prd.json and progress.txt stay as they are in the base', async () => {
    const world = await makeWorld({ files: { 'prd.json': '{}\n' } });
    const { path: folder } = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    world.repository.write({ 'prd.json': '{"passes":true}\n', 'progress.txt': 'done!' }, folder);
    expect(await world.workspace.commitStory(attempt(world, 'US-001'))).toMatchObject({
      kind: 'nothing-changed',
      isAllowed: false,
    });
    world.repository.write({ 'a.txt': 'a' }, folder);
    const result = await world.workspace.commitStory(attempt(world, 'US-001'));
    expect(result).toMatchObject({ kind: 'committed', filesChanged: 1 });
    expect(world.repository.git(['show', 'codetether/sums/us-001:prd.json'])).toBe('{}');
  });

  test('a tree with conflict markers is not committed, unless they were there before or are only spoken of', async () => {
    const block = '<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n';
    const world = await makeWorld({ files: { 'old.md': `old\n${block}` } });
    const { path: folder } = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    const inline = 'Title\n=======\n\nA `<<<<<<< ours` marks a conflict, `>>>>>>> theirs` ends it.\n  <<<<<<< x\n';
    world.repository.write(
      { 'doc.md': inline, 'old.md': `older\n${block}`, 'src/ü x.js': `let a = 1;  \n${block}` },
      folder,
    );
    const refused = await world.workspace.commitStory(attempt(world, 'US-001'));
    expect(refused).toEqual({ kind: 'conflict-markers', file: 'src/ü x.js', line: 2 });
    expect(world.repository.git(['rev-parse', 'codetether/sums/us-001'])).toBe(world.store.run.base);
    world.repository.write({ 'src/ü x.js': 'let a = 1;\n' }, folder);
    expect(await world.workspace.commitStory(attempt(world, 'US-001'))).toMatchObject({
      kind: 'committed',
      files: ['doc.md', 'old.md', 'src/ü x.js'],
    });
  });

  test('what running the code leaves behind is not committed, unless the repository tracks it', async () => {
    const world = await makeWorld({ files: { 'vendor/__pycache__/kept.pyc': '1' } });
    const { path: folder } = await world.workspace.prepareWorkspace({ ...attempt(world, 'US-001'), start: tip });
    world.repository.write(
      {
        'lib/x.py': 'x = 1\n',
        'lib/__pycache__/x.pyc': 'p',
        'node_modules/a/b.js': 'b',
        'vendor/__pycache__/kept.pyc': '2',
      },
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
    world.repository.write(
      { 'app/.gitignore': 'dist\n', 'app/a.js': 'a', 'app/dist/a.js': 'a', 'empty/b.js': 'b' },
      folder,
    );
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
