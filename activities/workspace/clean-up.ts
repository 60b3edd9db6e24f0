import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import type {
  CleanUpResult,
  CleanUpWhat,
  HousekeepingActivities,
  Leftover,
} from '../../domain/contracts/activities.ts';
import type { RunRecord, RunStore, WorkspaceRecord, WorkspaceStore } from '../../domain/contracts/store.ts';
import { asCodetetherError } from '../../domain/errors.ts';
import { isActive } from '../../domain/run/status.ts';
import { findBuildFolders } from './build-folders.ts';
import { findCheckout } from './checkouts.ts';
import { removeEmptyFolders, removeWorktree } from './create-worktree.ts';
import { checkpointRef, integrationFolder, runFolder, runName, worktreesFolder } from './names.ts';
import { removeFolder } from './remove-folder.ts';
import type { Repositories, Repository } from './repository.ts';
import { branchRef } from './run-branch.ts';

export interface HousekeepingDeps {
  readonly store: Pick<RunStore, 'getRun' | 'getStories' | 'listRuns'> &
    Pick<WorkspaceStore, 'listWorkspaces' | 'deleteWorkspace'> & {
      exclusively<T>(name: string, work: () => Promise<T>): Promise<T>;
    };
  readonly hostId: string;
  readonly repositories: Repositories;
}

const mostRuns = 1000;
/** Bounds the activity's result. */
const mostEntries = 50;
/** A rollback of a run that is over uses the integration worktree for as long as its gates take, and removes it then. */
const integrationInUseMs = 3 * 60 * 60_000;

/**
 * What runs that are over have left on this host, one repository after the other. A run is looked at under the lock that its start
 * takes, so that nothing is removed of one that begins meanwhile.
 */
export function createHousekeepingActivities(deps: HousekeepingDeps) {
  return { cleanUp: (input) => cleanUp(deps, input) } satisfies HousekeepingActivities;
}

interface Asked {
  readonly apply: boolean;
  readonly what?: CleanUpWhat;
}

async function cleanUp(deps: HousekeepingDeps, asked: Asked): Promise<CleanUpResult> {
  const runs = (await deps.store.listRuns({ limit: mostRuns })).filter(
    // A shared run may have been worked on here, in a clone.
    (run) => run.hostId === deps.hostId || run.options.remote !== undefined,
  );
  const entries: Leftover[] = [];
  for (const [repoPath, here] of Map.groupBy(runs, (run) => run.repoPath)) {
    const repository = await deps.repositories.open(repoPath).catch(() => undefined);
    // A repository that was deleted took everything with it.
    if (repository === undefined) continue;
    const all = await findPlaces(deps, repository, here);
    const places = asked.what === undefined ? all : all.filter((place) => 'folder' in place);
    for (const run of here) {
      const ofRun = places.filter((place) => place.run === runName(run.runId));
      entries.push(
        ...(await deps.store.exclusively(`start:${run.runId}`, () => tidy(deps, { repository, run, ofRun, ...asked }))),
      );
    }
    if (asked.what === 'artifacts') continue;
    const known = new Set(here.map((run) => runName(run.runId)));
    const foreign = places.filter((place) => !known.has(place.run));
    entries.push(...foreign.map((place) => ({ ...shown(place), state: 'unknown' as const })));
  }
  return { entries: entries.slice(0, mostEntries), more: Math.max(0, entries.length - mostEntries) };
}

/** A folder or a ref under the names that runs use. */
type Place = { readonly run: string } & ({ readonly folder: string } | { readonly ref: string });

async function findPlaces(
  { repositories }: HousekeepingDeps,
  repository: Repository,
  runs: readonly RunRecord[],
): Promise<readonly Place[]> {
  const top = path.join(repository.top, worktreesFolder);
  const folders: Place[] = [];
  for (const run of await readdir(top).catch(() => [])) {
    const names = await readdir(path.join(top, run)).catch(() => []);
    folders.push(...names.map((name) => ({ run, folder: path.join(top, run, name) })));
  }
  const answer = await repositories.git(
    [
      'for-each-ref',
      '--format=%(refname)',
      'refs/heads/codetether',
      'refs/heads/codetether-stories',
      'refs/codetether',
    ],
    { cwd: repository.top },
  );
  const runBranches = new Set(runs.map(branchRef));
  const refs = answer.stdout.split('\n').flatMap((ref): Place[] => {
    const run = /^refs\/(?:heads\/)?codetether(?:-stories)?\/([^/]+)\/./.exec(ref)?.[1];
    return run === undefined || runBranches.has(ref) ? [] : [{ run, ref }];
  });
  return [...folders, ...refs];
}

