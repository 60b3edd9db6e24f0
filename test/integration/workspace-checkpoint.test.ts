import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCheckpoint, restoreCheckpoint } from '../../activities/workspace/checkpoint.ts';
import { createWorkspaceActivities } from '../../activities/workspace/create-workspace-activities.ts';
import { createRepositories } from '../../activities/workspace/repository.ts';
import type { Git } from '../../activities/workspace/git.ts';
import type { WorkspaceRecord } from '../../domain/contracts/store.ts';
import { bareEnvironment, makeRepository, memoryStore, type TestRepository } from '../support/repository.ts';

let repository: TestRepository;
let git: Git;
let workspace: WorkspaceRecord;

beforeEach(async () => {
  repository = makeRepository({
    files: { '.gitignore': 'ignored/\n*.log\n', 'docs/a.md': 'a', 'docs/deep/b.md': 'b', 'run.sh': '#!/bin/sh\n' },
  });
  symlinkSync('README.md', path.join(repository.top, 'link'));
  chmodSync(path.join(repository.top, 'run.sh'), 0o755);
  repository.commit({}, 'link');
  const store = memoryStore({ repoPath: repository.top, stories: [{ id: 'US-001' }] });
  const processes = {
    env: bareEnvironment(repository.scratch),
    processDir: path.join(repository.scratch, 'processes'),
  };
  const repositories = createRepositories(processes);
  git = repositories.git;
  const activities = createWorkspaceActivities({ store, hostId: 'host-1', repositories });
  const runId = store.run.runId;
  await activities.openRepository({ runId });
  await activities.prepareWorkspace({ runId, storyId: 'US-001', attempt: 1, start: { kind: 'tip' } });
  const row = [...store.workspaces.values()][0];
  if (row === undefined) throw new Error('no workspace');
  workspace = row;
});

afterEach(() => {
  repository.remove();
});

const at = (...parts: string[]): string => path.join(workspace.path, ...parts);

/** Every file with its kind, mode and content; folders count only by what is in them. */
function stateOf(folder: string, below = ''): Record<string, string> {
  const state: Record<string, string> = {};
  for (const entry of readdirSync(path.join(folder, below), { withFileTypes: true })) {
    const name = path.join(below, entry.name);
    const file = path.join(folder, name);
    if (name === '.git') continue;
    if (entry.isDirectory()) Object.assign(state, stateOf(folder, name));
    else if (entry.isSymbolicLink()) state[name] = `link:${readlinkSync(file)}`;
    else state[name] = `${(lstatSync(file).mode & 0o100) !== 0 ? 'program' : 'file'}:${readFileSync(file, 'latin1')}`;
  }
  return state;
}

type Action =
  | { readonly kind: 'write'; readonly file: string; readonly content: string }
  | { readonly kind: 'remove'; readonly file: string }
  | { readonly kind: 'toggle-program'; readonly file: string }
  | { readonly kind: 'rename'; readonly file: string; readonly to: string }
  | { readonly kind: 'link'; readonly file: string; readonly target: string }
  | { readonly kind: 'git'; readonly args: readonly string[] };

// Files that are folders in other paths on purpose: a file in a folder's place and the other way round.
const someFile = fc.constantFrom(
  'README.md',
  'src/add.js',
  'src',
  'docs/a.md',
  'docs/deep/b.md',
  'docs/deep',
  'docs',
  'run.sh',
  'link',
  'new.txt',
  'new/x.txt',
  'new/y/z.txt',
  'ü ö.txt',
  'a b/c d.txt',
  '-dash',
  '[x]*.txt',
);
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('write' as const), file: someFile, content: fc.string({ maxLength: 5 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), file: someFile }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('toggle-program' as const), file: someFile }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rename' as const), file: someFile, to: someFile }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('link' as const),
      file: someFile,
      target: fc.constantFrom('README.md', 'nowhere', '.'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('git' as const),
      args: fc.constantFrom(
        ['add', '-A'],
        ['commit', '-q', '-a', '--allow-empty', '-m', 'agent'],
        ['checkout', '-q', '--detach'],
        ['reset', '-q', '--hard'],
      ),
    }),
  },
);

