import { existsSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createHousekeepingActivities } from '../../activities/workspace/clean-up.ts';
import { createRepositories } from '../../activities/workspace/repository.ts';
import { bareEnvironment } from '../support/repository.ts';
import { attempt, makeWorld, mergedStory, removeRepositories, tip } from '../support/workspace-world.ts';
import type { World } from '../support/workspace-world.ts';

afterEach(removeRepositories);

/** Of a run whose worker was lost after US-001 was merged and while US-002 was at work. */
async function abandoned(): Promise<{ world: World; folder: string; clean: ReturnType<typeof housekeeping> }> {
  const world = await makeWorld();
  const commit = await mergedStory(world, 'US-001', { 'a.txt': 'a' });
  const row = world.store.stories.get('US-001');
  if (row !== undefined) world.store.stories.set('US-001', { ...row, status: 'passed', commit });
  await world.workspace.prepareWorkspace({ ...attempt(world, 'US-002'), start: tip });
  const folder = path.join(world.repository.top, '.codetether-worktrees/sums');
  const longAgo = Date.now() / 1000 - 24 * 3600;
  utimesSync(path.join(folder, '_merge'), longAgo, longAgo);
  return { world, folder, clean: housekeeping(world) };
}

function housekeeping({ store, repository }: World) {
  return createHousekeepingActivities({
    hostId: 'host-1',
    repositories: createRepositories({
      env: bareEnvironment(repository.scratch),
      processDir: path.join(repository.scratch, 'processes'),
    }),
    store: {
      ...store,
      getRun: (runId) => store.getRun(runId),
      listRuns: async () => [store.run],
      listWorkspaces: async () => [...store.workspaces.values()],
      exclusively: async (_, work) => await work(),
    },
  });
}

test('what a run that is over has left is shown first, then removed; a story that has not passed keeps its worktree', async () => {
  const { world, folder, clean } = await abandoned();
  expect((await clean.cleanUp({ apply: true })).entries, 'the run is active').toEqual([]);
  world.store.run = { ...world.store.run, status: 'error' };
  const before = world.repository.git(['for-each-ref']);
  const preview = await clean.cleanUp({ apply: false });
  expect(preview.entries.map(({ path: at, branch, state }) => `${state} ${at ?? branch}`).toSorted()).toEqual([
    `kept ${folder}/us-002`,
    'kept codetether/sums/us-002',
    `left-over ${folder}/_merge`,
    `left-over ${folder}/us-001`,
    'left-over codetether/sums/us-001',
  ]);
  expect(world.repository.git(['for-each-ref'])).toBe(before);

  const applied = await clean.cleanUp({ apply: true });
  expect(applied.entries.filter(({ state }) => state === 'removed')).toHaveLength(3);
  expect(existsSync(path.join(folder, '_merge'))).toBe(false);
  expect(existsSync(path.join(folder, 'us-001'))).toBe(false);
  expect(existsSync(path.join(folder, 'us-002'))).toBe(true);
  expect(world.repository.git(['branch', '--list', 'codetether/*', '--format=%(refname:short)'])).toBe(
    'codetether/sums/us-002',
  );
  expect([...world.store.workspaces.keys()]).toEqual([`${world.runId}:US-002`]);
  expect((await clean.cleanUp({ apply: true })).entries.every(({ state }) => state === 'kept')).toBe(true);
});

test('what no run of this database has made is named and left alone, and so is a branch that somebody looks at', async () => {
  const { world, clean } = await abandoned();
  world.store.run = { ...world.store.run, status: 'completed' };
  const foreign = path.join(world.repository.top, '.codetether-worktrees/other/us-009');
  mkdirSync(foreign, { recursive: true });
  world.repository.git(['branch', 'codetether/sums/us-077']);
  world.repository.git(['checkout', '-q', 'codetether/sums/us-077']);
  const { entries } = await clean.cleanUp({ apply: true });
  expect(entries).toContainEqual({ runId: null, path: foreign, branch: null, state: 'unknown' });
  expect(existsSync(foreign)).toBe(true);
  expect(entries).toContainEqual({
    runId: world.runId,
    path: null,
    branch: 'codetether/sums/us-077',
    state: 'kept',
  });
});

test('only worktrees: their branches stay, and go with the next whole clean-up', async () => {
  const { world, folder, clean } = await abandoned();
  world.store.run = { ...world.store.run, status: 'error' };
  const { entries } = await clean.cleanUp({ apply: true, what: 'worktrees' });
  expect(entries.map(({ path: at, state }) => `${state} ${at}`).toSorted()).toEqual([
    `kept ${folder}/us-002`,
    `removed ${folder}/_merge`,
    `removed ${folder}/us-001`,
  ]);
  const branch = 'codetether/sums/us-001';
  expect(world.repository.git(['branch', '--list', branch])).not.toBe('');
  const rest = await clean.cleanUp({ apply: true });
  expect(rest.entries.filter(({ state }) => state === 'removed')).toMatchObject([{ branch }]);
});

test('only build folders: those that git ignores as a whole, in every worktree of a run that is over', async () => {
  const { world, folder, clean } = await abandoned();
  const [story, done] = [path.join(folder, 'us-002'), path.join(folder, 'us-001')];
  writeFileSync(path.join(story, '.gitignore'), 'dist/\nnode_modules\nbuild\n.env\n');
  mkdirSync(path.join(story, 'packages/one/dist/deep'), { recursive: true });
  for (const name of ['out', 'node_modules', 'elsewhere']) mkdirSync(path.join(story, name));
  for (const file of ['packages/one/dist/deep/a.js', 'out/mine.txt', 'node_modules/x.js', '.env', 'elsewhere/a.txt'])
    writeFileSync(path.join(story, file), 'x');
  symlinkSync(path.join(story, 'elsewhere'), path.join(story, 'build'));
  mkdirSync(path.join(world.repository.top, 'dist'));
  expect((await clean.cleanUp({ apply: true, what: 'artifacts' })).entries, 'the run is active').toEqual([]);
  world.store.run = { ...world.store.run, status: 'error' };
  const place = path.join(story, 'packages/one/dist');
  expect((await clean.cleanUp({ apply: false, what: 'artifacts' })).entries).toMatchObject([
    { path: place, state: 'left-over' },
  ]);
  expect((await clean.cleanUp({ apply: true, what: 'artifacts' })).entries).toMatchObject([
    { path: place, state: 'removed', runId: world.store.run.runId },
  ]);
  expect(existsSync(place)).toBe(false);
  for (const kept of ['out/mine.txt', 'node_modules/x.js', '.env', 'elsewhere/a.txt', 'build/a.txt'])
    expect(existsSync(path.join(story, kept)), kept).toBe(true);
  expect([existsSync(done), existsSync(path.join(world.repository.top, 'dist'))]).toEqual([true, true]);
});
