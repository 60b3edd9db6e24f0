/** A repository, a store and the workspace activities on them, for tests. */
import path from 'node:path';
import { createWorkspaceActivities } from '../../activities/workspace/create-workspace-activities.ts';
import { createRepositories } from '../../activities/workspace/repository.ts';
import type { AttemptRef } from '../../domain/contracts/activities.ts';
import {
  bareEnvironment,
  makeRepository,
  memoryStore,
  type Files,
  type MemoryStore,
  type TestRepository,
} from './repository.ts';

export interface World {
  readonly repository: TestRepository;
  readonly store: MemoryStore;
  readonly workspace: ReturnType<typeof createWorkspaceActivities>;
  readonly runId: string;
}

const made: TestRepository[] = [];

/** A repository that {@link removeRepositories} removes. */
export function repositoryForTest(options: Parameters<typeof makeRepository>[0] = {}): TestRepository {
  const repository = makeRepository(options);
  made.push(repository);
  return repository;
}

export function removeRepositories(): void {
  for (const repository of made.splice(0)) repository.remove();
}

/** A run whose repository is open; two stories, `US-001` and `US-002`, unless others are named. */
export async function makeWorld(
  options: {
    readonly name?: string;
    readonly files?: Files;
    readonly branch?: string;
    readonly stories?: readonly string[];
    readonly top?: (repository: TestRepository) => string;
  } = {},
): Promise<World> {
  const repository = repositoryForTest(options);
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

/** The activities as another process has them. */
export function newActivities(repository: TestRepository, store: MemoryStore): World['workspace'] {
  const processes = {
    env: bareEnvironment(repository.scratch),
    processDir: path.join(repository.scratch, 'processes'),
  };
  return createWorkspaceActivities({ store, hostId: 'host-1', repositories: createRepositories(processes) });
}

export function attempt(world: World, storyId: string, number = 1): AttemptRef {
  return { runId: world.runId, storyId, attempt: number };
}

export const tip = { kind: 'tip' } as const;

export async function committedStory(world: World, storyId: string, files: Files): Promise<string> {
  const prepared = await world.workspace.prepareWorkspace({ ...attempt(world, storyId), start: tip });
  world.repository.write(files, prepared.path);
  const result = await world.workspace.commitStory(attempt(world, storyId));
  if (result.kind !== 'committed') throw new Error('nothing was committed');
  return result.commit;
}

export async function mergedStory(world: World, storyId: string, files: Files): Promise<string> {
  const commit = await committedStory(world, storyId, files);
  const merge = await world.workspace.mergeStory({ ...attempt(world, storyId), commit });
  if (merge.kind !== 'merged') throw new Error(`not merged: ${merge.kind}`);
  const advance = { runId: world.runId, tip: merge.tip, commit: merge.commit };
  const moved = await world.workspace.advanceBranch(advance);
  if (moved.kind !== 'advanced') throw new Error(`not advanced: ${moved.kind}`);
  return merge.commit;
}
