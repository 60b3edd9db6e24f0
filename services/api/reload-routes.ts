import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ReloadResponse, ReloadRunRequest } from '../../domain/contracts/api.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { prdGates } from '../../domain/ralph/prd.ts';
import { isNoChange, prdChanges } from '../../domain/ralph/reload.ts';
import { isActive } from '../../domain/run/status.ts';
import type { ApiDeps } from './deps.ts';
import { findRun } from './find-run.ts';
import { runView } from './views.ts';

const RunParams = z.object({ runId: z.string().min(1).max(300) });

/** A run that goes on follows its PRD file as it is now. */
export function reloadRoutes(deps: ApiDeps): FastifyPluginAsyncZod {
  const { store, engine, ui } = deps;
  return async (app) => {
    app.post(
      '/v1/runs/:runId/reload',
      {
        config: { permission: 'runs:write', summary: 'Let a run follow its PRD file as it is now' },
        schema: {
          params: RunParams,
          body: ReloadRunRequest.nullish(),
          response: { 200: ReloadResponse },
        },
      },
      async (request) => {
        const { dryRun = false, allowUnchecked = false } = request.body ?? {};
        const { runId } = await findRun(deps, request.params.runId);
        // One after the other, and not while the run is being started: that follows the file, too.
        return await store.exclusively(`start:${runId}`, async () => {
          const run = await findRun(deps, runId);
          if (!isActive(run.status)) throw new CodetetherError('run-not-active', `${runId} is ${run.status}`);
          const stories = await store.getStories(runId);
          const { prd, savedAt, warnings } = await deps.readEditedPrd(run, { stories, allowUnchecked });
          const planned = prdChanges({ prd: run.prd, stories }, prd, savedAt);
          const busy = stories.filter(({ status }) => status === 'running').map(({ story }) => story.id);
          const stopped = [...planned.removed, ...planned.passed].filter((id) => busy.includes(id));
          const applied = !dryRun && !isNoChange(planned);
          const changes = ReloadResponse.shape.changes.parse({ ...planned, gates: prdGates(prd), stopped });
          if (applied) {
            const prdHash = await store.putBlob(JSON.stringify(prd));
            const reload = { reloadId: randomUUID(), prd: prdHash, savedAt: savedAt.toISOString() };
            const result = await engine.reload(runId, reload);
            if (result.kind === 'refused')
              throw new CodetetherError('reload-refused', `${result.storyIds.join(', ')}: being merged right now`);
            changes.stopped = [...result.stopped];
          }
          const after = (await store.getRun(runId)) ?? run;
          return { run: runView(after, ui), applied, changes, warnings: [...warnings] };
        });
      },
    );
  };
}
