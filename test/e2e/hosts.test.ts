import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startHostWorker } from '../support/host-worker.ts';
import type { HostWorker } from '../support/host-worker.ts';
import { createTestStack, git } from '../support/test-stack.ts';
import type { RunningCli, TestStack } from '../support/test-stack.ts';
import { startPlanModel } from '../torture/plan-model.ts';
import type { PlanModel } from '../torture/plan-model.ts';
import type { PlannedStory } from '../torture/story-plan.ts';

const branch = 'feature/shared';
const storyIds = ['S-1', 'S-2', 'S-3', 'S-4', 'S-5', 'S-6'];

let folder: string;
let model: PlanModel;
let stack: TestStack;
let hosts: HostWorker[];
let run: RunningCli;

interface Event {
  readonly kind: string;
  readonly at: string;
  readonly story_id: string | null;
  readonly body: { readonly [name: string]: unknown };
}

/** Each story writes a file, then runs a command that says outside of the workspace that it has begun, and waits there for `letThemGoOn`. */
function stories(): readonly PlannedStory[] {
  return storyIds.map((id) => ({
    id,
    dependsOn: [],
    turns: [
      [{ name: 'write', args: { path: `${id}.txt`, content: 'one\n' } }],
      [
        {
          name: 'bash',
          args: {
            command: `echo ${id} >> ${join(folder, 'begun')}; until [ -e ${join(folder, 'go-on')} ]; do sleep 0.2; done; echo two >> ${id}.txt`,
          },
        },
      ],
      [{ name: 'edit', args: { path: `${id}.txt`, old_string: 'one', new_string: 'three' } }],
    ],
  }));
}

const letThemGoOn = async () => await writeFile(join(folder, 'go-on'), '');
const repository = () => join(folder, 'shared');
const remote = () => join(folder, 'shared.git');

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-hosts-')));
  hosts = [];
  model = await startPlanModel(stories(), { delayMs: 50 });
  stack = await createTestStack({
    OPENAI_COMPATIBLE_BASE_URL: `${model.url}/v1`,
    OPENAI_COMPATIBLE_API_KEY: 'sk-hosts',
  });
  const up = await stack.cli(['up']);
  expect(up.code, up.stderr).toBe(0);
  hosts = [await startHostWorker(stack), await startHostWorker(stack)];
  await mkdir(repository());
  const prd = {
    project: 'shared',
    feature: 'shared',
    branch_name: branch,
    quality_checks: { test: 'test -f prd.json' },
    user_stories: storyIds.map((id) => ({ id, title: id, description: `Write ${id}.`, acceptance_criteria: [] })),
  };
  await writeFile(join(repository(), 'prd.json'), `${JSON.stringify(prd, null, 2)}\n`);
  await git(repository(), 'init', '--quiet', '--initial-branch', 'main');
  await git(repository(), 'add', '--all');
  await git(repository(), 'commit', '--quiet', '--message', 'start');
  await git(folder, 'init', '--quiet', '--bare', remote());
  const command = [
    'ralph',
    'run',
    '--model',
    'openai-compatible/x',
    '--remote',
    '../shared.git',
    '--max-concurrent',
    '6',
  ];
  run = stack.start([...command, '--json'], { cwd: repository() });
}, 120_000);

afterEach(async () => {
  for (const host of hosts) await host.remove();
  await stack.remove();
  await model.stop();
  await rm(folder, { recursive: true, force: true });
});

async function events(): Promise<readonly Event[]> {
  const { stdout } = await stack.cli(['ralph', 'logs', 'shared', '--json']);
  return stdout
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Event);
}

async function until<T>(what: string, find: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + 90_000; Date.now() < deadline; await delay(200)) {
    const found = await find();
    if (found !== undefined) return found;
  }
  throw new Error(`there was no ${what}: ${JSON.stringify((await events()).slice(-30), null, 1)}`);
}

/** The two stories that the host has, once the commands of both have begun. */
async function begunOn(hostId: string): Promise<readonly string[]> {
  return await until('stories in their commands', async () => {
    const placed = (await events())
      .filter(({ kind, body }) => kind === 'story-placed' && body['host_id'] === hostId)
      .flatMap(({ story_id: id }) => id ?? []);
    const begun = (await readFile(join(folder, 'begun'), 'utf8').catch(() => '')).split('\n');
    const both = placed.filter((id) => begun.includes(id));
    return both.length === 2 ? both : undefined;
  });
}

/** What every run comes to, whatever host was lost. */
async function expectCompleted(): Promise<readonly Event[]> {
  const ended = await run.result;
  const all = await events();
  expect(ended.code, `${ended.stderr}\n${JSON.stringify(all.slice(-20), null, 1)}`).toBe(0);
  const log = await git(remote(), 'log', '--format=%(trailers:key=Codetether-Story,valueonly,separator=%x2C)', branch);
  expect(log.split('\n').filter(Boolean).toSorted(), 'one commit a story').toEqual(storyIds);
  for (const id of storyIds) expect(await git(remote(), 'show', `${branch}:${id}.txt`)).toBe('three\ntwo');
  expect(await git(remote(), 'for-each-ref', '--format=%(refname)'), 'refs in the shared remote').toBe(
    `refs/heads/${branch}`,
  );
  expect(model.problems()).toEqual([]);
  return all;
}

/** From the last sign of the lost host to what its story does next. */
function recoverySeconds(all: readonly Event[], lostAt: number, storyId: string): number {
  const next = all.find(
    ({ kind, at, story_id: id }) => id === storyId && Date.parse(at) > lostAt && /^(tool-|model-answered)/.test(kind),
  );
  return (Date.parse(next?.at ?? '') - lostAt) / 1_000;
}

