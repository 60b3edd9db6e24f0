import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { diffSince } from '../../activities/session/diff-since.ts';
import { changesSince, ignoredAmong, readFolderState } from '../../activities/session/folder-state.ts';
import { createGit } from '../../activities/workspace/git.ts';
import type { Git } from '../../activities/workspace/git.ts';
import { bareEnvironment, makeRepository } from '../support/repository.ts';
import type { TestRepository } from '../support/repository.ts';

let repository: TestRepository;
let git: Git;
beforeEach(() => {
  repository = makeRepository({
    files: { 'a.txt': 'a\n', 'b.txt': 'b\n', 'c.txt': 'c\n', 'sub/d.txt': 'd\n', '.gitignore': '*.log\n' },
  });
  git = createGit({ env: bareEnvironment(repository.scratch), processDir: path.join(repository.scratch, 'processes') });
});
afterEach(() => repository.remove());

/** What is told of what `work` does, after `before` was done. */
async function told(
  before: () => void,
  work: () => void,
  folder = repository.top,
): Promise<readonly string[] | undefined> {
  before();
  const state = await readFolderState(git, folder);
  if (state === undefined) throw new Error('no state');
  work();
  const changes = await changesSince(git, folder, JSON.parse(JSON.stringify(state)));
  return changes?.map(({ path: file, change }) => `${change} ${file}`).toSorted();
}
const nothing = () => undefined;

test('what was added, changed and deleted since is told, and nothing else', async () => {
  const work = () =>
    repository.write({ 'a.txt': 'aa\n', 'b.txt': null, 'new/ä ö.txt': 'n\n', 'x.log': 'ignored', 'c.txt': 'c\n' });
  expect(await told(nothing, work)).toEqual(['added new/ä ö.txt', 'changed a.txt', 'deleted b.txt']);
});

test("a person's own changes of before are not the turn's, unless it changed those files further", async () => {
  const before = () =>
    repository.write({
      'a.txt': 'mine\n',
      'b.txt': null,
      'own.txt': 'mine\n',
      'gone.txt': 'mine\n',
      'c.txt': 'mine\n',
    });
  const work = () => repository.write({ 'c.txt': 'further\n', 'gone.txt': null, 'b.txt': 'b again\n' });
  expect(await told(before, work)).toEqual(['added b.txt', 'changed c.txt', 'deleted gone.txt']);
});

test('what was put back as it was in the commit is told when it was not so before', async () => {
  const before = () => repository.write({ 'a.txt': 'mine\n' });
  expect(await told(before, () => repository.git(['checkout', 'a.txt']))).toEqual(['changed a.txt']);
  expect(await told(nothing, () => repository.write({ 'b.txt': 'b\n' }))).toEqual([]);
});

test('a commit in between changes nothing of what is told', async () => {
  const before = () => repository.write({ 'a.txt': 'mine\n', 'own.txt': 'mine\n' });
  const work = () => {
    repository.write({ 'b.txt': 'bb\n', 'new.txt': 'n\n', 'sub/d.txt': null });
    repository.git(['add', '-A']);
    repository.git(['commit', '-q', '-m', 'all of it']);
    repository.write({ 'c.txt': 'cc\n', 'late.txt': 'l\n' });
  };
  expect(await told(before, work)).toEqual([
    'added late.txt',
    'added new.txt',
    'changed b.txt',
    'changed c.txt',
    'deleted sub/d.txt',
  ]);
});

test('staged or not is all the same', async () => {
  const work = () => {
    repository.write({ 'a.txt': 'aa\n', 'new.txt': 'n\n', 'never.txt': 'x\n', 'b.txt': null });
    repository.git(['add', '-A']);
    repository.write({ 'never.txt': null });
  };
  expect(await told(nothing, work)).toEqual(['added new.txt', 'changed a.txt', 'deleted b.txt']);
});

test('paths are relative to the folder, also of files above it', async () => {
  const folder = path.join(repository.top, 'sub');
  const work = () => repository.write({ 'sub/d.txt': 'dd\n', 'a.txt': 'aa\n' });
  expect(await told(nothing, work, folder)).toEqual(['changed ../a.txt', 'changed d.txt']);
});

test('a repository without a commit has files all the same', async () => {
  const fresh = path.join(repository.scratch, 'fresh');
  repository.write({ 'own.txt': 'mine\n' }, fresh);
  repository.git(['init', '-q', '-b', 'main', fresh]);
  const work = () => repository.write({ 'new.txt': 'n\n' }, fresh);
  expect(await told(nothing, work, fresh)).toEqual(['added new.txt']);
  const commit = () => {
    repository.write({ 'own.txt': 'mine, further\n' }, fresh);
    repository.git(['add', '-A'], fresh);
    repository.git(['commit', '-q', '-m', 'first'], fresh);
  };
  expect(await told(nothing, commit, fresh)).toEqual(['changed own.txt']);
});

test('a conflict is a change', async () => {
  repository.git(['checkout', '-q', '-b', 'side']);
  repository.commit({ 'a.txt': 'side\n' });
  repository.git(['checkout', '-q', 'main']);
  repository.commit({ 'a.txt': 'main\n' });
  const work = () => expect(() => repository.git(['merge', 'side'])).toThrow();
  expect(await told(nothing, work)).toEqual(['changed a.txt']);
});

test('a folder in no repository, and one with thousands of files that are not committed, cannot be told of', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'codetether-plain-'));
  expect(await readFolderState(git, folder)).toBeUndefined();
  rmSync(folder, { recursive: true });
  const many = Object.fromEntries(Array.from({ length: 5_001 }, (_, index) => [`many/${index}.txt`, '']));
  repository.write(many);
  expect(await readFolderState(git, repository.top)).toBeUndefined();
});

test('what git ignores is known', async () => {
  expect(await ignoredAmong(git, repository.top, ['a.txt', 'x.log', 'sub/y.log'])).toEqual(
    new Set(['x.log', 'sub/y.log']),
  );
});

test('looking leaves no lock and no index behind', async () => {
  await readFolderState(git, repository.top);
  expect(existsSync(path.join(repository.top, '.git/index.lock'))).toBe(false);
});

test("the changes are told as a patch, without a person's own of before, and the index is as it was", async () => {
  repository.write({ 'c.txt': 'mine\n' });
  const state = await readFolderState(git, repository.top);
  if (state === undefined) throw new Error('no state');
  repository.write({
    'a.txt': 'aa\n',
    'b.txt': null,
    'new.txt': 'n\n',
    'c.txt': 'further\n',
    'big.txt': 'x'.repeat(300_000),
  });
  const changes = (await changesSince(git, repository.top, state)) ?? [];
  const index = repository.git(['ls-files', '--stage']);
  const diff = await diffSince(git, repository.top, state, changes);
  expect(diff).toContain('-a\n+aa\n');
  expect(diff).toContain('+++ b/new.txt\n@@ -0,0 +1 @@\n+n\n');
  expect(diff).toContain('deleted file mode 100644');
  expect(diff).not.toMatch(/c\.txt|big\.txt/);
  expect(repository.git(['ls-files', '--stage'])).toEqual(index);
  expect(await diffSince(git, repository.top, state, [])).toBe('');
});
