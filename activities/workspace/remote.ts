import { createHash } from 'node:crypto';
import type { RunRecord, WorkspaceRecord } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { Git, GitAnswer, GitCall } from './git.ts';
import { runName } from './names.ts';

/** Nothing asks a person: credentials come from git's helpers and ssh's agent. */
const unattended = { GIT_ASKPASS: '', SSH_ASKPASS: '', SSH_ASKPASS_REQUIRE: 'never' };

/** One git command that speaks to a remote. Throws `remote-unavailable` with git's message when that does not answer. */
export async function remoteGit(
  git: Git,
  args: readonly string[],
  call: GitCall & { readonly remote: string },
): Promise<GitAnswer> {
  const { remote, ...at } = call;
  const answer = await git(args, { ...at, env: { ...at.env, ...unattended }, accept: [...(at.accept ?? []), 128] });
  if (answer.exitCode !== 128) return answer;
  const message = answer.stderr.trim().slice(0, 500);
  throw new CodetetherError('remote-unavailable', `${remote} does not answer: ${message}`);
}

/** A run's refs in the shared remote, apart from those of other runs that use the same one. */
function runRefs(runId: string): string {
  const digits = createHash('sha256').update(runId).digest('hex').slice(0, 8);
  return `refs/codetether/${runName(runId)}-${digits}`;
}

/** Where a host keeps what it has fetched of them. */
function fetchedRefs(runId: string): string {
  return `refs/codetether/${runName(runId)}/remote`;
}

function storyHash(storyId: string): string {
  return createHash('sha256').update(storyId).digest('hex').slice(0, 12);
}

type Shared = Pick<WorkspaceRecord, 'runId' | 'storyId' | 'lease' | 'remote'>;

/**
 * Brings a workspace's commit to the shared remote; nothing where there is none. Each lease has a ref of its own, so that whoever comes late
 * writes where nobody reads. `done` is the story's commit, which later checkpoints do not replace.
 */
export async function publish(
  git: Git,
  at: GitCall,
  {
    workspace,
    commit,
    as,
  }: { readonly workspace: Shared; readonly commit: string; readonly as: 'checkpoint' | 'done' },
): Promise<void> {
  const { runId, storyId, lease, remote } = workspace;
  if (remote === null) return;
  const name = `${storyHash(storyId)}-${lease}${as === 'done' ? '-done' : ''}`;
  await push(git, at, { remote, specs: [`+${commit}:${runRefs(runId)}/${name}`] });
}

/** The same for a commit that was made in the merge lane: it has its own name. */
export async function publishMerge(
  git: Git,
  at: GitCall,
  { run, commit }: { readonly run: RunRecord; readonly commit: string },
): Promise<void> {
  const { remote } = run.options;
  if (remote === undefined) return;
  await push(git, at, { remote, specs: [`+${commit}:${runRefs(run.runId)}/merge-${commit.slice(0, 16)}`] });
}

/** Makes sure that commits are here, from the shared remote where there is one. False when that has not all of them. */
export async function fetchCommits(
  git: Git,
  at: GitCall,
  {
    run,
    commits,
  }: { readonly run: Pick<RunRecord, 'runId' | 'branch' | 'options'>; readonly commits: readonly string[] },
): Promise<boolean> {
  if (await hasAll(git, at, commits)) return true;
  const { remote } = run.options;
  if (remote === undefined) return false;
  const specs = [`+${runRefs(run.runId)}/*:${fetchedRefs(run.runId)}/*`];
  await remoteGit(git, [...fetch, remote, ...specs], { ...at, remote });
  return await hasAll(git, at, commits);
}

const fetch = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--force'];

async function hasAll(git: Git, at: GitCall, commits: readonly string[]): Promise<boolean> {
  for (const commit of commits) {
    const answer = await git(['cat-file', '-e', `${commit}^{commit}`], { ...at, accept: [1, 128] });
    if (answer.exitCode !== 0) return false;
  }
  return true;
}

