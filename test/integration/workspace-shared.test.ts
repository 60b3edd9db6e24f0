import { existsSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withHostRuns } from '../../activities/hosts/host-runs.ts';
import { createCheckpoint } from '../../activities/workspace/checkpoint.ts';
import { createHousekeepingActivities } from '../../activities/workspace/clean-up.ts';
import { createWorkspaceActivities } from '../../activities/workspace/create-workspace-activities.ts';
import { createRepositories } from '../../activities/workspace/repository.ts';
import type { Git } from '../../activities/workspace/git.ts';
import type { Lease } from '../../domain/contracts/activities.ts';
import type { RunStore, WorkspaceRecord } from '../../domain/contracts/store.ts';
import { bareEnvironment, memoryStore } from '../support/repository.ts';
import type { MemoryStore, TestRepository } from '../support/repository.ts';
import { removeRepositories, repositoryForTest } from '../support/workspace-world.ts';

const storyId = 'US-001';
const branch = 'feature/sums';
const start = { kind: 'keep' } as const;

let repository: TestRepository;
let remote: string;
let store: MemoryStore;
let runId: string;
let leases: number;

interface Host {
  readonly git: Git;
  readonly workspace: ReturnType<typeof createWorkspaceActivities>;
  readonly housekeeping: ReturnType<typeof createHousekeepingActivities>;
  readonly repositories: string;
}

/** A host with a data dir of its own; its activities run under the newest lease of the story. */
function host(hostId: string): Host {
  const dataDir = path.join(repository.scratch, hostId);
  const processes = { env: bareEnvironment(repository.scratch), processDir: path.join(dataDir, 'processes') };
  const repositories = createRepositories(processes);
  const { git } = repositories;
  const runs: MemoryStore & Pick<RunStore, 'listRuns'> = { ...store, listRuns: async () => [store.run] };
  const hostStore = withHostRuns(runs, { git, hostId, dataDir });
  const heldLease = (): Lease => ({ leaseId: `${runId}:${storyId}`, hostId, number: leases });
  const workspace = createWorkspaceActivities({ store: hostStore, hostId, repositories, heldLease });
  const housekeeping = createHousekeepingActivities({
    hostId,
    repositories,
    store: {
      ...hostStore,
      getRun: (id) => hostStore.getRun(id),
      listRuns: (options) => hostStore.listRuns(options),
      listWorkspaces: async () => [...store.workspaces.values()].filter((each) => each.hostId === hostId),
      exclusively: async (_, work) => await work(),
    },
  });
  return { git, workspace, housekeeping, repositories: path.join(dataDir, 'repositories') };
}

const attempt = (number = 1) => ({ runId, storyId, attempt: number });
const row = (): WorkspaceRecord => {
  const found = store.workspaces.get(`${runId}:${storyId}`);
  if (found === undefined) throw new Error('there is no workspace');
  return found;
};
const remoteRefs = () => repository.git(['for-each-ref', '--format=%(refname)'], remote).split('\n').filter(Boolean);

/** As the tools do after a call that changes something. */
async function checkpoint({ git }: Host, of = row()): Promise<string> {
  const made = await createCheckpoint(git, of);
  store.workspaces.set(of.workspaceId, { ...row(), checkpoint: made });
  return made;
}

async function opened(at: Host): Promise<void> {
  const { base } = await at.workspace.openRepository({ runId });
  store.run = { ...store.run, base };
}

beforeEach(() => {
  repository = repositoryForTest();
  remote = path.join(repository.scratch, 'shared.git');
  repository.git(['init', '--quiet', '--bare', remote]);
  store = memoryStore({ repoPath: repository.top, stories: [{ id: storyId }, { id: 'US-002' }] });
  store.run = { ...store.run, options: { ...store.run.options, remote } };
  ({ runId } = store.run);
  leases = 1;
});
afterEach(removeRepositories);

test('the run branch is made in the shared remote, the local one follows it, and other hosts get a clone', async () => {
  const [home, away] = [host('host-1'), host('host-2')];
  await opened(home);
  const tip = repository.git(['rev-parse', 'main']);
  expect(repository.git(['rev-parse', branch], remote)).toBe(tip);
  expect(repository.git(['rev-parse', branch])).toBe(tip);
  const prepared = await away.workspace.prepareWorkspace({ ...attempt(), start });
  expect(prepared.path.startsWith(away.repositories)).toBe(true);
  expect(existsSync(path.join(prepared.path, 'src/add.js'))).toBe(true);
  expect(existsSync(path.join(repository.top, '.codetether-worktrees'))).toBe(false);
});

