import { realpath, stat, statfs } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import type { z } from 'zod';
import { defaultAskTimeoutMs } from '../../domain/run/approval.ts';
import type { StartRunRequest } from '../../domain/contracts/api.ts';
import type { RalphOptions } from '../../domain/contracts/ralph.ts';
import type { RunPlan, RunRecord } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { uncheckedStories } from '../../domain/ralph/parse-prd.ts';
import { prdBranch, prdGates, type Prd, type Story } from '../../domain/ralph/prd.ts';
import { remoteProblem } from '../../domain/ralph/remote.ts';
import { ralphRunId } from '../../domain/run/ids.ts';
import { findCheckout } from '../workspace/checkouts.ts';
import type { Git } from '../workspace/git.ts';
import { remoteGit } from '../workspace/remote.ts';
import { findRepository, requireGit, type FoundRepository } from './find-repository.ts';
import { gateProblem } from './gate-commands.ts';
import { progressPath, readPrdFile } from './prd-file.ts';

export interface PreflightDeps {
  readonly hostId: string;
  /** Whose run it will be; default: the local stack's. */
  readonly tenant?: string;
  /** Throws `model-unknown`, `provider-key-missing`, `script-invalid`. */
  readonly checkModel: (model: string) => Promise<void>;
  readonly git: Git;
  /** `PATH` as gates get it. */
  readonly searchPath: string;
  /** Quota of runs that name none; absent: they have none. */
  readonly maxDiskBytes?: number;
  /** Free bytes of the file system that holds the path; default: asks the system. */
  readonly freeBytes?: (path: string) => Promise<number>;
}

type Request = z.output<typeof StartRunRequest>;

const leastFreeBytes = 200 * 1000 * 1000;
const namedFiles = 5;

/**
 * Checks everything about a run that can be checked before it starts, and says how it would be run. Changes nothing on disk
 * and nothing in the store. Throws, in this order: `prd-missing`, `prd-invalid`, `git-unusable`, `not-a-repository`,
 * `repository-empty`, `request-invalid` (the branch), `branch-checked-out`, `prd-unchecked`, `gate-command-missing`, what
 * `checkModel` throws, `repository-dirty`, `remote-unavailable`, `disk-full`.
 */
export async function preflightRalph(
  request: Request,
  deps: PreflightDeps,
): Promise<{ readonly plan: RunPlan; readonly warnings: readonly string[] }> {
  requireAbsolute('prdPath', request.prdPath);
  if (request.repoPath !== undefined) requireAbsolute('repoPath', request.repoPath);
  requireAskable(request);
  const { prd, warnings } = await readPrdFile(request.prdPath);
  const folder = request.repoPath ?? dirname(request.prdPath);
  await requireFolder(folder);
  await requireGit(deps.git, folder);
  const repository = await findRepository(deps.git, folder);
  const branch = request.branch ?? prdBranch(prd);
  await requireBranchName(deps.git, repository, { branch, isFromRequest: request.branch !== undefined });
  await requireBranchFree(deps.git, repository, branch);
  const unchecked = requireChecked(prd, request);
  await requireGateCommands(prd, repository.top, deps.searchPath);
  await deps.checkModel(request.model);
  if (request.fallbackModel !== undefined) await deps.checkModel(request.fallbackModel);
  if (request.remote !== undefined) await requireRemote(deps.git, repository, request.remote);
  const dirty = await requireClean(deps.git, repository, request);
  await requireSpace(repository.top, deps.freeBytes ?? freeBytesOf);
  return {
    plan: {
      runId: ralphRunId(repository.key, branch, deps.tenant),
      repoPath: repository.top,
      prdPath: request.prdPath,
      branch,
      hostId: deps.hostId,
      options: optionsOf(request, prd, deps),
      prd,
    },
    warnings: [...warnings, ...unchecked, ...dirty, ...otherCheckout(repository)],
  };
}

/**
 * Reads the PRD of a run that goes on, and checks it as a start would.
 * @throws `prd-missing`, `prd-invalid`, `prd-unchecked`, `gate-command-missing`
 */
