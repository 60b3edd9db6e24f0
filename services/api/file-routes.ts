import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  FileListView,
  FileSearchView,
  FileView,
  ListFilesQuery,
  ReadFileQuery,
  SearchFilesQuery,
} from '../../domain/contracts/files-api.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { ApiDeps } from './deps.ts';

const params = z.object({ name: z.string().min(1).max(100) });

/** The files of a named workspace of this host, to read. */
export function fileRoutes({ store, hostId, git }: Pick<ApiDeps, 'store' | 'hostId' | 'git'>): FastifyPluginAsyncZod {
  const folderOf = async (name: string): Promise<string> => {
    const found = (await store.listNamedWorkspaces()).find((workspace) => workspace.name === name);
    if (found === undefined) throw new CodetetherError('not-found', `there is no workspace ${name}`);
    if (found.hostId === hostId) return found.folder;
    throw new CodetetherError('not-found', `the workspace ${name} is on another host, ${found.hostId}`);
  };
  const files = async () => await import('./workspace-files.ts');
  const config = (summary: string) => ({ permission: 'files:read', summary }) as const;
  return async (app) => {
    app.get(
      '/v1/workspaces/:name/files',
      {
        config: config('The files of a workspace'),
        schema: { params, querystring: ListFilesQuery, response: { 200: FileListView } },
      },
      async ({ params: { name }, query }) => await (await files()).listWorkspaceFiles(await folderOf(name), query),
    );
    app.get(
      '/v1/workspaces/:name/file',
      {
        config: config('A text file of a workspace'),
        schema: { params, querystring: ReadFileQuery, response: { 200: FileView } },
      },
      async ({ params: { name }, query }) => await (await files()).readWorkspaceFile(await folderOf(name), query),
    );
    app.get(
      '/v1/workspaces/:name/search',
      {
        config: config('Lines of a workspace that contain a text'),
        schema: { params, querystring: SearchFilesQuery, response: { 200: FileSearchView } },
      },
      async ({ params: { name }, query }, reply) => {
        const gone = new AbortController();
        reply.raw.once('close', () => gone.abort());
        const folder = await folderOf(name);
        return await (await files()).searchWorkspaceFiles(folder, query, { git: await git(), signal: gone.signal });
      },
    );
  };
}
