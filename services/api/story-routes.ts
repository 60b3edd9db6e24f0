import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SteerResponse, TellStoryRequest, storyVerbs } from '../../domain/contracts/api.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { isActive } from '../../domain/run/status.ts';
import type { ApiDeps } from './deps.ts';
import { findRun } from './find-run.ts';
import { runView } from './views.ts';

const StoryParams = z.object({ runId: z.string().min(1).max(300), storyId: z.string().min(1).max(100) });

/** What a person can tell one story of a run that goes on. */
export function storyRoutes(deps: ApiDeps): FastifyPluginAsyncZod {
  const { store, engine, ui } = deps;
  return async (app) => {
    for (const verb of storyVerbs) {
      app.post(
        `/v1/runs/:runId/story/:storyId/${verb}`,
        {
          config: { permission: 'runs:write' },
          schema: { params: StoryParams, body: TellStoryRequest, response: { 200: SteerResponse } },
        },
        async (request) => {
          const { storyId } = request.params;
          const run = await findRun(deps, request.params.runId);
          if ((await store.getStory(run.runId, storyId)) === undefined)
            throw new CodetetherError('not-found', `there is no story ${storyId} in ${run.runId}`);
          if (!isActive(run.status)) throw new CodetetherError('run-not-active', `${run.runId} is ${run.status}`);
          await engine.tell(run.runId, verb, { storyId, text: request.body.text });
          return { run: runView((await store.getRun(run.runId)) ?? run, ui) };
        },
      );
    }
  };
}
