import { ResponderBuilder, ServerInterceptingCall, ServerListenerBuilder, status } from '@grpc/grpc-js';
import type { Metadata, ServerInterceptor } from '@grpc/grpc-js';
import type { Permission, Principal } from '../../domain/access/permissions.ts';
import type { AuditEntry } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { PrincipalLimits } from '../api/limits.ts';
import type { Metrics } from '../api/metrics.ts';
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
 * Denials stand in the audit. Calls are counted when they end.
 */
export function createAdmission(options: {
  readonly permissions: GrpcPermissions;
  readonly authenticate: Authenticate;
  readonly appendAudit: (entry: AuditEntry) => Promise<void>;
  readonly limits: Pick<PrincipalLimits, 'countRequest'>;
  readonly metrics: Pick<Metrics, 'countCall'>;
  readonly prepared: Promise<void>;
}): Admission {
  const { permissions, authenticate, appendAudit, limits, metrics } = options;
  const principals = new WeakMap<Metadata, Principal>();
  return {
    interceptor: ({ path, responseStream }, call) => {
      const from = performance.now();
      let isCounted = false;
      const count = (code: status): void => {
        if (isCounted) return;
        isCounted = true;
        metrics.countCall({
          method: permissions.has(path) ? path : 'none',
          code: status[code],
          isStream: responseStream,
          seconds: (performance.now() - from) / 1000,
        });
      };
      return new ServerInterceptingCall(
        call,
        new ResponderBuilder()
          .withStart((next) => {
            next(
              new ServerListenerBuilder()
                .withOnReceiveMetadata((metadata, letIn) => {
                  admit(path, metadata).then(
                    () => letIn(metadata),
                    (error: unknown) => {
                      const refusal = statusOf(error);
                      count(refusal.code);
                      call.sendStatus(refusal);
                    },
                  );
                })
                .withOnCancel(() => count(status.CANCELLED))
                .build(),
            );
          })
          .withSendStatus((ended, next) => {
            count(ended.code);
            next(ended);
          })
          .build(),
      );
    },
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
