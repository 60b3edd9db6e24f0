import { ServiceError, isGrpcServiceError } from '@temporalio/client';
import { CodetetherError } from '../../domain/errors.ts';

/** gRPC status codes (google.rpc.Code) that say: not now. */
const unreachableCodes: ReadonlySet<number> = new Set([
  1, // CANCELLED: the connection was closed
  4, // DEADLINE_EXCEEDED
  8, // RESOURCE_EXHAUSTED
  14, // UNAVAILABLE
]);

/** Turns what the Temporal client throws into `engine-unreachable` where it is that; else returns it as it is. */
export function engineError(error: unknown): unknown {
  const status = grpcStatus(error);
  if (status === undefined || !unreachableCodes.has(status.code)) return error;
  return new CodetetherError('engine-unreachable', `the Temporal engine does not answer: ${status.details}`, {
    cause: error,
  });
}

export function grpcStatus(error: unknown): { readonly code: number; readonly details: string } | undefined {
  const inner = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(inner) ? { code: inner.code, details: inner.details } : undefined;
}