function act(step: Action): void {
  try {
    if (step.kind === 'git') {
      repository.git(step.args, workspace.path);
      return;
    }
    const file = at(step.file);
    if (step.kind === 'remove') rmSync(file, { recursive: true, force: true });
    else if (step.kind === 'toggle-program') chmodSync(file, (lstatSync(file).mode & 0o777) ^ 0o111);
    else if (step.kind === 'rename') {
      mkdirSync(path.dirname(at(step.to)), { recursive: true });
      renameSync(file, at(step.to));
    } else {
      if (existsSync(file) && lstatSync(file).isDirectory()) rmSync(file, { recursive: true });
      mkdirSync(path.dirname(file), { recursive: true });
      if (step.kind === 'write') writeFileSync(file, step.content);
      else if (step.kind === 'link') {
        rmSync(file, { force: true });
        symlinkSync(step.target, file);
      }
    }
  } catch {
    // Not possible in the state that the worktree is in; the next step is.
  }
}

describe('a checkpoint', () => {
  test('brings back exactly what was there, whatever happened before and after it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { maxLength: 8 }),
        fc.array(action, { maxLength: 8 }),
        async (before, after) => {
          for (const step of before) act(step);
          const checkpoint = await createCheckpoint(git, workspace);
          workspace = { ...workspace, checkpoint };
          const state = stateOf(workspace.path);
          for (const step of after) act(step);
          await restoreCheckpoint(git, workspace);
          expect(stateOf(workspace.path)).toEqual(state);
          expect(await createCheckpoint(git, workspace)).toBe(checkpoint);
          expect(repository.git(['symbolic-ref', 'HEAD'], workspace.path)).toBe('refs/heads/codetether/sums/us-001');
          expect(repository.git(['diff', '--cached', '--name-only'], workspace.path)).toBe('');
        },
      ),
      { numRuns: 40 },
    );
  });

  test('of the same files is the same commit, and one of others lies on the last', async () => {
    expect(await createCheckpoint(git, workspace)).toBe(workspace.checkpoint);
    writeFileSync(at('new.txt'), 'n');
    const first = await createCheckpoint(git, workspace);
    expect(repository.git(['rev-parse', `${first}^`])).toBe(workspace.checkpoint);
    expect(await createCheckpoint(git, { ...workspace, checkpoint: first })).toBe(first);
    expect(repository.git(['for-each-ref', '--format=%(objectname)', 'refs/codetether'])).toBe(first);
  });

  test('sees a change that leaves size and time as they were', async () => {
    writeFileSync(at('README.md'), '# sumz\n');
    const first = await createCheckpoint(git, workspace);
    writeFileSync(at('README.md'), '# sumy\n');
    const second = await createCheckpoint(git, { ...workspace, checkpoint: first });
    expect(repository.git(['show', `${second}:README.md`])).toBe('# sumy');
  });

  test('touches neither index nor branch nor the checkout around it', async () => {
    writeFileSync(at('new.txt'), 'n');
    writeFileSync(at('staged.txt'), 's');
    repository.git(['add', 'staged.txt'], workspace.path);
    const before = repository.git(['status', '--porcelain', '-b'], workspace.path);
    await createCheckpoint(git, workspace);
    expect(repository.git(['status', '--porcelain', '-b'], workspace.path)).toBe(before);
    expect(repository.git(['status', '--porcelain', '-b'])).toBe('## main');
  });

  test('leaves ignored files out and alone, also those that are ignored only since', async () => {
    repository.write({ 'ignored/cache': '1', 'x.log': '1' }, workspace.path);
    const checkpoint = await createCheckpoint(git, workspace);
    expect(checkpoint).toBe(workspace.checkpoint);
    repository.write({ 'ignored/cache': '2', '.gitignore': '*.tmp\n', 'y.tmp': '1', 'x.log': null }, workspace.path);
    await restoreCheckpoint(git, { ...workspace, checkpoint });
    expect(readFileSync(at('ignored/cache'), 'utf8')).toBe('2');
    expect(existsSync(at('y.tmp'))).toBe(false);
    expect(existsSync(at('x.log'))).toBe(false);
  });

  test('is older than the newest: its state is the one that comes back', async () => {
    writeFileSync(at('one.txt'), '1');
    const first = await createCheckpoint(git, workspace);
    writeFileSync(at('two.txt'), '2');
    rmSync(at('README.md'));
    await createCheckpoint(git, { ...workspace, checkpoint: first });
    await restoreCheckpoint(git, { ...workspace, checkpoint: first });
    expect(readdirSync(workspace.path).toSorted()).toEqual(
      ['.git', '.gitignore', 'README.md', 'docs', 'link', 'one.txt', 'run.sh', 'src'].toSorted(),
    );
  });

  test('brings HEAD back to the agent’s own commit', async () => {
    writeFileSync(at('one.txt'), '1');
    repository.git(['add', '-A'], workspace.path);
    repository.git(['commit', '-q', '-m', 'agent'], workspace.path);
    const head = repository.git(['rev-parse', 'HEAD'], workspace.path);
    const checkpoint = await createCheckpoint(git, workspace);
    repository.git(['reset', '-q', '--hard', workspace.base], workspace.path);
    await restoreCheckpoint(git, { ...workspace, checkpoint });
    expect(repository.git(['rev-parse', 'HEAD'], workspace.path)).toBe(head);
    expect(repository.git(['status', '--porcelain'], workspace.path)).toBe('');
  });

  test('brings a worktree back whose files were all deleted, .git too', async () => {
    writeFileSync(at('new.txt'), 'n');
    const checkpoint = await createCheckpoint(git, workspace);
    const state = stateOf(workspace.path);
    rmSync(workspace.path, { recursive: true });
    writeFileSync(path.join(repository.top, 'README.md'), 'the user’s own\n');
    await restoreCheckpoint(git, { ...workspace, checkpoint });
    expect(stateOf(workspace.path)).toEqual(state);
    expect(repository.git(['status', '--porcelain'])).toBe('M README.md');
  });

  test('removes the locks and the half-done rebase of a killed git', async () => {
    const gitDir = repository.git(['rev-parse', '--absolute-git-dir'], workspace.path);
    for (const name of ['index.lock', 'codetether-index.lock', 'HEAD.lock']) writeFileSync(path.join(gitDir, name), '');
    mkdirSync(path.join(gitDir, 'rebase-merge'));
    await restoreCheckpoint(git, workspace);
    expect(readdirSync(gitDir).filter((name) => /lock$|rebase/.test(name))).toEqual([]);
  });

  test('survives gc', async () => {
    writeFileSync(at('new.txt'), 'n');
    const first = await createCheckpoint(git, workspace);
    writeFileSync(at('new.txt'), 'm');
    await createCheckpoint(git, { ...workspace, checkpoint: first });
    repository.git(['gc', '-q', '--prune=now']);
    await restoreCheckpoint(git, { ...workspace, checkpoint: first });
    expect(readFileSync(at('new.txt'), 'utf8')).toBe('n');
  });

  test('holds repositories inside the workspace as plain files', async () => {
    repository.write({ 'app/a.js': 'a' }, workspace.path);
    repository.git(['init', '-q', 'app'], workspace.path);
    const first = await createCheckpoint(git, workspace);
    expect(repository.git(['show', `${first}:app/a.js`])).toBe('a');
    repository.write({ 'app/a.js': 'b', 'app/b.js': 'b' }, workspace.path);
    const second = await createCheckpoint(git, { ...workspace, checkpoint: first });
    expect(repository.git(['show', `${second}:app/a.js`])).toBe('b');
    expect(repository.git(['show', `${second}:app/b.js`])).toBe('b');
    await restoreCheckpoint(git, { ...workspace, checkpoint: first });
    expect(readFileSync(at('app/a.js'), 'utf8')).toBe('a');
    expect(existsSync(at('app/b.js'))).toBe(false);
    await restoreCheckpoint(git, workspace);
    expect(existsSync(at('app/a.js'))).toBe(false);
  });
});
