import type { ConformanceCard } from '../../domain/a2a/conformance.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { isLoopback } from '../config/loopback.ts';

/** An address for everybody who has a token. */
export interface HttpAddress {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** PEM. Without it only loopback addresses are served. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
  /** Serve in clear beyond this machine: something in front does TLS. */
  readonly allowPlain?: boolean;
  /** For the official kits: whoever comes without a credential is taken, so only loopback addresses are served. */
  readonly conformance?: ConformanceCard | undefined;
  /** A2A over gRPC at the same host, with the same TLS. */
  readonly grpc?: GrpcListener | undefined;
}

export interface GrpcListener {
  /** 0: any that is free. */
  readonly port: number;
  /** PEM of an authority: whoever connects needs a certificate of it, beside a credential. */
  readonly clientCa?: Buffer | undefined;
}

/** @throws `usage` for an address at which tokens would travel in clear, or at which others would be taken for the kits */
export function requireSafeAddress({ host, tls, allowPlain, conformance }: Omit<HttpAddress, 'grpc'>): void {
  if (conformance !== undefined && !isLoopback(host)) {
    throw new CodetetherError('usage', `${host} can be reached from other machines, and --conformance takes anybody`, {
      next: 'Leave --host away.',
    });
  }
  if (tls !== undefined || allowPlain === true || isLoopback(host)) return;
  throw new CodetetherError('usage', `${host} can be reached from other machines, and tokens would travel in clear`, {
    next: 'Give --tls-cert and --tls-key; or --allow-plain-http where something in front does TLS.',
  });
}
