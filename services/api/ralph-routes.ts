import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { isInside } from '../../activities/tools/workspace-path.ts';
import { StartRunRequest } from '../../domain/contracts/api.ts';
import {
  CreateRalphRunRequest,
  RalphLogView,
  RalphRunAnswer,
  RalphRunView,
  ralphRunStatuses,
} from '../../domain/contracts/ralph-api.ts';
import type { NamedWorkspace, RunRecord } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { parsePrd } from '../../domain/ralph/parse-prd.ts';
import { prdGates } from '../../domain/ralph/prd.ts';
import { isActive } from '../../domain/run/status.ts';
import { requireAllowed } from './allowed-paths.ts';
import { chosenWorkspace } from './chosen-workspace.ts';
import type { ApiDeps } from './deps.ts';
import { findRun, reconcileRun } from './find-run.ts';
import { keepPrd } from './kept-prd.ts';
import { principalOf } from './permissions.ts';
import { logKinds, ralphLog, ralphRunView, ralphStatus } from './ralph-wire.ts';
import { resumeRun } from './resume-run.ts';
import { startRalph } from './start-ralph.ts';

const RunParams = z.object({ runId: z.string().min(1).max(300) });
const ListQuery = z.strictObject({
  status: z.enum(ralphRunStatuses).optional(),
  limit: z.coerce.number().int().positive().max(500).default(50),
});
const LogQuery = z.strictObject({
  /** RFC 3339; only what was said after it. */
  since: z.iso.datetime({ offset: true }).optional(),
  limit: z.coerce.number().int().positive().max(1_000).default(100),
});

const logsOfOne = 100;
const eventsAtOnce = 500;

