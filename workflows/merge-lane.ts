import { CancellationScope, sleep } from '@temporalio/workflow';
import type { RalphStoryInput, WorkspaceStart } from '../domain/contracts/ralph.ts';
import type { AttemptRef } from '../domain/contracts/activities.ts';
import type { Usage } from '../domain/run/budget.ts';
import type { AttemptFailure } from '../domain/run/events.ts';
import { attemptId } from '../domain/run/ids.ts';
import { totalTokens } from '../domain/run/budget.ts';
import { hostFor } from './placed-host.ts';
import type { Host } from './policies.ts';
import { record, syncPrdFiles } from './projections.ts';
import { runChecks } from './ralph-story.ts';

export interface GreenStory {
  readonly story: RalphStoryInput;
  readonly commit: string;
  readonly filesChanged: number;
  readonly files: readonly string[];
  readonly usage: Usage;
  readonly durationMs: number;
}

export type MergeResult =
  | { readonly kind: 'passed'; readonly commit: string }
  | {
      readonly kind: 'red';
      readonly reason: AttemptFailure;
      readonly message: string;
      readonly nextStart: WorkspaceStart;
    };

export interface BranchMove<Closed> {
  readonly runId: string;
  readonly tip: string;
  readonly commit: string;
  readonly summary: string;
  /** Called once when the branch cannot be moved, since it is checked out. */
  whileWaiting(message: string): Promise<void>;
  /** Records the move. */
  close(): Promise<Closed>;
}

const checkedOutPollMs = 5_000;

/**
 * The only way onto the run branch, one story at a time, in the order of asking. Merges onto the branch's tip without moving it,
 * runs the gates on the merged tree, then moves the branch by compare-and-swap and records the story as passed.
 * Whoever moves the branch meanwhile is merged with, never overwritten.
 */
export class MergeLane {
  readonly #host: Host;
  #tail: Promise<void> = Promise.resolve();

  constructor(host: Host) {
    this.#host = host;
  }

  /** Runs `work` alone in the lane. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#tail;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#tail = promise;
    await before;
    try {
      return await work();
    } finally {
      resolve();
    }
  }

  async merge(green: GreenStory, show: (note: string) => void): Promise<MergeResult> {
    return await this.exclusively(() => this.#merge(green, show));
  }

  async #merge(green: GreenStory, show: (note: string) => void): Promise<MergeResult> {
    const { story } = green;
    const attempt: AttemptRef = { runId: story.runId, storyId: story.storyId, attempt: story.attempt };
    const { workspaces } = this.#host;
    // Nothing to merge: the story was green as things were.
    if (green.filesChanged === 0) return await this.#close(green, attempt, green.commit);
    for (;;) {
      show('merging');
      const merged = await workspaces.mergeStory.executeWithOptions({ summary: `${story.storyId}: merge` }, [
        { ...attempt, commit: green.commit },
      ]);
      if (merged.kind === 'conflict') {
        return {
          kind: 'red',
          reason: 'conflict',
          message: `conflicts with the run branch in ${merged.files.slice(0, 5).join(', ')}`,
          nextStart: { kind: 'conflict', commit: green.commit },
        };
      }
      if (merged.kind === 'already-merged') return await this.#close(green, attempt, merged.commit);

      const failed = await runChecks(
        this.#host,
        {
          ...attempt,
          where: 'merged',
          commit: merged.commit,
          gates: story.gates,
          verificationSteps: story.verificationSteps,
        },
        show,
      );
      if (failed !== undefined) return { kind: 'red', ...failed, nextStart: { kind: 'merged', commit: green.commit } };

      const closed = await this.advance({
        runId: attempt.runId,
        ...merged,
        summary: `${story.storyId}: advance the branch`,
        whileWaiting: (message) => {
          show(message);
          return recordWaiting(attempt, merged.tip, message);
        },
        close: () => this.#close(green, attempt, merged.commit),
      });
      if (closed !== undefined) return closed;
    }
  }

  /** What `close` gives, once the branch is moved; undefined when somebody else moved it: it is to be merged with again. */
  async advance<Closed>(move: BranchMove<Closed>): Promise<Closed | undefined> {
    const { runId, tip, commit } = move;
    for (let waits = 0; ; waits++) {
      // The branch and the record of it move together: a cancellation waits for both.
      const advanced = await CancellationScope.nonCancellable(async () => {
        const result = await this.#host.workspaces.advanceBranch.executeWithOptions({ summary: move.summary }, [
          { runId, tip, commit },
        ]);
        return result.kind === 'advanced' ? { kind: 'closed' as const, closed: await move.close() } : result;
      });
      if (advanced.kind === 'closed') return advanced.closed;
      if (advanced.kind !== 'checked-out') return undefined;
      const message = `the run branch is checked out at ${advanced.path}; switch that checkout to another branch and the run goes on`;
      if (waits === 0) await move.whileWaiting(message);
      await sleep(checkedOutPollMs);
    }
  }

  async #close(
    green: GreenStory,
    attempt: AttemptRef,
    commit: string,
  ): Promise<Extract<MergeResult, { kind: 'passed' }>> {
    const { runId, storyId } = attempt;
    await record({
      runId,
      events: [
        {
          key: `${attemptId(runId, storyId, attempt.attempt)}:passed`,
          kind: 'story-passed',
          storyId,
          attempt: attempt.attempt,
          body: {
            commit,
            attempts: attempt.attempt,
            durationMs: green.durationMs,
            tokens: totalTokens(green.usage),
            costUsd: green.usage.costUsd,
            filesChanged: green.filesChanged,
          },
        },
      ],
      ...(green.filesChanged === 0 ? {} : { run: { tip: commit } }),
      story: { storyId, status: 'passed', commit, feedback: null, addDurationMs: green.durationMs },
    });
    await syncPrdFiles(this.#host, runId);
    // On the story's host, wherever the lane is.
    await hostFor(green.story).workspaces.removeWorkspace.executeWithOptions(
      { summary: `${storyId}: remove the workspace` },
      [attempt],
    );
    return { kind: 'passed', commit };
  }
}

async function recordWaiting(attempt: AttemptRef, tip: string, message: string): Promise<void> {
  const { runId, storyId } = attempt;
  const key = `${attemptId(runId, storyId, attempt.attempt)}:merge-waiting:${tip}`;
  await record({
    runId,
    events: [{ key, kind: 'merge-waiting', storyId, attempt: attempt.attempt, body: { message } }],
  });
}
