import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { readConflict } from '../../activities/ralph/read-conflict.ts';
import { createGit } from '../../activities/workspace/git.ts';
import { bareEnvironment } from '../support/repository.ts';
import {
  attempt,
  committedStory,
  makeWorld,
  mergedStory,
  newActivities,
  removeRepositories,
  tip,
} from '../support/workspace-world.ts';
import type { World } from '../support/workspace-world.ts';

afterEach(removeRepositories);

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

describe('a conflict that is to be resolved', () => {
  test("both sides are in the story's worktree on the new tip, and what resolves them is merged", async () => {
    const world = await makeWorld();
    const two = await committedStory(world, 'US-002', { 'README.md': 'two\n', 'b.txt': 'b' });
    const tipCommit = await mergedStory(world, 'US-001', { 'README.md': 'one\n' });
    const second = attempt(world, 'US-002', 2);
    const start = { kind: 'conflict', commit: two } as const;
    const prepared = await world.workspace.prepareWorkspace({ ...second, start });
    expect(prepared.base).toBe(tipCommit);
    const text = readFileSync(path.join(prepared.path, 'README.md'), 'utf8');
    expect(text).toMatch(/^<<<<<<< .*\none\n=======\ntwo\n>>>>>>> /);
    expect(existsSync(path.join(prepared.path, 'b.txt'))).toBe(true);
    expect(await world.workspace.commitStory(second)).toEqual({ kind: 'conflict-markers', file: 'README.md', line: 1 });
    world.repository.write({ 'README.md': 'one\ntwo\n' }, prepared.path);
    const resolved = await world.workspace.commitStory(second);
    if (resolved.kind !== 'committed') throw new Error(resolved.kind);
    const merged = await world.workspace.mergeStory({ ...second, commit: resolved.commit });
    expect(merged).toEqual({ kind: 'merged', commit: resolved.commit, tip: tipCommit });
    const git = createGit({ env: bareEnvironment(world.repository.scratch), processDir: world.repository.scratch });
    const conflict = await readConflict(git, { folder: prepared.path, base: tipCommit, commit: two });
    expect(conflict?.files).toEqual(['README.md']);
    expect(conflict?.branchDiff).toContain('+one');
    expect(conflict?.storyDiff).toContain('+two');
    expect(await readConflict(git, { folder: prepared.path, base: tipCommit, commit: tipCommit })).toBeNull();
  });
});

describe('a rollback', () => {
  const rowsHave = (world: World, commits: Readonly<Record<string, string>>) => {
    for (const [storyId, commit] of Object.entries(commits)) {
      const row = world.store.stories.get(storyId);
      if (row !== undefined) world.store.stories.set(storyId, { ...row, status: 'passed', commit });
    }
  };

  test('takes the stories off the branch, newest first, and keeps what others did', async () => {
    const world = await makeWorld({ stories: ['US-001', 'US-002', 'US-003'] });
    const one = await mergedStory(world, 'US-001', { 'a.txt': 'a' });
    const two = await mergedStory(world, 'US-002', { 'a.txt': 'b', 'README.md': 'two' });
    const three = await mergedStory(world, 'US-003', { 'c.txt': 'c' });
    rowsHave(world, { 'US-001': one, 'US-002': two, 'US-003': three });
    const input = { runId: world.runId, storyIds: ['US-001', 'US-002'] };
    const reverted = await world.workspace.revertStories(input);
    if (reverted.kind !== 'reverted') throw new Error(reverted.kind);
    expect(reverted.tip).toBe(three);
    expect(reverted.reverts.map(({ storyId, reverted: commit }) => [storyId, commit])).toEqual([
      ['US-002', two],
      ['US-001', one],
    ]);
    expect(world.repository.git(['ls-tree', '--name-only', reverted.commit])).toBe('README.md\nc.txt\nsrc');
    expect(world.repository.git(['show', `${reverted.commit}:README.md`])).toBe('# sums');
    expect(world.repository.git(['log', '-1', '--format=%B', reverted.commit])).toBe(
      `revert(US-001): Title of US-001\n\nCodetether-Run: ${world.runId}\nCodetether-Story: US-001\nCodetether-Reverts: ${one}`,
    );
    const folder = path.join(world.repository.top, '.codetether-worktrees/sums/_merge');
    expect(world.repository.git(['rev-parse', 'HEAD'], folder)).toBe(reverted.commit);
    expect(world.repository.git(['rev-parse', 'feature/sums'])).toBe(three);
    await world.workspace.advanceBranch({ runId: world.runId, tip: three, commit: reverted.commit });
    // The worker died before the record: the second time finds it done.
    expect(await world.workspace.revertStories(input)).toMatchObject({
      kind: 'reverted',
      tip: reverted.commit,
      commit: reverted.commit,
    });
    expect(world.repository.git(['rev-list', '--count', 'main..feature/sums'])).toBe('5');
  });

  test('what later commits built on is not taken away from under them', async () => {
    const world = await makeWorld();
    const one = await mergedStory(world, 'US-001', { 'a.txt': 'one\n' });
    const two = await mergedStory(world, 'US-002', { 'a.txt': 'one, two\n' });
    rowsHave(world, { 'US-001': one, 'US-002': two });
    expect(await world.workspace.revertStories({ runId: world.runId, storyIds: ['US-001'] })).toEqual({
      kind: 'conflict',
      storyId: 'US-001',
      files: ['a.txt'],
    });
    rowsHave(world, { 'US-001': '1'.repeat(40) });
    expect(await world.workspace.revertStories({ runId: world.runId, storyIds: ['US-001'] })).toEqual({
      kind: 'not-on-branch',
      storyId: 'US-001',
    });
    expect(world.repository.git(['rev-parse', 'feature/sums'])).toBe(two);
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
