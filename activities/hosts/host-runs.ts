import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import type { RunRecord, RunStore } from '../../domain/contracts/store.ts';
import { slug } from '../../domain/run/ids.ts';
import { createQueues } from '../one-at-a-time.ts';
import type { Git } from '../workspace/git.ts';
import { remoteGit } from '../workspace/remote.ts';
import { removeFolder } from '../workspace/remove-folder.ts';

export interface HostRunsDeps {
  readonly git: Git;
  readonly hostId: string;
  readonly dataDir: string;
}

/**
 * The store with runs as they lie on this host: on a run's own host the user's checkout and PRD, on every other a clone of the
 * shared remote below the data dir, which is made when a run is read there for the first time. Throws `remote-unavailable` besides.
 */
export function withHostRuns<Store extends Pick<RunStore, 'getRun' | 'listRuns'>>(
  store: Store,
  deps: HostRunsDeps,
): Store {
  const inTurn = createQueues();
  const hostRuns: Pick<RunStore, 'getRun' | 'listRuns'> = {
    getRun: async (runId) => {
      const run = await store.getRun(runId);
      const clone = run === undefined ? undefined : cloneOf(deps, run);
      if (run === undefined || clone === undefined) return run;
      await inTurn(clone.folder, () => makeClone(deps.git, clone));
      return onHost(run, clone);
    },
    // Many at once, for housekeeping: nothing is cloned for that.
    listRuns: async (options) =>
      (await store.listRuns(options)).map((run) => {
        const clone = cloneOf(deps, run);
        return clone === undefined ? run : onHost(run, clone);
      }),
  };
  return new Proxy(store, {
    get: (target, name) => Reflect.get(name in hostRuns ? hostRuns : target, name),
  });
}

interface Clone {
  readonly remote: string;
  readonly folder: string;
}

/** Undefined where the run lies in the user's checkout. */
function cloneOf({ hostId, dataDir }: HostRunsDeps, run: RunRecord): Clone | undefined {
  const { remote } = run.options;
  if (remote === undefined || run.hostId === hostId) return undefined;
  const digits = createHash('sha256').update(remote).digest('hex').slice(0, 8);
  const name = slug(path.basename(remote.replace(/\/+$/, '')).replace(/\.git$/, ''));
  return { remote, folder: path.join(dataDir, 'repositories', `${name}-${digits}`) };
}

function onHost(run: RunRecord, { folder }: Clone): RunRecord {
  const inside = path.relative(run.repoPath, run.prdPath);
  const isInside = !inside.startsWith('..') && !path.isAbsolute(inside);
  return { ...run, repoPath: folder, prdPath: isInside ? path.join(folder, inside) : run.prdPath };
}

/** Whole or not at all: it gets its name when it is done. What a killed clone has left goes. */
async function makeClone(git: Git, { remote, folder }: Clone): Promise<void> {
  if ((await stat(path.join(folder, '.git')).catch(() => undefined)) !== undefined) return;
  const parent = path.dirname(folder);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const draft = `${path.basename(folder)}.new-`;
  for (const name of await readdir(parent)) if (name.startsWith(draft)) await removeFolder(path.join(parent, name));
  const fresh = path.join(parent, `${draft}${randomUUID()}`);
  await remoteGit(git, ['clone', '--quiet', '--no-checkout', '--no-tags', '--', remote, fresh], {
    cwd: parent,
    remote,
  });
  await rename(fresh, folder);
}
