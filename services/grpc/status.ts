import { A2AError } from '@a2a-js/sdk/errors';
import { buildGrpcErrorMetadata, grpcStatusFor } from '@a2a-js/sdk/errors/grpc';
import { Metadata, status } from '@grpc/grpc-js';
import { asCodetetherError } from '../../domain/errors.ts';

interface GrpcStatus {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** An error as gRPC tells it: those of A2A with `google.rpc.ErrorInfo`, those of the catalogue with their code; no stack. */
export function statusOf(error: unknown): GrpcStatus {
  if (error instanceof A2AError) {
    const metadata = buildGrpcErrorMetadata(Metadata, error) ?? new Metadata();
    return { code: codeOf(grpcStatusFor(error)), details: error.message, metadata };
  }
  const { code, message, details, entry } = asCodetetherError(error);
  const metadata = new Metadata();
  metadata.set('codetether-error', code);
  const { retryAfterSeconds } = details;
  if (typeof retryAfterSeconds === 'number') metadata.set('retry-after', String(retryAfterSeconds));
  return { code: codeOf(entry.grpc), details: code === 'internal' ? 'something went wrong' : message, metadata };
}

function codeOf(code: number): status {
  const name = Object.entries(status).find(([, value]) => Number(value) === code)?.[0];
  return name === undefined ? status.UNKNOWN : status[name as keyof typeof status];
}
