/** What must be true after every run, however often something was killed in it. */
import { existsSync } from 'node:fs';
import { readFile, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { git } from '../support/test-stack.ts';
import type { PlanModel } from './plan-model.ts';
import { branch } from './story-plan.ts';
import type { PlannedStory } from './story-plan.ts';

interface Tree {
  readonly hash: string;
  /** As `git ls-tree` shows them. */
  readonly files: readonly string[];
}

export interface EndOfRun {
  readonly repository: string;
  readonly dataDir: string;
  readonly databaseUrl: string;
  readonly stories: readonly PlannedStory[];
  readonly model: PlanModel;
  /** What the undisturbed run ended with; undefined for that run itself. */
  readonly tree: Tree | undefined;
  /** When something that runs a model call, or that stores its answer, was killed. */
  readonly killTimes: readonly number[];
}

export interface Verdict {
  readonly tree: Tree;
  /** Model calls that were sent more than once, and those under way when something was killed. */
  readonly paidTwice: number;
  readonly inFlight: number;
  readonly violations: readonly string[];
}

export async function judge(end: EndOfRun): Promise<Verdict> {
  const violations: string[] = [...end.model.problems()];
  const tree: Tree = {
    hash: await git(end.repository, 'rev-parse', `${branch}^{tree}`),
    files: (await git(end.repository, 'ls-tree', '-r', branch)).split('\n'),
  };
  if (end.tree !== undefined && tree.hash !== end.tree.hash) {
    const wanted = new Set(end.tree.files);
    const others = tree.files.filter((file) => !wanted.has(file));
    violations.push(`the tree differs from the undisturbed run's: ${others.join(', ') || 'files are missing'}`);
  }
  violations.push(...(await commitsOf(end)), ...(await leftInRepository(end)), ...(await leftInDataDir(end)));
  violations.push(...(await processesIn(end.repository)).map((name) => `a process is left: ${name}`));
  const client = new Client({ connectionString: end.databaseUrl });
  await client.connect();
  try {
    await client.query("SELECT set_config('codetether.tenant', 'default', false)");
    const { paidTwice, inFlight } = await paid(client, end);
    if (paidTwice > inFlight)
      violations.push(`${paidTwice} model calls were paid twice, ${inFlight} were in flight at kills`);
    violations.push(...(await openRows(client)));
    return { tree, paidTwice, inFlight, violations };
  } finally {
    await client.end();
  }
}

async function commitsOf(end: EndOfRun): Promise<readonly string[]> {
  const log = await git(
    end.repository,
    'log',
    '--format=%(trailers:key=Codetether-Story,valueonly,separator=%x2C)',
    `main..${branch}`,
  );
  const commits = log.split('\n').toSorted();
  const wanted = end.stories.map(({ id }) => id).toSorted();
  return commits.join() === wanted.join() ? [] : [`not one commit a story: ${commits.join(' ')}`];
}

async function leftInRepository({ repository }: EndOfRun): Promise<readonly string[]> {
  const violations: string[] = [];
  const refs = (await git(repository, 'for-each-ref', '--format=%(refname)')).split('\n').toSorted();
  if (refs.join() !== `refs/heads/${branch},refs/heads/main`) violations.push(`refs are left: ${refs.join(' ')}`);
  const worktrees = (await git(repository, 'worktree', 'list', '--porcelain')).match(/^worktree /gm)?.length ?? 0;
  if (worktrees !== 1) violations.push(`${worktrees - 1} worktrees are left`);
  if (existsSync(join(repository, '.codetether-worktrees'))) violations.push('.codetether-worktrees is left');
  const files = await readdir(repository, { recursive: true });
  const stray = files.filter((name) => /\.lock$|\.tmp$|\.new$|~$|\.codetether-|\/tmp_(?!obj_|pack_|idx_)/.test(name));
  if (stray.length > 0) violations.push(`files are left: ${stray.slice(0, 5).join(' ')}`);
  const status = (await git(repository, 'status', '--porcelain', '--ignored')).split('\n').map((line) => line.trim());
  const strange = status.filter((line) => line !== '' && line !== 'M prd.json' && line !== '?? progress.txt');
  if (strange.length > 0) violations.push(`the checkout is not as it was: ${strange.slice(0, 5).join(', ')}`);
  const prd = JSON.parse(await readFile(join(repository, 'prd.json'), 'utf8')) as {
    readonly user_stories: readonly { readonly id: string; readonly passes: boolean }[];
  };
  const open = prd.user_stories.filter(({ passes }) => !passes).map(({ id }) => id);
  if (open.length > 0) violations.push(`prd.json has not passed: ${open.join(' ')}`);
  return violations;
}

async function leftInDataDir({ dataDir }: EndOfRun): Promise<readonly string[]> {
  const folders = ['worker/processes', 'worker/in-flight', 'worker/answers'];
  const left = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(join(dataDir, folder)).catch(() => [])).map((name) => `${folder}/${name}`),
    ),
  );
  // A worker that lives keeps its pipes for the next commands.
  const strange = left.flat().filter((name) => !name.includes('/pipe-'));
  return strange.length === 0 ? [] : [`the data dir keeps ${strange.slice(0, 5).join(' ')}`];
}

/** Processes that work in the folder. */
export async function processesIn(folder: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      if (cwd !== folder && !cwd.startsWith(`${folder}/`)) return [];
      return [`${pid} ${(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')}`];
    }),
  );
  return found.flat();
}

async function paid(client: Client, end: EndOfRun): Promise<{ readonly paidTwice: number; readonly inFlight: number }> {
  const { rows } = await client.query<{ created_at: Date; answered_at: Date | null }>(
    'SELECT created_at, answered_at FROM model_call',
  );
  const times = [...end.model.asked().values()].map((entry) => entry.times - 1);
  const inFlight = end.killTimes.map(
    (at) =>
      rows.filter(
        ({ created_at, answered_at }) =>
          created_at.getTime() <= at && (answered_at === null || answered_at.getTime() >= at),
      ).length,
  );
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  return { paidTwice: sum(times), inFlight: sum(inFlight) };
}

/** Nothing is under way any more: no reservation, no effect whose outcome is unknown. And no kill has cost an attempt. */
async function openRows(client: Client): Promise<readonly string[]> {
  const calls = await client.query<{ key: string }>("SELECT key FROM model_call WHERE status = 'reserved'");
  const effects = await client.query<{ key: string }>("SELECT key FROM effect WHERE state = 'sent'");
  const failed = await client.query<{ story_id: string; body: { readonly message: string } }>(
    "SELECT story_id, body FROM run_event WHERE kind = 'attempt-failed'",
  );
  return [
    ...failed.rows.map(({ story_id, body }) => `an attempt at ${story_id} failed: ${body.message}`),
    ...calls.rows.map(({ key }) => `the model call ${key} is still reserved`),
    ...effects.rows.map(({ key }) => `the effect ${key} is not settled`),
  ];
}
