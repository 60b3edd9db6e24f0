import { CodetetherError, exitCodes } from '../../../domain/errors.ts';
import { shortCommit } from '../../output/format.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { ask, openContext, print } from './context.ts';
import type { Context } from './context.ts';
import { findRunId } from './find-run.ts';

export interface RollbackOptions {
  readonly cascade?: boolean;
  readonly prd?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

interface RolledBack {
  readonly storyId: string;
  readonly commit: string;
  readonly reverted: string;
}

/** `codetether ralph rollback <story> [run]`: returns when the stories are off the branch. */
export async function rollback(storyId: string, run: string | undefined, options: RollbackOptions): Promise<number> {
  const context = openContext();
  const id = await findRunId(context, { run, prd: options.prd });
  const answer = await ask(context, (client) => client.rollBack(id, storyId, { cascade: options.cascade === true }));
  const { runId, branch } = answer.run;
  const done = await followRollback(context, { runId, storyIds: answer.storyIds, afterSeq: answer.afterSeq });
  if (options.json === true) {
    print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, runId, branch, rolledBack: done }))]);
  } else if (options.quiet !== true) {
    print(
      context.stdout,
      done.map((story) => `${story.storyId} is off ${branch}, commit ${shortCommit(story.commit)}; it is open again`),
    );
  }
  return exitCodes.completed;
}

/** The run may have ended long ago: its events come in several readings then. */
async function followRollback(
  { client }: Context,
  wanted: { readonly runId: string; readonly storyIds: readonly string[]; readonly afterSeq: number },
): Promise<readonly RolledBack[]> {
  const left = new Set(wanted.storyIds);
  const done: RolledBack[] = [];
  for (let sinceSeq = wanted.afterSeq; ; await pause()) {
    for await (const event of client.events(wanted.runId, { sinceSeq })) {
      sinceSeq = event.seq;
      if (event.kind === 'story-rolled-back' && event.storyId !== null && left.delete(event.storyId)) {
        done.push({ storyId: event.storyId, ...event.body });
        if (left.size === 0) return done;
      }
      if (event.kind === 'rollback-failed' && event.body.storyIds.some((storyId) => left.has(storyId)))
        throw new CodetetherError('rollback-refused', event.body.message);
    }
  }
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 200));
}
