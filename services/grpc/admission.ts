import { ResponderBuilder, ServerInterceptingCall, ServerListenerBuilder } from '@grpc/grpc-js';
import type { Metadata, ServerInterceptor } from '@grpc/grpc-js';
import type { Permission, Principal } from '../../domain/access/permissions.ts';
import type { AuditEntry } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { PrincipalLimits } from '../api/limits.ts';
import { requirePermission } from '../api/permissions.ts';
import type { Authenticate } from '../api/permissions.ts';
import { waitUntilPrepared } from '../api/prepared.ts';
import { statusOf } from './status.ts';

/** By the path of a call: what it needs; `public` is for anybody. */
export type GrpcPermissions = ReadonlyMap<string, Permission | 'public'>;

export interface Admission {
  readonly interceptor: ServerInterceptor;
  /** Of a call that was let in, by its metadata. */
  principalOf(metadata: Metadata): Principal;
}

/**
 * Default deny: every call is checked before its message is read; one that `permissions` does not name is let in for nobody.
 * Denials stand in the audit.
 */
export function createAdmission(options: {
  readonly permissions: GrpcPermissions;
  readonly authenticate: Authenticate;
  readonly appendAudit: (entry: AuditEntry) => Promise<void>;
  readonly limits: Pick<PrincipalLimits, 'countRequest'>;
  readonly prepared: Promise<void>;
}): Admission {
  const { permissions, authenticate, appendAudit, limits } = options;
  const principals = new WeakMap<Metadata, Principal>();
  return {
    interceptor: ({ path }, call) =>
      new ServerInterceptingCall(
        call,
        new ResponderBuilder()
          .withStart((next) => {
            next(
              new ServerListenerBuilder()
                .withOnReceiveMetadata((metadata, letIn) => {
                  admit(path, metadata).then(
                    () => letIn(metadata),
                    (error: unknown) => call.sendStatus(statusOf(error)),
                  );
                })
                .build(),
            );
          })
          .build(),
      ),
    principalOf: (metadata) => {
      const principal = principals.get(metadata);
      if (principal === undefined) throw new CodetetherError('unauthenticated');
      return principal;
    },
  };

  async function admit(path: string, metadata: Metadata): Promise<void> {
    const permission = permissions.get(path);
    if (permission === 'public') return;
    await waitUntilPrepared(options);
    const principal = await authenticate({ headers: credentialsOf(metadata) });
    limits.countRequest(principal);
    if (permission === undefined) throw new CodetetherError('permission-denied', `${path} is for nobody`);
    await requirePermission(principal, permission, { action: `gRPC ${path.slice(1)}`, appendAudit });
    principals.set(metadata, principal);
  }
}

function credentialsOf(metadata: Metadata): { readonly [name: string]: string } {
  return Object.fromEntries(
    ['authorization', 'x-api-key'].flatMap((name) => {
      const [value] = metadata.get(name);
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}
