import { CodetetherError, asCodetetherError } from '../../domain/errors.ts';
import type { Git } from './run-git.ts';

/** @throws `usage` when no branch is checked out */
export async function currentBranch(git: Git): Promise<string> {
  const { exitCode, stdout } = await git(['symbolic-ref', '--quiet', '--short', 'HEAD'], { accept: [1] });
  if (exitCode === 0) return stdout.trim();
  throw new CodetetherError('usage', 'no branch is checked out here', { next: 'Name one: --head BRANCH' });
}

/** Where a branch is pushed to: its own remote, else `origin`, else the only one. @throws `remote-not-github` */
export async function remoteOf(git: Git, branch: string): Promise<string> {
  const remotes = (await git(['remote'])).stdout.split('\n').filter((name) => name !== '');
  for (const key of [`branch.${branch}.pushRemote`, 'remote.pushDefault', `branch.${branch}.remote`]) {
    const name = (await git(['config', '--get', key], { accept: [1] })).stdout.trim();
    if (remotes.includes(name)) return name;
  }
  const [only, ...others] = remotes;
  if (remotes.includes('origin')) return 'origin';
  if (only !== undefined && others.length === 0) return only;
  throw new CodetetherError(
    'remote-not-github',
    only === undefined ? 'the repository has no remote' : `it is not said which remote ${branch} belongs to`,
    { next: 'Name it as origin: git remote add origin git@github.com:OWNER/NAME.git' },
  );
}

/** As git uses them, rewritten and as they were set. */
export async function remoteUrls(git: Git, remote: string): Promise<readonly string[]> {
  const [used, set] = await Promise.all([
    git(['remote', 'get-url', remote]),
    git(['config', '--get', `remote.${remote}.url`], { accept: [1] }),
  ]);
  return [used.stdout.trim(), set.stdout.trim()];
}

/**
 * The commit of a branch, which the remote has too. A branch that is not here counts as the remote has it.
 * @throws `head-not-pushed` with the command that pushes or fetches it, `remote-unavailable`, `usage` for a branch that is nowhere
 */
export async function requirePushed(
  git: Git,
  { branch, remote }: { readonly branch: string; readonly remote: string },
): Promise<string> {
  const ref = `refs/heads/${branch}`;
  const local = await git(['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`], {
    accept: [1, 128],
  });
  const answer = await git(['ls-remote', '--heads', '--', remote, ref]).catch((error: unknown) => {
    throw new CodetetherError(
      'remote-unavailable',
      `the remote ${remote} does not answer: ${asCodetetherError(error).message}`,
    );
  });
  const pushed = answer.stdout
    .split('\n')
    .map((line) => line.split('\t'))
    .find(([, name]) => name === ref)?.[0];
  const here = local.exitCode === 0 ? local.stdout.trim() : undefined;
  const quoted = /^[\w./-]+$/.test(branch) ? branch : `'${branch.replaceAll("'", String.raw`'\''`)}'`;
  if (pushed === undefined) {
    if (here === undefined)
      throw new CodetetherError('usage', `there is no branch ${branch}, neither here nor at ${remote}`);
    throw new CodetetherError('head-not-pushed', `${branch} is not at ${remote}`, {
      next: `Push it: git push -u ${remote} ${quoted}`,
    });
  }
  if (here === undefined || here === pushed) return pushed;
  const isWithin = async (one: string, other: string) =>
    (await git(['merge-base', '--is-ancestor', one, other], { accept: [1, 128] })).exitCode === 0;
  if (await isWithin(pushed, here))
    throw new CodetetherError('head-not-pushed', `${branch} has commits that ${remote} does not have`, {
      next: `Push them: git push ${remote} ${quoted}`,
    });
  const isBehind = await isWithin(here, pushed);
  throw new CodetetherError(
    'head-not-pushed',
    isBehind
      ? `${remote} has commits of ${branch} that are not here`
      : `${branch} is not the same here and at ${remote}`,
    {
      next: isBehind
        ? `Get them, with ${branch} checked out: git pull --ff-only ${remote} ${quoted}`
        : `Look at both: git fetch ${remote} && git log --oneline --left-right ${quoted}...${remote}/${quoted}`,
    },
  );
}

/** The subject of a commit. */
export async function subjectOf(git: Git, commit: string): Promise<string | undefined> {
  const { exitCode, stdout } = await git(['log', '-1', '--format=%s', commit], { accept: [128] });
  return exitCode === 0 && stdout.trim() !== '' ? stdout.trim() : undefined;
}
