import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { RollbackResponse, RollbackStoryRequest } from '../../domain/contracts/api.ts';
import type { RunRecord, StoryRecord } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { prdGates } from '../../domain/ralph/prd.ts';
import { passedDependents } from '../../domain/ralph/schedule.ts';
import { isActive } from '../../domain/run/status.ts';
import type { ApiDeps } from './deps.ts';
import { findRun } from './find-run.ts';
import { isWorkedOn } from './start-ralph.ts';
import { runView } from './views.ts';

const StoryParams = z.object({ runId: z.string().min(1).max(300), storyId: z.string().min(1).max(100) });
/** The workflow's argument and the activity's result have to stay small. */
const mostStories = 50;

export function rollbackRoutes(deps: ApiDeps): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/v1/runs/:runId/story/:storyId/rollback',
      {
        config: { permission: 'runs:write', summary: 'Take a story that has passed off the run branch' },
        schema: { params: StoryParams, body: RollbackStoryRequest, response: { 200: RollbackResponse } },
      },
      async (request) => {
        const { runId } = await findRun(deps, request.params.runId);
        // Not while the run is being started: who works on the branch is decided under this lock.
        return await deps.store.exclusively(`start:${runId}`, async () => {
          const run = await findRun(deps, runId);
          const stories = await deps.store.getStories(runId);
          const storyIds = chooseStories(stories, request.params.storyId, request.body.cascade);
          await begin(deps, run, storyIds);
          return { run: runView(run, deps.ui), storyIds, afterSeq: run.headSeq };
        });
      },
    );
  };
}

async function begin(deps: ApiDeps, run: RunRecord, storyIds: readonly string[]): Promise<void> {
  const { runId, hostId } = run;
  const request = { rollbackId: randomUUID(), storyIds };
  if (isActive(run.status)) return await deps.engine.rollBack(runId, request);
  const busy = new CodetetherError('run-active', `${runId} is being rolled back or is just ending`, {
    next: 'Try again in a moment.',
  });
  if (await isWorkedOn(deps, runId)) throw busy;
  const started = await deps.engine.startRollback({
    ...request,
    runId,
    hostId,
    isShared: run.options.remote !== undefined,
    gates: prdGates(run.prd),
  });
  if (started === 'already-running') throw busy;
}

/** The story and, when asked for, all that have passed and depend on it. Throws `not-found`, `rollback-refused`. */
function chooseStories(stories: readonly StoryRecord[], storyId: string, cascade: boolean): string[] {
  const row = stories.find(({ story }) => story.id === storyId);
  if (row === undefined) throw new CodetetherError('not-found', `there is no story ${storyId} in the run`);
  if (row.status !== 'passed')
    throw new CodetetherError('rollback-refused', `${storyId} has not passed: nothing of it is on the run branch`);
  const dependents = passedDependents(
    stories.map(({ story, status }) => ({ storyId: story.id, status, dependsOn: story.dependsOn })),
    storyId,
  );
  if (dependents.length > 0 && !cascade) {
    throw new CodetetherError('rollback-refused', `${dependents.join(', ')} passed on top of ${storyId}`, {
      next: `Add --cascade to roll back ${storyId} and these.`,
    });
  }
  const chosen = [storyId, ...dependents];
  if (chosen.length > mostStories)
    throw new CodetetherError('rollback-refused', `${chosen.length} stories are more than the ${mostStories} at once`, {
      next: 'Roll back some of those that depend on it first.',
    });
  const without = chosen.filter((id) => stories.find(({ story }) => story.id === id)?.commit === null);
  if (without.length === 0) return chosen;
  throw new CodetetherError('rollback-refused', `the run has made no commit for ${without.join(', ')}`, {
    next: 'Set passes to false in the PRD instead, and start the run again.',
  });
}
