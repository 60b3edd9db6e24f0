import { stat } from 'node:fs/promises';
import path from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';
import { createQueues } from '../one-at-a-time.ts';
import type { Environment } from '../process/environment.ts';
import type { ProcessDeps } from '../process/run-command.ts';
import { writeExcludesFile } from './exclude.ts';
import { createGit, type Git } from './git.ts';
import { commonDirOf } from './worktree.ts';

/** A repository that runs work in. */
export interface Repository {
  /** The main checkout's top folder. */
  readonly top: string;
  /** The git folder that all its worktrees share. */
  readonly commonDir: string;
  /** Author and committer for `commit-tree`, as far as the user has not configured them. */
  readonly identity: Readonly<Record<string, string>>;
}

export interface Repositories {
  readonly git: Git;
  /** Throws `not-a-repository`. */
  open(repoPath: string): Promise<Repository>;
  /** Does one thing after the other per repository: what git itself would refuse to do at the same time. */
  exclusively<T>(repository: Repository, work: () => Promise<T>): Promise<T>;
}

const rememberedMs = 60_000;

export function createRepositories(deps: ProcessDeps): Repositories {
  const git = createGit(deps);
  const known = new Map<string, { readonly repository: Repository; readonly until: number }>();
  const inTurn = createQueues();
  return {
    git,
    async open(repoPath) {
      const remembered = known.get(repoPath);
      if (
        remembered !== undefined &&
        remembered.until > Date.now() &&
        (await exists(remembered.repository.commonDir))
      ) {
        return remembered.repository;
      }
      const repository = await readRepository({ git, env: deps.env, repoPath });
      known.set(repoPath, { repository, until: Date.now() + rememberedMs });
      return repository;
    },
    exclusively: (repository, work) => inTurn(repository.commonDir, work),
  };
}

async function readRepository(input: {
  readonly git: Git;
  readonly env: Environment;
  readonly repoPath: string;
}): Promise<Repository> {
  const { git, env, repoPath } = input;
  const commonDir = await commonDirOf(repoPath);
  if (commonDir === undefined) {
    throw new CodetetherError('not-a-repository', `${repoPath} is not the top folder of a git repository.`);
  }
  const config = await git(
    ['config', '-z', '--get-regexp', '^((user|author|committer)\\.(name|email)|core\\.excludesfile)$'],
    { cwd: repoPath, accept: [1] },
  );
  const values = new Map(
    config.stdout.split('\0').flatMap((entry) => {
      const end = entry.indexOf('\n');
      return end < 0 ? [] : [[entry.slice(0, end).toLowerCase(), entry.slice(end + 1)] as const];
    }),
  );
  await writeExcludesFile(commonDir, userExcludesFile(values.get('core.excludesfile'), env));
  return { top: repoPath, commonDir, identity: fallbackIdentity(values, env) };
}

function userExcludesFile(configured: string | undefined, env: Environment): string | undefined {
  const home = env['HOME'];
  if (configured !== undefined) {
    return configured.startsWith('~/') && home !== undefined ? path.join(home, configured.slice(2)) : configured;
  }
  const configHome = env['XDG_CONFIG_HOME'] ?? (home === undefined ? undefined : path.join(home, '.config'));
  return configHome === undefined ? undefined : path.join(configHome, 'git', 'ignore');
}

function fallbackIdentity(values: ReadonlyMap<string, string>, env: Environment): Record<string, string> {
  const fallback = { name: 'codetether', email: 'codetether@localhost' };
  const identity: Record<string, string> = {};
  for (const role of ['author', 'committer'] as const) {
    for (const part of ['name', 'email'] as const) {
      const variable = `GIT_${role}_${part}`.toUpperCase();
      const configured = values.has(`${role}.${part}`) || values.has(`user.${part}`) || env[variable] !== undefined;
      if (!configured) identity[variable] = fallback[part];
    }
  }
  return identity;
}

async function exists(folder: string): Promise<boolean> {
  return (await stat(folder).catch(() => undefined)) !== undefined;
}
