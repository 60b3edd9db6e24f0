import { basename, resolve } from 'node:path';
import type { WorkspaceView } from '../../../domain/contracts/access-api.ts';
import { exitCodes } from '../../../domain/errors.ts';
import { slug } from '../../../domain/run/ids.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { listTable } from '../../output/table.ts';
import { ask, openContext, print, stdoutLook } from '../ralph/context.ts';

export interface ListOptions {
  readonly json?: boolean;
}

export interface AddOptions extends ListOptions {
  readonly name?: string;
}

export async function add(given: string | undefined, { name, json = false }: AddOptions): Promise<number> {
  const context = openContext();
  const folder = resolve(context.cwd, given ?? '.');
  const request = { name: name ?? slug(basename(folder)), folder };
  const workspace = await ask(context, (client) => client.nameWorkspace(request));
  if (json) print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, workspace }))]);
  else print(context.stderr, [`${workspace.name} is ${workspace.folder}`]);
  return exitCodes.completed;
}

export async function list({ json = false }: ListOptions): Promise<number> {
  const context = openContext();
  const { workspaces } = await ask(context, (client) => client.listWorkspaces());
  if (json) {
    print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, workspaces }))]);
    return exitCodes.completed;
  }
  const column = (title: string, cell: (workspace: WorkspaceView) => string) => ({
    title,
    cells: workspaces.map(cell),
  });
  const columns = [
    column('name', ({ name }) => name),
    column('host', ({ hostId }) => hostId),
    column('named by', ({ createdBy }) => createdBy),
    column('folder', ({ folder }) => folder),
  ];
  print(context.stdout, listTable(columns, stdoutLook(context), context.stdout.isTTY));
  return exitCodes.completed;
}

export async function remove(name: string): Promise<number> {
  const context = openContext();
  await ask(context, (client) => client.forgetWorkspace(name));
  print(context.stderr, [`${name} can be named no more`]);
  return exitCodes.completed;
}
