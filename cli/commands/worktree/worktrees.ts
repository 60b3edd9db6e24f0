import { basename, relative, resolve } from 'node:path';
import { asCodetetherError, exitCodes } from '../../../domain/errors.ts';
import { shortRunId, slug } from '../../../domain/run/ids.ts';
import { isActive } from '../../../domain/run/status.ts';
import { gitIn } from '../../../services/git/run-git.ts';
import type { Git } from '../../../services/git/run-git.ts';
import {
  currentWorktree,
  inspectWorktree,
  listWorktrees,
  readBase,
  removeWorktree,
} from '../../../services/git/worktrees.ts';
import type { Worktree } from '../../../services/git/worktrees.ts';
import { hasDatabase } from '../../../services/stack/has-database.ts';
import { listTable } from '../../output/table.ts';
import type { Column } from '../../output/table.ts';
import { counted } from '../../output/text.ts';
import { ask, openContext, print, stdoutLook } from '../ralph/context.ts';
import type { Context } from '../ralph/context.ts';
import { realpath } from '../ralph/repository.ts';

export interface OpenOptions {
  readonly reuseWindow?: boolean;
}

export interface WorkspaceOptions {
  readonly dest: string;
  readonly open?: boolean;
}

export interface CleanupOptions {
  readonly base?: string;
  readonly root?: readonly string[];
  readonly apply?: boolean;
  readonly json?: boolean;
}

/** Folder of runs' worktrees, in a repository's top folder. */
const worktreesFolder = '.codetether-worktrees';

/** What people call a worktree: `due-dates/us-001` of a run's, else the last part of its path. */
export function nameOf({ path }: Worktree, primary: string): string {
  const ofRun = relative(`${primary}/${worktreesFolder}`, path);
  return ofRun.startsWith('..') ? basename(path) : ofRun;
}

export async function list({ json = false }: { readonly json?: boolean }): Promise<number> {
  const context = openContext();
  const worktrees = await listWorktrees(gitIn(context.cwd, context.environment));
  const primary = worktrees[0]?.path ?? '';
  if (json) {
    const listed = worktrees.map((worktree) => ({
      name: nameOf(worktree, primary),
      branch: worktree.branch,
      path: worktree.path,
      head: worktree.head,
      primary: worktree.isPrimary,
      locked: worktree.isLocked,
      prunable: worktree.isPrunable,
    }));
    print(context.stdout, [JSON.stringify(listed)]);
    return exitCodes.completed;
  }
  const look = stdoutLook(context);
  const column = (title: string, cell: (worktree: Worktree) => string): Column => ({
    title,
    cells: worktrees.map(cell),
  });
  const columns = [
    column('name', (worktree) => nameOf(worktree, primary)),
    column('branch', ({ branch, head }) => branch ?? head?.slice(0, 7) ?? look.signs.unknown),
    column('path', ({ path }) => path),
  ];
  print(context.stdout, listTable(columns, look, context.stdout.isTTY));
  return exitCodes.completed;
}

interface Entry {
  readonly path: string;
  readonly branch: string | null;
  readonly state:
    | 'primary'
    | 'current'
    | 'in_use'
    | 'ready'
    | 'dirty'
    | 'unmerged'
    | 'locked'
    | 'prunable'
    | 'inspection_failed'
    | 'removed'
    | 'removal_failed';
  readonly error?: string;
  /** Of `in_use`: the run or session that works there. */
  readonly run?: string;
}