test('a workspace is taken over from its checkpoint, with what the agent committed itself, and the agent is told once', async () => {
  const [home, away] = [host('host-1'), host('host-2')];
  await opened(home);
  const before = await home.workspace.prepareWorkspace({ ...attempt(), start });
  store.transcript.push({ key: `${runId}:${storyId}:1:story`, kind: 'user', body: { text: 'Implement it.' } });
  repository.write({ 'a.txt': 'own' }, before.path);
  repository.git(['add', '-A'], before.path);
  repository.git(['commit', '-q', '-m', 'the agent itself'], before.path);
  repository.write({ 'a.txt': 'changed', 'new/b.txt': 'b', 'README.md': null }, before.path);
  await checkpoint(home);
  repository.write({ 'lost.txt': 'after the last checkpoint' }, before.path);
  const own = repository.git(['rev-parse', 'HEAD'], before.path);

  leases = 2;
  const taken = await away.workspace.takeOverWorkspace(attempt());
  if (taken.kind !== 'taken-over') throw new Error('nothing was taken over');
  expect(taken.path).not.toBe(before.path);
  expect(readFileSync(path.join(taken.path, 'a.txt'), 'utf8')).toBe('changed');
  expect(repository.git(['status', '--porcelain'], taken.path).split('\n')).toEqual([
    'D README.md',
    ' M a.txt',
    '?? new/',
  ]);
  expect(repository.git(['rev-parse', 'HEAD'], taken.path)).toBe(own);
  expect(row()).toMatchObject({ hostId: 'host-2', path: taken.path, lease: 2, attempt: 1 });
  repository.write({ 'c.txt': 'here' }, taken.path);
  expect(await away.workspace.takeOverWorkspace(attempt()), 'twice').toEqual(taken);
  expect(existsSync(path.join(taken.path, 'c.txt'))).toBe(true);
  const told = store.transcript.filter(({ key }) => key.includes(':lease:'));
  expect(told).toMatchObject([{ key: `${runId}:${storyId}:1:lease:2`, kind: 'user' }]);
  expect(JSON.stringify(told)).toContain(taken.path);
});

test('what a host writes late goes to a ref that nobody reads', async () => {
  const [home, away] = [host('host-1'), host('host-2')];
  await opened(home);
  const late = await home.workspace.prepareWorkspace({ ...attempt(), start });
  const old = row();
  leases = 2;
  await away.workspace.takeOverWorkspace(attempt());
  repository.write({ 'a.txt': 'here' }, row().path);
  const here = await checkpoint(away);
  repository.write({ 'a.txt': 'late' }, late.path);
  const there = await createCheckpoint(home.git, old);
  const refs = repository.git(['for-each-ref', '--format=%(objectname) %(refname)', 'refs/codetether'], remote);
  expect(refs).toMatch(new RegExp(`^${there} .*-1$`, 'm'));
  expect(refs).toMatch(new RegExp(`^${here} .*-2$`, 'm'));
});

