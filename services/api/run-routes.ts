import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { RunRecord } from '../../domain/contracts/store.ts';
import {
  CheckLogView,
  ResumeRequest,
  ResumeResponse,
  RunDetailView,
  RunListView,
  RunPrdView,
  StartRunRequest,
  StartRunResponse,
  SteerResponse,
  StoryDetailView,
  steerVerbs,
} from '../../domain/contracts/api.ts';
import type { CheckView } from '../../domain/contracts/api.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { isActive } from '../../domain/run/status.ts';
import { requireAllowed } from './allowed-paths.ts';
import type { ApiDeps } from './deps.ts';
import { cursorsOf, pageOf, pageQuery, placeName, placeTime } from './pages.ts';
import { principalOf } from './permissions.ts';
import { attemptsOf } from './attempts.ts';
import { findRun, reconcileRun } from './find-run.ts';
import { startRalph } from './start-ralph.ts';
import { resumeRun } from './resume-run.ts';
import { approvalView, checkView, runView, spendingView, storyView } from './views.ts';

const RunParams = z.object({ runId: z.string().min(1).max(300) });
const StoryParams = RunParams.extend({ storyId: z.string().min(1).max(100) });
const LogParams = StoryParams.extend({ hash: z.string().regex(/^[0-9a-f]{64}$/) });
const ListQuery = z.strictObject(pageQuery);
/** Newest start first. */
const RunPlace = z.tuple([placeTime, placeName]);

const steerSummaries = {
  pause: 'Let a run begin nothing new',
  stop: 'End a run when its running stories have ended',
  cancel: 'End a run at once',
} as const;

/** How much of what a red check wrote is shown. */
const outputCharacters = 16_384;