/** The tip of a branch of the shared remote, and all that it needs here; null when the remote has no such branch. */
export async function fetchBranch(
  git: Git,
  at: GitCall,
  { remote, runId, ref }: { readonly remote: string; readonly runId: string; readonly ref: string },
): Promise<string | null> {
  const tip = await remoteCommit(git, at, { remote, ref });
  if (tip === null || (await hasAll(git, at, [tip]))) return tip;
  const fetched = `${fetchedRefs(runId)}/run-branch`;
  await remoteGit(git, [...fetch, remote, `+${ref}:${fetched}`], { ...at, remote });
  return (await git(['rev-parse', '--verify', fetched], at)).stdout.trim();
}

export async function remoteCommit(
  git: Git,
  at: GitCall,
  { remote, ref }: { readonly remote: string; readonly ref: string },
): Promise<string | null> {
  const { stdout } = await remoteGit(git, ['ls-remote', '--quiet', remote, ref], { ...at, remote });
  const line = stdout.split('\n').find((each) => each.endsWith(`\t${ref}`));
  return line?.split('\t')[0] ?? null;
}

/**
 * Moves a branch of the shared remote from `from` (null: it must not be there) to `to` by compare-and-swap; false when somebody else has moved
 * it. Twice: true, since it is there.
 */
export async function moveRemoteBranch(
  git: Git,
  at: GitCall,
  move: { readonly remote: string; readonly ref: string; readonly from: string | null; readonly to: string },
): Promise<boolean> {
  const { remote, ref, from, to } = move;
  const lease = `--force-with-lease=${ref}:${from ?? ''}`;
  try {
    await push(git, at, { remote, specs: [lease, `${to}:${ref}`] });
    return true;
  } catch (error) {
    const now = await remoteCommit(git, at, { remote, ref });
    if (now === to) return true;
    if (now !== from) return false;
    throw error;
  }
}

async function push(
  git: Git,
  at: GitCall,
  { remote, specs }: { readonly remote: string; readonly specs: readonly string[] },
): Promise<void> {
  const options = specs.filter((spec) => spec.startsWith('--'));
  const refs = specs.filter((spec) => !spec.startsWith('--'));
  await remoteGit(git, ['push', '--quiet', '--no-verify', ...options, remote, ...refs], { ...at, remote });
}

/** Removes a run's refs from the shared remote, or one story's of them. Twice: nothing is left to remove. */
export async function removeRemoteRefs(
  git: Git,
  at: GitCall,
  { remote, runId, storyId }: { readonly remote: string; readonly runId: string; readonly storyId?: string },
): Promise<void> {
  const mine = `${runRefs(runId)}/${storyId === undefined ? '' : `${storyHash(storyId)}-`}`;
  const find = async (): Promise<readonly string[]> => {
    const { stdout } = await remoteGit(git, ['ls-remote', '--quiet', remote, `${mine}*`], { ...at, remote });
    return stdout.split('\n').flatMap((line) => line.split('\t')[1] ?? []);
  };
  const refs = await find();
  if (refs.length === 0) return;
  try {
    await push(git, at, { remote, specs: refs.map((ref) => `:${ref}`) });
  } catch (error) {
    // A removal that was cut off here may go on at the remote.
    if ((await find()).length > 0) throw error;
  }
}

/** Removes what was published under one lease of a story. */
export async function removeLeaseRef(
  git: Git,
  at: GitCall,
  { remote, runId, storyId, lease }: Shared & { readonly remote: string },
): Promise<void> {
  const name = `${runRefs(runId)}/${storyHash(storyId)}-${lease}`;
  for (const ref of [name, `${name}-done`]) {
    if ((await remoteCommit(git, at, { remote, ref })) !== null) await push(git, at, { remote, specs: [`:${ref}`] });
  }
}

/** Removes what this host has fetched of a run. */
export async function removeFetchedRefs(git: Git, at: GitCall, runId: string): Promise<void> {
  const { stdout } = await git(['for-each-ref', '--format=delete %(refname)', fetchedRefs(runId)], at);
  if (stdout.trim() !== '') await git(['update-ref', '--stdin'], { ...at, input: stdout });
}
