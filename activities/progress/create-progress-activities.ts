import type { AttemptRef, ProgressActivities } from '../../domain/contracts/activities.ts';
import type { Store } from '../../domain/contracts/store.ts';
import { asCodetetherError } from '../../domain/errors.ts';
import { fingerprintOf } from '../../domain/run/fingerprint.ts';
import { workspaceId } from '../../domain/run/ids.ts';
import { judgeProgress } from '../../domain/run/progress.ts';
import { requireRun } from '../workspace/deps.ts';
import type { Git } from '../workspace/git.ts';
import { fetchCommits } from '../workspace/remote.ts';

export interface ProgressActivitiesDeps {
  readonly store: Pick<Store, 'getRun' | 'getWorkspace' | 'rememberFailure'>;
  /** The host that this process works for. */
  readonly hostId: string;
  readonly git: Git;
}

const rememberedFiles = 12;
const messageCharacters = 300;

/** See {@link ProgressActivities}. */
export function createProgressActivities({ store, hostId, git }: ProgressActivitiesDeps) {
  return {
    async judgeFailure(input) {
      const { runId, storyId, attempt, reason } = input;
      const message = input.message.slice(0, messageCharacters).toWellFormed();
      const { tree, files } = await leftBy(input);
      const failure = { attempt, reason, message, files, ...fingerprintOf({ reason, message, tree }) };
      return judgeProgress(await store.rememberFailure({ runId, storyId, failure }));
    },
  } satisfies ProgressActivities;

  /** What the attempt left, by its checkpoint; nothing where its worktree never came to be or is gone. */
  async function leftBy(ref: AttemptRef): Promise<{ readonly tree: string; readonly files: readonly string[] }> {
    const workspace = await store.getWorkspace(workspaceId(ref.runId, ref.storyId));
    if (workspace === undefined || workspace.attempt !== ref.attempt) return { tree: '', files: [] };
    const { base, checkpoint } = workspace;
    try {
      const at = { cwd: workspace.path };
      if (workspace.hostId !== hostId) {
        const run = await requireRun(store, ref.runId);
        at.cwd = run.repoPath;
        if (!(await fetchCommits(git, at, { run, commits: [base, checkpoint] }))) return { tree: '', files: [] };
      }
      const [tree, changed] = await Promise.all([
        git(['rev-parse', '--verify', `${checkpoint}^{tree}`], at),
        git(['diff-tree', '-r', '-z', '--name-only', '--no-renames', base, checkpoint], at),
      ]);
      const files = changed.stdout.split('\0').filter((name) => name !== '');
      return { tree: tree.stdout.trim(), files: files.slice(0, rememberedFiles) };
    } catch (error) {
      if (asCodetetherError(error).code === 'workspace-failed') return { tree: '', files: [] };
      throw error;
    }
  }
}