/** Runs, as clients of the codetether platform ask for them. */
export function ralphRoutes(deps: ApiDeps): FastifyPluginAsyncZod {
  const { store, engine } = deps;
  return async (app) => {
    app.post(
      '/v1/ralph/runs',
      {
        config: { permission: 'runs:write', summary: 'Start a run of a PRD (as the platform does)' },
        schema: { body: CreateRalphRunRequest, response: { 200: RalphRunView } },
      },
      async (request) => {
        const { body } = request;
        const workspace = await workspaceOf(body.codebase_id);
        const model = body.model ?? deps.defaultModel;
        if (model === undefined) throw wrong('model: is needed; no default model is set');
        await requireAllowed(deps, principalOf(request), { paths: [workspace.folder], models: [model] });
        const prdPath = await keepPrd(deps.prdFolder, await withGates(body.prd, workspace.folder));
        const { run } = await startRalph(
          deps,
          StartRunRequest.parse({
            kind: 'ralph',
            prdPath,
            repoPath: workspace.folder,
            model,
            maxIterations: body.max_iterations,
            maxConcurrent: body.run_mode === 'sequential' ? 1 : body.max_parallel,
            allowUnchecked: body.allow_unchecked,
            // It starts from the last commit; what is not committed is left alone.
            allowDirty: true,
          }),
        );
        return await viewOf(await findRun(deps, run.runId));
      },
    );

    app.get(
      '/v1/ralph/runs',
      {
        config: { permission: 'runs:read', summary: 'Runs, newest start first (as the platform lists them)' },
        schema: { querystring: ListQuery, response: { 200: z.array(RalphRunView) } },
      },
      async ({ query: { status, limit } }) => {
        const runs = await store.listRuns({ limit: status === undefined ? limit : 500, withDeleted: false });
        const current = await Promise.all(runs.map(async (run) => await reconcileRun(deps, run)));
        const wanted = current.filter((run) => status === undefined || ralphStatus(run.status) === status);
        const workspaces = await store.listNamedWorkspaces();
        return await Promise.all(
          wanted.slice(0, limit).map(async (run) => {
            const stories = await store.getStories(run.runId);
            return ralphRunView(run, { stories, codebaseId: nameOf(run, workspaces), logs: [] });
          }),
        );
      },
    );

    app.get(
      '/v1/ralph/runs/:runId',
      {
        config: { permission: 'runs:read', summary: 'One run (as the platform shows it)' },
        schema: { params: RunParams, response: { 200: RalphRunView } },
      },
      async ({ params }) => await viewOf(await findRun(deps, params.runId)),
    );

    app.get(
      '/v1/ralph/runs/:runId/logs',
      {
        config: { permission: 'runs:read', summary: 'What was said of a run, oldest first' },
        schema: { params: RunParams, querystring: LogQuery, response: { 200: z.array(RalphLogView) } },
      },
      async ({ params, query: { since, limit } }) => {
        const after = since === undefined ? 0 : Date.parse(since);
        const { runId } = await findRun(deps, params.runId);
        return (await logsOf(runId)).filter(({ timestamp }) => Date.parse(timestamp) > after).slice(-limit);
      },
    );

    app.post(
      '/v1/ralph/runs/:runId/cancel',
      {
        config: { permission: 'runs:write', summary: 'End a run at once (as the platform does)' },
        schema: { params: RunParams, response: { 200: RalphRunAnswer } },
      },
      async ({ params }) => {
        const { runId, status } = await findRun(deps, params.runId);
        if (!isActive(status)) throw new CodetetherError('run-not-active', `${runId} is ${status}`);
        await engine.steer(runId, 'cancel');
        return { status: 'cancelled', run_id: runId } as const;
      },
    );

    app.post(
      '/v1/ralph/runs/:runId/recover',
      {
        config: { permission: 'runs:write', summary: 'Let a run go on with what has not passed' },
        schema: { params: RunParams, response: { 200: RalphRunAnswer } },
      },
      async ({ params }) => {
        const { run } = await resumeRun(deps, await findRun(deps, params.runId), {});
        return { status: 'running', run_id: run.runId } as const;
      },
    );

    app.delete(
      '/v1/ralph/runs/:runId',
      {
        config: { permission: 'runs:write', summary: 'End a run, and list it no more' },
        schema: { params: RunParams, response: { 200: RalphRunAnswer } },
      },
      async ({ params }) => {
        const { runId, status } = await findRun(deps, params.runId);
        if (isActive(status)) await engine.steer(runId, 'cancel');
        await store.deleteRun(runId);
        return { status: 'deleted', run_id: runId } as const;
      },
    );
  };

  async function workspaceOf(name: string | null | undefined): Promise<NamedWorkspace> {
    const { workspace, names } = await chosenWorkspace(deps, name);
    if (workspace !== undefined) return workspace;
    if (typeof name === 'string') throw new CodetetherError('not-found', `there is no workspace ${name} on this host`);
    throw wrong(`codebase_id: expected one of ${names.join(', ') || 'none: name a workspace'}`);
  }

  /** The platform's PRDs have no checks: where one names none, those that fit the repository are made. */
  async function withGates(prd: CreateRalphRunRequest['prd'], folder: string): Promise<object> {
    const { prd: parsed } = parsePrd(prd);
    return prdGates(parsed).length > 0 ? prd : { ...prd, qualityChecks: await deps.repositoryGates(folder) };
  }

  async function viewOf(run: RunRecord): Promise<RalphRunView> {
    const [stories, workspaces, logs] = await Promise.all([
      store.getStories(run.runId),
      store.listNamedWorkspaces(),
      logsOf(run.runId),
    ]);
    return ralphRunView(run, { stories, codebaseId: nameOf(run, workspaces), logs: logs.slice(-logsOfOne) });
  }

  async function logsOf(runId: string): Promise<readonly RalphLogView[]> {
    const logs: RalphLogView[] = [];
    for (let afterSeq = 0; ;) {
      const page = await store.readRunEvents(runId, { afterSeq, limit: eventsAtOnce, kinds: logKinds });
      logs.push(...page.flatMap((event) => ralphLog(event) ?? []));
      const last = page.at(-1);
      if (last === undefined || page.length < eventsAtOnce) return logs;
      afterSeq = last.seq;
    }
  }
}

function nameOf({ repoPath, hostId }: RunRecord, workspaces: readonly NamedWorkspace[]): string | null {
  const found = workspaces.find((each) => each.hostId === hostId && isInside(repoPath, each.folder));
  return found?.name ?? null;
}

function wrong(problem: string): CodetetherError {
  return new CodetetherError('request-invalid', undefined, { problems: [problem] });
}
