import { realpath, stat } from 'node:fs/promises';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { NameWorkspaceRequest, WorkspaceListView, WorkspaceView } from '../../domain/contracts/access-api.ts';
import type { NamedWorkspace } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { ApiDeps } from './deps.ts';
import { pageOfAll, pageQuery } from './pages.ts';
import { principalOf } from './permissions.ts';

const ListQuery = z.strictObject(pageQuery);
const WorkspaceParams = z.object({ name: z.string().min(1).max(100) });

/** The folders of this host in which those who ask from elsewhere may have work done. */
export function workspaceRoutes({ store, hostId }: Pick<ApiDeps, 'store' | 'hostId'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      '/v1/workspaces',
      {
        config: { permission: 'workspaces:write', summary: 'Name a folder for those who ask from elsewhere' },
        schema: { body: NameWorkspaceRequest, response: { 201: WorkspaceView } },
      },
      async (request, reply) => {
        const { id } = principalOf(request);
        const { name } = request.body;
        const folder = await realFolder(request.body.folder);
        const named = await store.nameWorkspace({ name, folder, hostId, createdBy: id });
        await store.appendAudit({
          principal: id,
          action: 'workspaces name',
          outcome: 'done',
          detail: { name, folder, hostId },
        });
        return await reply.code(201).send(workspaceView(named));
      },
    );

    app.get(
      '/v1/workspaces',
      {
        config: { permission: 'workspaces:read', summary: 'The named folders, by name' },
        schema: { querystring: ListQuery, response: { 200: WorkspaceListView } },
      },
      async (request) => {
        const { items, nextCursor } = pageOfAll(await store.listNamedWorkspaces(), {
          page: request.query,
          of: [principalOf(request).tenant, 'workspaces'],
          key: ({ name }) => name,
        });
        return { workspaces: items.map(workspaceView), nextCursor };
      },
    );

    app.delete(
      '/v1/workspaces/:name',
      {
        config: { permission: 'workspaces:write', summary: 'Forget a named folder' },
        schema: { params: WorkspaceParams, response: { 200: WorkspaceView } },
      },
      async (request) => {
        const { name } = request.params;
        const forgotten = await store.forgetWorkspace(name);
        if (forgotten === undefined) throw new CodetetherError('not-found', `there is no workspace ${name}`);
        const { id } = principalOf(request);
        await store.appendAudit({ principal: id, action: 'workspaces forget', outcome: 'done', detail: { name } });
        return workspaceView(forgotten);
      },
    );
  };
}

async function realFolder(folder: string): Promise<string> {
  const real = await realpath(folder).catch(() => undefined);
  if (real !== undefined && (await stat(real)).isDirectory()) return real;
  throw new CodetetherError('not-found', `${folder} is no folder on this host`, { next: 'Name one that is there.' });
}

function workspaceView({ name, folder, hostId, createdBy, createdAt }: NamedWorkspace): WorkspaceView {
  return { name, folder, hostId, createdBy, createdAt: createdAt.toISOString() };
}