export function runRoutes(deps: ApiDeps): FastifyPluginAsyncZod {
  const { store, engine, ui } = deps;
  return async (app) => {
    app.post(
      '/v1/runs',
      {
        config: { permission: 'runs:write', summary: 'Start a run, or attach to it' },
        schema: { body: StartRunRequest, response: { 200: StartRunResponse, 201: StartRunResponse } },
      },
      async (request, reply) => {
        const { prdPath, repoPath, remote, model, fallbackModel } = request.body;
        const named = { paths: [prdPath, repoPath, remote], models: [model, fallbackModel] };
        await requireAllowed(deps, principalOf(request), named);
        const response = await startRalph(deps, request.body);
        return await reply.code(response.kind === 'started' ? 201 : 200).send(response);
      },
    );

    app.get(
      '/v1/runs',
      {
        config: { permission: 'runs:read', summary: 'Runs, newest start first' },
        schema: { querystring: ListQuery, response: { 200: RunListView } },
      },
      async (request) => {
        const { limit, cursor } = request.query;
        const cursors = cursorsOf([principalOf(request).tenant, 'runs'], RunPlace);
        const place = cursors.read(cursor);
        const before = place === undefined ? undefined : { startedAt: new Date(place[0]), runId: place[1] };
        const read = await store.listRuns({ limit: limit + 1, before, withDeleted: false });
        const at = ({ startedAt, runId }: RunRecord) => [startedAt.getTime(), runId] as [number, string];
        const { items, nextCursor } = pageOf(read, { limit, cursors, at });
        const current = await Promise.all(items.map(async (run) => await reconcileRun(deps, run)));
        return { runs: current.map((run) => runView(run, ui)), nextCursor };
      },
    );

    app.get(
      '/v1/runs/:runId',
      {
        config: { permission: 'runs:read', summary: 'One run with its stories' },
        schema: { params: RunParams, response: { 200: RunDetailView } },
      },
      async (request) => {
        const run = await findRun(deps, request.params.runId);
        const stories = await store.getStories(run.runId);
        const approvals = await store.listPendingApprovals({ runId: run.runId });
        return {
          ...runView(run, ui),
          stories: stories.map(storyView),
          approvals: approvals.map(approvalView),
          waits: await waitsOf(deps, run),
          disk: await diskOf(deps, run),
          spending: (await store.spending(run.runId)).map(spendingView),
        };
      },
    );

    app.get(
      '/v1/runs/:runId/prd',
      {
        config: { permission: 'runs:read', summary: 'The PRD of a run, as it is worked on' },
        schema: { params: RunParams, response: { 200: RunPrdView } },
      },
      async (request) => {
        const { runId, prd } = await findRun(deps, request.params.runId);
        const stories = await store.getStories(runId);
        return { runId, prd: { ...prd, stories: stories.map(({ story }) => story) } };
      },
    );

    app.get(
      '/v1/runs/:runId/story/:storyId',
      {
        config: { permission: 'runs:read', summary: 'One story with its attempts and checks' },
        schema: { params: StoryParams, response: { 200: StoryDetailView } },
      },
      async (request) => {
        const { storyId } = request.params;
        const { runId } = await findRun(deps, request.params.runId);
        const story = await store.getStory(runId, storyId);
        if (story === undefined) throw new CodetetherError('not-found', `there is no story ${storyId} in ${runId}`);
        const [attempted, checks] = await Promise.all([
          attemptsOf(store, runId, storyId),
          checksOf(deps, runId, storyId),
        ]);
        return { runId, ...storyView(story), attempted, checks };
      },
    );

    app.get(
      '/v1/runs/:runId/story/:storyId/logs/:hash',
      {
        config: { permission: 'runs:read', summary: 'All that a check of a story wrote' },
        schema: { params: LogParams, response: { 200: CheckLogView } },
      },
      async (request) => {
        const { storyId, hash } = request.params;
        const { runId } = await findRun(deps, request.params.runId);
        const isOfStory = (await store.listChecks(runId, storyId)).some((check) => check.log === hash);
        const log = isOfStory ? await store.getBlob(hash) : undefined;
        if (log === undefined) throw new CodetetherError('not-found', `no check of ${storyId} has the log ${hash}`);
        return { log };
      },
    );

    app.post(
      '/v1/runs/:runId/resume',
      {
        config: { permission: 'runs:write', summary: 'Let a run go on, with other caps if given' },
        schema: { params: RunParams, body: ResumeRequest.nullish(), response: { 200: ResumeResponse } },
      },
      async (request) => await resumeRun(deps, await findRun(deps, request.params.runId), request.body ?? {}),
    );

    for (const verb of steerVerbs) {
      if (verb === 'resume') continue;
      app.post(
        `/v1/runs/:runId/${verb}`,
        {
          config: { permission: 'runs:write', summary: steerSummaries[verb] },
          schema: { params: RunParams, response: { 200: SteerResponse } },
        },
        async (request) => {
          const run = await findRun(deps, request.params.runId);
          if (!isActive(run.status)) throw new CodetetherError('run-not-active', `${run.runId} is ${run.status}`);
          await engine.steer(run.runId, verb);
          return { run: runView((await store.getRun(run.runId)) ?? run, ui) };
        },
      );
    }
  };
}

/** What happens next to a story whose model's provider is waited for is one of these. */
const endsOfWaits = ['model-answered', 'attempt-failed', 'story-started', 'story-failed'] as const;

async function waitsOf({ store }: ApiDeps, { runId, status }: RunRecord): Promise<RunDetailView['waits']> {
  if (!isActive(status)) return [];
  const newest = await store.newestRunEvents(runId, ['model-waiting', ...endsOfWaits]);
  return newest.flatMap(({ kind, storyId, body }) =>
    kind === 'model-waiting' && storyId !== null ? [{ storyId, ...body }] : [],
  );
}

async function diskOf({ store }: ApiDeps, { runId }: RunRecord): Promise<RunDetailView['disk']> {
  const [newest] = await store.newestRunEvents(runId, ['disk-measured']);
  return newest?.kind === 'disk-measured' ? newest.body : null;
}

async function checksOf(deps: ApiDeps, runId: string, storyId: string): Promise<CheckView[]> {
  const checks = await deps.store.listChecks(runId, storyId);
  const newest = Math.max(0, ...checks.map((check) => check.attempt ?? 0));
  return await Promise.all(
    checks.map(async (check) => {
      if (check.verdict !== 'red' || check.attempt !== newest) return checkView(check, null);
      const output = await deps.store.getBlob(check.log);
      return checkView(check, output?.slice(-outputCharacters).toWellFormed() ?? null);
    }),
  );
}