export async function cleanup({
  base: wanted,
  root = [],
  apply = false,
  json = false,
}: CleanupOptions): Promise<number> {
  const context = openContext();
  const git = gitIn(context.cwd, context.environment);
  const worktrees = await listWorktrees(git);
  const base = await readBase(git, wanted);
  const current = await currentWorktree(git);
  const roots = root.map((folder) => realpath(resolve(context.cwd, folder)));
  const users = liveUsers(context, worktrees[0]?.path ?? '');
  const entries: Entry[] = [];
  for (const worktree of worktrees) {
    const { path, branch } = worktree;
    if (roots.length > 0 && !roots.some((folder) => isWithin(path, folder))) continue;
    const found = await stateOf(worktree, { base, current, context });
    const isCandidate = found.state === 'ready' || found.state === 'prunable';
    const user = isCandidate ? userOf(path, await users()) : undefined;
    const state = user === undefined ? found : { state: 'in_use' as const, run: user };
    const removes = apply && isCandidate && user === undefined;
    entries.push({ path, branch, ...(removes ? await remove(git, worktree) : state) });
  }
  if (json) print(context.stdout, [JSON.stringify({ base: base.name, applied: apply, entries })]);
  else {
    const look = stdoutLook(context);
    const column = (title: string, cell: (entry: Entry) => string): Column => ({ title, cells: entries.map(cell) });
    const columns = [
      column('state', ({ state }) => state),
      column('branch', ({ branch }) => branch ?? look.signs.unknown),
      column('path', ({ path }) => path),
      ...(entries.some(({ run, error }) => run !== undefined || error !== undefined)
        ? [column('about', ({ run, error }) => error ?? run ?? '')]
        : []),
    ];
    print(context.stdout, listTable(columns, look, context.stdout.isTTY));
    print(context.stderr, [closing(entries, apply, base.name)]);
  }
  return entries.some(({ state }) => state === 'removal_failed') ? exitCodes.error : exitCodes.completed;
}

async function stateOf(
  worktree: Worktree,
  of: {
    readonly base: Parameters<typeof inspectWorktree>[1];
    readonly current: string | undefined;
    readonly context: Context;
  },
): Promise<Pick<Entry, 'state' | 'error'>> {
  if (worktree.isPrimary) return { state: 'primary' };
  if (worktree.path === of.current) return { state: 'current' };
  if (worktree.isLocked) return { state: 'locked' };
  if (worktree.isPrunable) return { state: 'prunable' };
  return await inspectWorktree(worktree, of.base, of.context.environment);
}

async function remove(git: Git, worktree: Worktree): Promise<Pick<Entry, 'state' | 'error'>> {
  try {
    await removeWorktree(git, worktree);
    return { state: 'removed' };
  } catch (error) {
    return { state: 'removal_failed', error: asCodetetherError(error).message };
  }
}

interface User {
  readonly run: string;
  readonly folder: string;
  /** Of a run: all that is below its folder is its own. Of a session: what its folder is in. */
  readonly kind: 'run' | 'session';
}

/** Who works in worktrees of a repository now; asked for anew each time, since a run can begin meanwhile. */
function liveUsers(context: Context, primary: string): () => Promise<readonly User[]> {
  return async () => {
    if (!hasDatabase(context)) return [];
    const [{ runs }, { sessions }] = await ask(
      context,
      async (client) =>
        await Promise.all([client.listRuns({ limit: Infinity }), client.listSessions({ limit: Infinity })]),
    );
    return [
      ...runs
        .filter((run) => isActive(run.status) && run.repoPath === primary)
        .map(({ runId }) => ({
          run: runId,
          folder: `${primary}/${worktreesFolder}/${slug(shortRunId(runId))}`,
          kind: 'run' as const,
        })),
      ...sessions
        .filter((session) => isActive(session.status))
        .map(({ sessionId, folder }) => ({ run: sessionId, folder, kind: 'session' as const })),
    ];
  };
}

function userOf(path: string, users: readonly User[]): string | undefined {
  return users.find(({ kind, folder }) => (kind === 'run' ? isWithin(path, folder) : isWithin(folder, path)))?.run;
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function closing(entries: readonly Entry[], apply: boolean, base: string): string {
  const count = (state: Entry['state']) => entries.filter((entry) => entry.state === state).length;
  if (apply) {
    const failed = count('removal_failed');
    return `${counted(count('removed'), 'worktree')} removed${failed === 0 ? '' : `, ${failed} not`}; branches are kept`;
  }
  const ready = count('ready') + count('prunable');
  return ready === 0
    ? `nothing could go: no worktree is clean and in ${base}`
    : `${counted(ready, 'worktree')} could go: codetether worktree cleanup --apply`;
}