export async function preflightReload(
  run: Pick<RunRecord, 'prdPath' | 'repoPath' | 'branch' | 'prd'> & { readonly stories: readonly Story[] },
  { allowUnchecked, searchPath }: { readonly allowUnchecked: boolean; readonly searchPath: string },
): Promise<{ readonly prd: Prd; readonly savedAt: Date; readonly warnings: readonly string[] }> {
  const { mtime: savedAt } = await stat(run.prdPath).catch(() => ({ mtime: new Date(0) }));
  const { prd, warnings } = await readPrdFile(run.prdPath);
  // What was accepted when the run was started is accepted again.
  const accepted = uncheckedStories({ ...run.prd, stories: [...run.stories] }).map((story) => story.id);
  const unaccepted = prd.stories.filter((story) => !accepted.includes(story.id));
  const unchecked = requireChecked({ ...prd, stories: unaccepted }, { allowUnchecked });
  await requireGateCommands(prd, run.repoPath, searchPath);
  const branch = prdBranch(prd);
  const other =
    prd.branchName === run.prd.branchName || branch === run.branch
      ? []
      : [`${branch} is the branch of another run; this one goes on with ${run.branch}`];
  return { prd, savedAt, warnings: [...warnings, ...unchecked, ...other] };
}

function optionsOf(
  request: Request,
  prd: Prd,
  { maxDiskBytes: usualDiskBytes }: Pick<PreflightDeps, 'maxDiskBytes'>,
): RalphOptions {
  const maxDiskBytes = request.maxDiskBytes ?? usualDiskBytes;
  const open = prd.stories.filter((story) => !story.passes).length;
  return {
    model: request.model,
    ...(request.fallbackModel === undefined ? {} : { fallbackModel: request.fallbackModel }),
    maxIterations: request.maxIterations ?? Math.max(10, 3 * open),
    maxAttempts: request.maxAttempts ?? 3,
    maxSteps: request.maxSteps ?? 50,
    maxConcurrent: request.maxConcurrent ?? 4,
    maxCostUsd: request.maxCostUsd ?? null,
    maxTokens: request.maxTokens ?? null,
    ...(request.maxTotalSteps === undefined ? {} : { maxTotalSteps: request.maxTotalSteps }),
    maxTimeMs: request.maxTimeMs ?? null,
    ...(maxDiskBytes === undefined ? {} : { maxDiskBytes }),
    onAsk: request.onAsk ?? 'deny',
    ...(request.askAtPercent === undefined ? {} : { askAtPercent: request.askAtPercent }),
    ...(request.askPlan === undefined ? {} : { askPlan: request.askPlan }),
    ...(request.askMerge === undefined ? {} : { askMerge: request.askMerge }),
    askTimeoutMs: request.askTimeoutMs ?? defaultAskTimeoutMs,
    ...(request.remote === undefined ? {} : { remote: request.remote }),
  };
}

function requireAbsolute(field: string, path: string): void {
  if (isAbsolute(path) && !path.includes('\0')) return;
  throw new CodetetherError('request-invalid', undefined, { problems: [`${field}: must be an absolute path`] });
}

function requireAskable({ askAtPercent, askPlan, askMerge, maxCostUsd, onAsk }: Request): void {
  const problems = [
    ...(askAtPercent !== undefined && maxCostUsd === undefined ? ['askAtPercent: needs maxCostUsd'] : []),
    ...(askPlan === true && onAsk === 'deny' ? ['askPlan: nothing would be started with onAsk deny'] : []),
    ...(askMerge === true && onAsk === 'deny' ? ['askMerge: nothing would be merged with onAsk deny'] : []),
  ];
  if (problems.length > 0) throw new CodetetherError('request-invalid', undefined, { problems });
}

async function requireFolder(folder: string): Promise<void> {
  if ((await stat(folder).catch(() => undefined))?.isDirectory() === true) return;
  throw new CodetetherError('not-a-repository', `There is no folder ${folder}.`);
}

async function requireBranchName(
  git: Git,
  { top }: FoundRepository,
  { branch, isFromRequest }: { readonly branch: string; readonly isFromRequest: boolean },
): Promise<void> {
  const refused = (reason: string) =>
    isFromRequest
      ? new CodetetherError('request-invalid', 'The run branch cannot be used.', { problems: [`branch: ${reason}`] })
      : new CodetetherError('prd-invalid', 'The run branch cannot be used.', {
          problems: [`branch_name: ${reason}`],
          next: 'Correct branch_name in the PRD, or name a branch with --branch.',
        });
  const format = await git(['check-ref-format', `refs/heads/${branch}`], { cwd: top, accept: [1] });
  if (format.exitCode !== 0 || branch.startsWith('-') || branch === 'HEAD')
    throw refused(`${JSON.stringify(branch)} is not a name that git allows for a branch`);
  const refs = await git(['for-each-ref', '--format=%(refname:lstrip=2)', 'refs/heads/'], { cwd: top });
  const inTheWay = refs.stdout
    .split('\n')
    .find((name) => name !== '' && (branch.startsWith(`${name}/`) || name.startsWith(`${branch}/`)));
  if (inTheWay !== undefined)
    throw refused(`${JSON.stringify(branch)} cannot be made beside the branch ${JSON.stringify(inTheWay)}`);
}

