/** HTTP shapes of `/v1/tokens`, `/v1/workspaces` and `/v1/audit`, see `api.ts`. */
import { z } from 'zod';
import { permissions, roles } from '../access/permissions.ts';
import type { Role } from '../access/permissions.ts';

const day = 86_400_000;
export const defaultTokenMs = 90 * day;
export const longestTokenMs = 3_660 * day;
const defaultOverlapMs = 3_600_000;

/** Give it as `cursor` to read on; null at the end. */
const nextCursor = z.string().nullable();

const Permissions = z.array(z.enum(permissions)).min(1);
const roleNames = Object.keys(roles) as [Role, ...Role[]];

/** POST /v1/tokens */
export const CreateTokenRequest = z
  .strictObject({
    /** For people: what it is for. */
    name: z.string().min(1).max(100),
    role: z.enum(roleNames).optional(),
    permissions: Permissions.optional(),
    /** Null: for ever. */
    expiresInMs: z.number().int().positive().max(longestTokenMs).nullable().default(defaultTokenMs),
  })
  .refine(({ role, permissions: named }) => (role === undefined) !== (named === undefined), {
    error: 'expected either role or permissions',
    path: ['role'],
  })
  .meta({ oneOf: [{ required: ['role'] }, { required: ['permissions'] }] });
export type CreateTokenRequest = z.input<typeof CreateTokenRequest>;

/** POST /v1/tokens/:tokenId/rotate */
export const RotateTokenRequest = z.strictObject({
  /** How long the old one holds beside the new one. */
  overlapMs: z
    .number()
    .int()
    .nonnegative()
    .max(30 * day)
    .default(defaultOverlapMs),
});
export type RotateTokenRequest = z.input<typeof RotateTokenRequest>;

export const TokenView = z.object({
  tokenId: z.string(),
  name: z.string(),
  /** How it begins; the rest is known to its holder only. */
  prefix: z.string(),
  permissions: z.array(z.enum(permissions)),
  createdBy: z.string(),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
  lastUsedAt: z.string().nullable(),
  revokedAt: z.string().nullable(),
  status: z.enum(['active', 'expired', 'revoked']),
});
export type TokenView = z.infer<typeof TokenView>;

/** The only answer in which a token stands in clear. */
export const NewTokenView = TokenView.extend({ token: z.string() });
export type NewTokenView = z.infer<typeof NewTokenView>;

export const TokenListView = z.object({ tokens: z.array(TokenView), nextCursor });
export type TokenListView = z.infer<typeof TokenListView>;

/** POST /v1/workspaces */
export const NameWorkspaceRequest = z.strictObject({
  name: z.string().regex(/^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/, 'expected small letters, digits, dots and dashes'),
  /** On the API's host. */
  folder: z.string().regex(/^\//, 'expected an absolute path'),
});
export type NameWorkspaceRequest = z.input<typeof NameWorkspaceRequest>;

export const WorkspaceView = z.object({
  name: z.string(),
  folder: z.string(),
  hostId: z.string(),
  createdBy: z.string(),
  createdAt: z.string(),
});
export type WorkspaceView = z.infer<typeof WorkspaceView>;

export const WorkspaceListView = z.object({ workspaces: z.array(WorkspaceView), nextCursor });
export type WorkspaceListView = z.infer<typeof WorkspaceListView>;

export const AuditView = z.object({
  entries: z.array(
    z.object({
      seq: z.number(),
      at: z.string(),
      principal: z.string(),
      action: z.string(),
      outcome: z.enum(['done', 'denied']),
      detail: z.record(z.string(), z.unknown()),
      hash: z.string(),
    }),
  ),
  nextCursor,
});
export type AuditView = z.infer<typeof AuditView>;

export const AuditCheckView = z.object({
  /** Seq of the first entry that was changed, or that follows one that is missing; null when all is as it was written. */
  broken: z.number().nullable(),
});
export type AuditCheckView = z.infer<typeof AuditCheckView>;
