import type { CreateTokenRequest, NewTokenView, TokenView } from '../../../domain/contracts/access-api.ts';
import type { Permission, Role } from '../../../domain/access/permissions.ts';
import { CodetetherError, exitCodes } from '../../../domain/errors.ts';
import { formatDay } from '../../output/format.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { listTable } from '../../output/table.ts';
import { ask, openContext, print, stdoutLook } from '../ralph/context.ts';
import type { Context } from '../ralph/context.ts';

export interface ListOptions {
  readonly json?: boolean;
}

export interface CreateOptions extends ListOptions {
  readonly name: string;
  readonly role?: Role;
  readonly permission?: readonly string[];
  readonly expires?: number;
  readonly neverExpires?: boolean;
}

export interface RotateOptions extends ListOptions {
  readonly overlap?: number;
}

export async function create(options: CreateOptions): Promise<number> {
  const { name, role, permission, expires, neverExpires = false } = options;
  if (role === undefined && permission === undefined) {
    throw new CodetetherError('usage', 'what the token may do is not said', {
      next: 'Give --role viewer, operator, approver or admin, or --permission.',
    });
  }
  if (expires !== undefined && neverExpires) {
    throw new CodetetherError('usage', '--expires and --never-expires exclude each other');
  }
  const request: CreateTokenRequest = {
    name,
    ...(role === undefined ? {} : { role }),
    // The API knows which there are.
    ...(permission === undefined ? {} : { permissions: permission as Permission[] }),
    ...(neverExpires ? { expiresInMs: null } : expires === undefined ? {} : { expiresInMs: expires }),
  };
  const context = openContext();
  return show(context, options, await ask(context, (client) => client.createToken(request)));
}

export async function rotate(id: string, options: RotateOptions): Promise<number> {
  const context = openContext();
  const request = options.overlap === undefined ? {} : { overlapMs: options.overlap };
  return show(context, options, await ask(context, (client) => client.rotateToken(id, request)));
}

export async function list({ json = false }: ListOptions): Promise<number> {
  const context = openContext();
  const { tokens } = await ask(context, (client) => client.listTokens());
  if (json) {
    print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, tokens }))]);
    return exitCodes.completed;
  }
  const onTerminal = context.stdout.isTTY;
  const day = (time: string | null, none: string) =>
    time === null ? none : onTerminal ? formatDay(time, new Date()) : time;
  const column = (title: string, cell: (token: TokenView) => string) => ({ title, cells: tokens.map(cell) });
  const columns = [
    column('id', ({ tokenId }) => tokenId),
    column('name', ({ name }) => name),
    column('status', ({ status }) => status),
    column('last used', ({ lastUsedAt }) => day(lastUsedAt, 'never')),
    column('expires', ({ expiresAt }) => day(expiresAt, 'never')),
    column('made by', ({ createdBy }) => createdBy),
    column('may', ({ permissions }) => permissions.join(' ')),
  ];
  print(context.stdout, listTable(columns, stdoutLook(context), onTerminal));
  return exitCodes.completed;
}

export async function revoke(id: string, { json = false }: ListOptions): Promise<number> {
  const context = openContext();
  const token = await ask(context, (client) => client.revokeToken(id));
  if (json) print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, token }))]);
  else print(context.stderr, [`${token.tokenId} (${token.name}) holds no more`]);
  return exitCodes.completed;
}

function show({ stdout, stderr }: Context, { json = false }: ListOptions, made: NewTokenView): number {
  if (json) {
    print(stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, token: made }))]);
    return exitCodes.completed;
  }
  print(stdout, [made.token]);
  const end = made.expiresAt === null ? 'until it is revoked' : `until ${formatDay(made.expiresAt, new Date())}`;
  print(stderr, [
    `${made.tokenId} (${made.name}) holds ${end}: ${made.permissions.join(' ')}`,
    'it is shown only now; use it as CODETETHER_TOKEN, or as Authorization: Bearer …',
  ]);
  return exitCodes.completed;
}
