import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ResumeResponse, TellStoryRequest, storyVerbs } from '../../domain/contracts/api.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { isActive } from '../../domain/run/status.ts';
import type { ApiDeps } from './deps.ts';
import type { RunRecord, StoryRecord } from '../../domain/contracts/store.ts';
import { findRun } from './find-run.ts';
import { retryStory } from './resume-run.ts';
import { runView } from './views.ts';

const StoryParams = z.object({ runId: z.string().min(1).max(300), storyId: z.string().min(1).max(100) });

const summaries = {
  nudge: "Tell a story's agent something",
  retry: 'Open a failed story again, with a hint',
} as const;

/** While the run goes on, only a story that has failed; once it has ended, also one that it did not finish. */
function requireRetriable({ status: runStatus }: RunRecord, { story, status }: StoryRecord): void {
  if (status === 'failed' || (status === 'open' && !isActive(runStatus))) return;
  const next =
    status === 'passed'
      ? `Take it off the run branch first: codetether ralph rollback ${story.id}`
      : status === 'blocked'
        ? 'Retry the story that blocks it: codetether ralph status'
        : 'Tell its agent something: codetether ralph nudge';
  const has = status === 'blocked' ? 'is blocked by a story that has failed' : 'has not failed';
  throw new CodetetherError('run-not-active', `${story.id} ${has}`, { next });
}

/** What a person can tell one story of a run. */
export function storyRoutes(deps: ApiDeps): FastifyPluginAsyncZod {
  const { store, engine, ui } = deps;
  return async (app) => {
    for (const verb of storyVerbs) {
      app.post(
        `/v1/runs/:runId/story/:storyId/${verb}`,
        {
          config: { permission: 'runs:write', summary: summaries[verb] },
          schema: { params: StoryParams, body: TellStoryRequest, response: { 200: ResumeResponse } },
        },
        async (request) => {
          const { storyId } = request.params;
          const run = await findRun(deps, request.params.runId);
          const { text } = request.body;
          const story = await store.getStory(run.runId, storyId);
          if (story === undefined)
            throw new CodetetherError('not-found', `there is no story ${storyId} in ${run.runId}`);
          if (verb === 'retry') requireRetriable(run, story);
          if (!isActive(run.status)) {
            if (verb === 'retry') return await retryStory(deps, run, { storyId, hint: text });
            throw new CodetetherError('run-not-active', `${run.runId} is ${run.status}`);
          }
          await engine.tell(run.runId, verb, { storyId, text });
          return { run: runView((await store.getRun(run.runId)) ?? run, ui), started: false, warnings: [] };
        },
      );
    }
  };
}