test('a host that is gone for good with its data dir has its stories done elsewhere, from their checkpoints', async () => {
  const [victim, other] = [hosts[0], hosts[1]];
  if (victim === undefined || other === undefined) throw new Error('no hosts');
  const lost = await begunOn(victim.hostId);
  const listed = JSON.parse((await stack.cli(['hosts', '--json'])).stdout) as {
    readonly hosts: readonly { readonly host_id: string; readonly alive: boolean; readonly leases: number }[];
  };
  expect(listed.hosts).toHaveLength(3);
  expect(listed.hosts.find(({ host_id: id }) => id === victim.hostId)).toMatchObject({ alive: true, leases: 2 });
  const lostAt = Date.now();
  await victim.destroy();
  await letThemGoOn();
  const all = await expectCompleted();
  const moved = all.filter(({ kind }) => kind === 'host-lost');
  expect(moved.map(({ body }) => body['host_id'])).toEqual(moved.map(() => victim.hostId));
  expect(moved.map(({ story_id: id }) => id)).toEqual(expect.arrayContaining([...lost]));
  for (const id of lost) {
    const seconds = recoverySeconds(all, lostAt, id);
    process.stderr.write(`recovery of ${id}: ${seconds.toFixed(1)} s\n`);
    expect(seconds).toBeLessThan(45);
  }
  // The command was cut off: the model was told so, and asked for it again; what had been written before it was kept.
  const interrupted = all.filter(({ kind }) => kind === 'tool-interrupted').map(({ story_id: id }) => id ?? '');
  expect(interrupted).toEqual(expect.arrayContaining([...lost]));
  expect(moved.map(({ story_id: id }) => id)).toEqual(expect.arrayContaining(interrupted));
  expect(all.filter(({ kind }) => kind === 'attempt-failed')).toEqual([]);
  const begun = (await readFile(join(folder, 'begun'), 'utf8')).trim().split('\n');
  for (const id of storyIds) {
    const times = begun.filter((each) => each === id).length;
    if (lost.includes(id)) expect(times, id).toBe(2);
    // Its tool had begun, and its command had or had not yet.
    else if (interrupted.includes(id)) expect([1, 2], id).toContain(times);
    else expect(times, id).toBe(1);
  }
  const prd = JSON.parse(await readFile(join(repository(), 'prd.json'), 'utf8')) as {
    readonly user_stories: readonly { readonly passes: boolean }[];
  };
  expect(prd.user_stories.every(({ passes }) => passes)).toBe(true);
  expect(await git(repository(), 'rev-parse', branch), 'the local branch follows').toBe(
    await git(remote(), 'rev-parse', branch),
  );
  const clones = join(other.dataDir, 'repositories');
  for (const name of await readdir(clones))
    expect(existsSync(join(clones, name, '.codetether-worktrees')), 'worktrees are gone').toBe(false);
}, 240_000);

test('a host that stood still for longer than its lease has its story done elsewhere, and writes nothing when it comes back', async () => {
  const [late] = hosts;
  if (late === undefined) throw new Error('no host');
  const frozen = await begunOn(late.hostId);
  process.kill(late.pid, 'SIGSTOP');
  await letThemGoOn();
  await until('host that was lost', async () =>
    (await events()).find(({ kind, story_id: id }) => kind === 'host-lost' && frozen.includes(id ?? '')),
  );
  // Its command is over by now, and what it has to say of it comes while another host works on the story.
  process.kill(late.pid, 'SIGCONT');
  const all = await expectCompleted();
  const lost = all.filter(({ kind }) => kind === 'host-lost');
  expect(lost.length).toBeGreaterThan(0);
  for (const { story_id: id } of lost) {
    const placed = all.filter(({ kind, story_id: storyId }) => kind === 'story-placed' && storyId === id);
    expect(placed.map(({ body }) => body['host_id'] === late.hostId)).toEqual([true, false]);
  }
  expect(all.filter(({ kind }) => kind === 'attempt-failed')).toEqual([]);
  const { stdout } = await stack.cli(['hosts']);
  expect(stdout).toMatch(new RegExp(`^${late.hostId}\t.*\talive\t`, 'm'));
}, 240_000);

test('a run whose own host is lost with its checkout is completed by the others', async () => {
  const [other] = hosts;
  if (other === undefined) throw new Error('no host');
  await begunOn(other.hostId);
  await letThemGoOn();
  const pids = await stack.pids();
  const supervisor = pids.get('supervisor') ?? 0;
  // A supervisor that stands still starts nothing again.
  process.kill(supervisor, 'SIGSTOP');
  try {
    process.kill(pids.get('worker') ?? 0, 'SIGKILL');
    await rm(repository(), { recursive: true });
    const count = async () => Number(await git(remote(), 'rev-list', '--count', branch));
    // Each story's commit on top of the first one.
    await until('last commit', async () => ((await count()) > storyIds.length ? true : undefined));
  } finally {
    process.kill(supervisor, 'SIGCONT');
  }
  const all = await expectCompleted();
  const moved = all.filter(({ kind }) => kind === 'host-lost');
  expect(
    moved.some(({ story_id: id }) => id === null),
    'the merge lane has moved',
  ).toBe(true);
  expect(all.filter(({ kind, body }) => kind === 'warning' && /prd.json/.test(String(body['message'])))).toHaveLength(
    1,
  );
}, 240_000);
