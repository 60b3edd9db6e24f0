/** What a credential may do. Each route, A2A method and MCP tool names one of them. */

export const permissions = [
  'runs:read',
  'runs:write',
  'hosts:read',
  'approvals:read',
  'approvals:answer',
  'models:use',
  'workspaces:read',
  'workspaces:write',
  'files:read',
  'audit:read',
  'tokens:manage',
] as const;
export type Permission = (typeof permissions)[number];

export function isPermission(text: string): text is Permission {
  return permissions.some((permission) => permission === text);
}

const reading: readonly Permission[] = ['runs:read', 'hosts:read', 'approvals:read', 'workspaces:read'];

/** Sets of permissions with a name, from less to more. */
export const roles = {
  viewer: reading,
  operator: [...reading, 'runs:write', 'models:use', 'files:read'],
  approver: [...reading, 'approvals:answer'],
  admin: permissions,
} as const satisfies { readonly [name: string]: readonly Permission[] };
export type Role = keyof typeof roles;

/** Who asks, and whose rows that is about. */
export interface Principal {
  /** For people and the audit: `local`, `key:<id>`, `oidc:<subject>`. */
  readonly id: string;
  readonly tenant: string;
  readonly permissions: ReadonlySet<Permission>;
  /** This machine's own user, who may name any folder of it; others name named workspaces and what is in them. */
  readonly isLocal: boolean;
}