async function tidy(
  deps: HousekeepingDeps,
  found: {
    readonly repository: Repository;
    readonly run: RunRecord;
    readonly ofRun: readonly Place[];
  } & Asked,
): Promise<readonly Leftover[]> {
  const { repository, run, ofRun, apply, what } = found;
  const [current, stories, rows] = await Promise.all([
    deps.store.getRun(run.runId),
    deps.store.getStories(run.runId),
    deps.store.listWorkspaces({ hostId: deps.hostId, runId: run.runId }),
  ]);
  if (current === undefined || isActive(current.status)) return [];
  if (what === 'artifacts') return await tidyBuildFolders(deps, found);
  // The next execution goes on in the worktrees of the PRD's stories that have not passed.
  const open = new Set(stories.filter(({ status }) => status !== 'passed').map(({ story }) => story.id));
  const kept = rows.filter((row) => open.has(row.storyId));
  const isKept = await keeper(deps, { repository, run, kept });
  const entries: Leftover[] = [];
  for (const place of ofRun) {
    const entry = { ...shown(place), runId: run.runId };
    if (await isKept(place)) entries.push({ ...entry, state: 'kept' });
    else if (!apply) entries.push({ ...entry, state: 'left-over' });
    else entries.push({ ...entry, ...(await remove(deps, repository, place)) });
  }
  if (apply) {
    // A branch that stays needs no row: it is looked for by its name.
    for (const row of rows) if (!open.has(row.storyId)) await deps.store.deleteWorkspace(row.workspaceId);
    await removeEmptyFolders(runFolder(run), run.repoPath);
  }
  return entries;
}

/** Of all worktrees of the run, also of those that are kept: what a build wrote, a build writes again. */
async function tidyBuildFolders(
  { repositories }: HousekeepingDeps,
  { run, ofRun, apply }: { readonly run: RunRecord; readonly ofRun: readonly Place[] } & Asked,
): Promise<readonly Leftover[]> {
  const entries: Leftover[] = [];
  for (const place of ofRun) {
    if (!('folder' in place)) continue;
    // A worktree that git cannot read is left alone.
    for (const folder of await findBuildFolders(repositories.git, place.folder).catch(() => [])) {
      const entry = { runId: run.runId, path: folder, branch: null };
      if (!apply) entries.push({ ...entry, state: 'left-over' });
      else entries.push({ ...entry, ...(await removed(async () => await removeFolder(folder))) });
    }
  }
  return entries;
}

async function keeper(
  { repositories }: HousekeepingDeps,
  of: { readonly repository: Repository; readonly run: RunRecord; readonly kept: readonly WorkspaceRecord[] },
): Promise<(place: Place) => Promise<boolean>> {
  const folders = new Set(of.kept.map((row) => row.path));
  const refs = new Set(of.kept.flatMap((row) => [`refs/heads/${row.branch}`, checkpointRef(row)]));
  const integration = integrationFolder(of.run);
  return async (place) => {
    if ('ref' in place) {
      if (refs.has(place.ref)) return true;
      // Somebody looks at the branch: it stays for them. A worktree of the run's own is nobody.
      const checkout = await findCheckout(repositories.git, of.repository, place.ref);
      return checkout !== undefined && (path.dirname(checkout) !== runFolder(of.run) || folders.has(checkout));
    }
    if (place.folder !== integration) return folders.has(place.folder);
    const changed = await lstat(integration).catch(() => undefined);
    return changed !== undefined && Date.now() - changed.mtimeMs < integrationInUseMs;
  };
}

/** `removed` only once it is seen to be gone. */
async function remove(
  { repositories }: HousekeepingDeps,
  repository: Repository,
  place: Place,
): Promise<Pick<Leftover, 'state' | 'error'>> {
  return await removed(
    async () =>
      await repositories.exclusively(repository, async () => {
        if ('folder' in place) await removeWorktree(repository, place.folder);
        else await repositories.git(['update-ref', '-d', place.ref], { cwd: repository.top });
      }),
  );
}

async function removed(removal: () => Promise<void>): Promise<Pick<Leftover, 'state' | 'error'>> {
  try {
    await removal();
    return { state: 'removed' };
  } catch (error) {
    return { state: 'failed', error: asCodetetherError(error).message.slice(0, 200) };
  }
}

function shown(place: Place): Pick<Leftover, 'runId' | 'path' | 'branch'> {
  if ('folder' in place) return { runId: null, path: place.folder, branch: null };
  return { runId: null, path: null, branch: place.ref.replace(/^refs\/heads\//, '') };
}