test('a story of another host is merged at home; the branch moves in the shared remote, and nothing is left there but it', async () => {
  const [home, away] = [host('host-1'), host('host-2')];
  await opened(home);
  const { path: folder } = await away.workspace.prepareWorkspace({ ...attempt(), start });
  repository.write({ 'a.txt': 'a' }, folder);
  const committed = await away.workspace.commitStory(attempt());
  if (committed.kind !== 'committed') throw new Error(committed.kind);
  // Somebody pushes to the run branch meanwhile.
  const other = repository.commit({ 'other.txt': 'x' });
  repository.git(['push', '--quiet', remote, `${other}:refs/heads/${branch}`]);

  const merged = await home.workspace.mergeStory({ ...attempt(), commit: committed.commit });
  if (merged.kind !== 'merged') throw new Error(merged.kind);
  expect(merged.tip).toBe(other);
  const move = { runId, tip: merged.tip, commit: merged.commit };
  expect(await home.workspace.advanceBranch({ ...move, tip: store.run.base ?? '' }), 'a stale tip').toEqual({
    kind: 'moved',
  });
  // The merge lane may be on another host by then.
  expect(await away.workspace.advanceBranch(move)).toEqual({ kind: 'advanced' });
  expect(await home.workspace.advanceBranch(move), 'twice').toEqual({ kind: 'advanced' });
  expect(repository.git(['rev-parse', branch], remote)).toBe(merged.commit);
  expect(repository.git(['rev-parse', branch]), 'the local branch').toBe(merged.commit);
  expect(await home.workspace.mergeStory({ ...attempt(), commit: committed.commit })).toMatchObject({
    kind: 'already-merged',
  });

  await away.workspace.removeWorkspace(attempt());
  await home.workspace.closeRepository({ runId });
  expect(remoteRefs()).toEqual([`refs/heads/${branch}`]);
  expect(repository.git(['for-each-ref', '--format=%(refname)']).split('\n')).toEqual([
    `refs/heads/${branch}`,
    'refs/heads/main',
  ]);
  expect(existsSync(folder)).toBe(false);
  expect(store.workspaces.size).toBe(0);
});

test('a local run branch with commits of its own, or that is checked out, is left alone', async () => {
  const home = host('host-1');
  await opened(home);
  repository.git(['switch', '-q', branch]);
  const own = repository.commit({ 'own.txt': 'own' });
  const elsewhere = repository.git(['commit-tree', 'main^{tree}', '-p', 'main', '-m', 'elsewhere']);
  repository.git(['push', '--quiet', remote, `+${elsewhere}:refs/heads/${branch}`]);
  await home.workspace.closeRepository({ runId });
  repository.git(['switch', '-q', 'main']);
  await home.workspace.closeRepository({ runId });
  expect(repository.git(['rev-parse', branch])).toBe(own);
});

test('files that are lost with their host are begun anew', async () => {
  const [home, away] = [host('host-1'), host('host-2')];
  await opened(home);
  // A clone that is made now has none of what comes later.
  await away.workspace.takeOverWorkspace(attempt());
  await home.workspace.prepareWorkspace({ ...attempt(), start });
  repository.write({ 'a.txt': 'a' }, row().path);
  await checkpoint(home);
  for (const ref of remoteRefs().filter((name) => name.startsWith('refs/codetether')))
    repository.git(['update-ref', '-d', ref], remote);
  leases = 2;
  expect(await away.workspace.takeOverWorkspace(attempt())).toEqual({ kind: 'nothing' });
  const fresh = await away.workspace.prepareWorkspace({ ...attempt(), start });
  expect(existsSync(path.join(fresh.path, 'a.txt'))).toBe(false);
});

test('a remote that is away is waited for', async () => {
  const [home, away] = [host('host-1'), host('host-2')];
  await opened(home);
  renameSync(remote, `${remote}.away`);
  const failed = expect.objectContaining({
    code: 'remote-unavailable',
    entry: expect.objectContaining({ retryable: true }),
  });
  await expect(away.workspace.prepareWorkspace({ ...attempt(), start })).rejects.toEqual(failed);
  await expect(home.workspace.prepareWorkspace({ ...attempt(), start })).rejects.toEqual(failed);
  renameSync(`${remote}.away`, remote);
  await away.workspace.prepareWorkspace({ ...attempt(), start });
});

test('what a host that came late has kept of a run that is over is swept there', async () => {
  const [home, away] = [host('host-1'), host('host-2')];
  await opened(home);
  const late = await away.workspace.prepareWorkspace({ ...attempt(), start });
  leases = 2;
  await home.workspace.takeOverWorkspace(attempt());
  await home.workspace.removeWorkspace(attempt());
  await home.workspace.closeRepository({ runId });
  expect(existsSync(late.path)).toBe(true);
  store.run = { ...store.run, status: 'completed' };
  const { entries } = await away.housekeeping.cleanUp({ apply: true });
  expect(entries.length).toBeGreaterThan(0);
  expect(entries.map(({ state }) => state)).toEqual(entries.map(() => 'removed'));
  expect(existsSync(late.path)).toBe(false);
  expect((await away.housekeeping.cleanUp({ apply: false })).entries).toEqual([]);
});