async function requireRemote(git: Git, { top }: FoundRepository, remote: string): Promise<void> {
  const problem = remoteProblem(remote);
  if (problem !== null) {
    throw new CodetetherError('request-invalid', 'The shared remote cannot be used.', {
      problems: [`remote: ${problem}`],
    });
  }
  // Says whether it answers and may be written to, and writes nothing.
  const probe = 'HEAD:refs/codetether/probe';
  await remoteGit(git, ['push', '--dry-run', '--quiet', '--no-verify', remote, probe], { cwd: top, remote });
}

async function requireBranchFree(git: Git, repository: FoundRepository, branch: string): Promise<void> {
  const path = await findCheckout(git, repository, `refs/heads/${branch}`);
  if (path === undefined) return;
  throw new CodetetherError('branch-checked-out', `${branch} is checked out at ${path}.`, {
    next: `Switch to another branch there (git -C ${shellQuoted(path)} switch --detach), or name another run branch with --branch.`,
    details: { branch, path },
  });
}

function shellQuoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function requireChecked(prd: Prd, request: Pick<Request, 'allowUnchecked'>): string[] {
  const ids = uncheckedStories(prd)
    .filter((story) => !story.passes)
    .map((story) => story.id);
  if (ids.length === 0) return [];
  const named = named5(ids);
  if (request.allowUnchecked) return [`nothing checks ${named}: they pass on the agent's word alone`];
  throw new CodetetherError('prd-unchecked', undefined, { problems: [`nothing checks ${named}`] });
}

async function requireGateCommands(prd: Prd, top: string, searchPath: string): Promise<void> {
  const problems: string[] = [];
  for (const gate of prdGates(prd)) {
    const command = prd.qualityChecks[gate] ?? '';
    const problem = await gateProblem({ command, folder: top, searchPath });
    if (problem !== null) problems.push(`quality_checks.${gate} (${command}): ${problem}`);
  }
  if (problems.length > 0) throw new CodetetherError('gate-command-missing', undefined, { problems });
}

/** The PRD and progress.txt change during every run, so they do not count; nor do untracked files. */
async function requireClean(git: Git, { top }: FoundRepository, request: Request): Promise<string[]> {
  const status = await git(
    ['status', '--porcelain=v1', '-z', '--untracked-files=no', '--ignore-submodules=dirty', '--no-renames'],
    { cwd: top },
  );
  const own = await Promise.all([request.prdPath, progressPath(request.prdPath)].map(realpathOrSame));
  const realTop = await realpathOrSame(top);
  const changed = status.stdout
    .split('\0')
    .filter((entry) => entry.length > 3)
    .map((entry) => entry.slice(3));
  const counted: string[] = [];
  for (const path of changed) if (!own.includes(await realpathOrSame(join(realTop, path)))) counted.push(path);
  if (counted.length === 0) return [];
  const named = named5(counted);
  if (request.allowDirty)
    return [`uncommitted changes are not part of the run, which starts from the last commit: ${named}`];
  throw new CodetetherError('repository-dirty', `${top} has uncommitted changes.`, { problems: [named] });
}

async function realpathOrSame(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

function named5(names: readonly string[]): string {
  const more = names.length - namedFiles;
  return `${names.slice(0, namedFiles).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function otherCheckout({ asked, head, top }: FoundRepository): string[] {
  if (asked === null || asked.head === head) return [];
  return [
    `the run starts from ${head.slice(0, 10)}, where the main checkout ${top} is, not from ${asked.head.slice(0, 10)} of ${asked.top}`,
  ];
}

async function requireSpace(top: string, freeBytes: (path: string) => Promise<number>): Promise<void> {
  const free = await freeBytes(top);
  if (free >= leastFreeBytes) return;
  throw new CodetetherError('disk-full', `Only ${Math.floor(free / 1e6)} MB are free for ${top}; 200 MB are needed.`, {
    next: 'Free some space, then start again.',
  });
}

async function freeBytesOf(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
