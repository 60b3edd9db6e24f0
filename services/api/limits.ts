import type { FastifyInstance } from 'fastify';
import type { Principal } from '../../domain/access/permissions.ts';
import { CodetetherError } from '../../domain/errors.ts';

/** What one principal may ask of one process; this machine's own user is not limited. */
export interface Limits {
  /** On average; ten seconds' worth of them may come at once. */
  readonly requestsPerSecond: number;
  /** Event streams open at a time. */
  readonly streams: number;
}

export interface PrincipalLimits {
  /** @throws `rate-limited` */
  countRequest(principal: Principal): void;
  /** @returns what is called when the stream ends. @throws `rate-limited` */
  openStream(principal: Principal): () => void;
}

interface Bucket {
  readonly left: number;
  readonly at: number;
}

export const defaultLimits: Limits = { requestsPerSecond: 100, streams: 500 };
const burstSeconds = 10;
/** Buckets that are full again are forgotten when there are that many. */
const mostBuckets = 10_000;

export function createLimits({ requestsPerSecond, streams }: Limits): PrincipalLimits {
  const most = requestsPerSecond * burstSeconds;
  const buckets = new Map<string, Bucket>();
  const open = new Map<string, number>();
  const leftIn = ({ left, at }: Bucket, now: number): number =>
    Math.min(most, left + ((now - at) / 1000) * requestsPerSecond);
  return {
    countRequest: (principal) => {
      if (principal.isLocal) return;
      const who = nameOf(principal);
      const now = performance.now();
      const left = leftIn(buckets.get(who) ?? { left: most, at: now }, now);
      if (left < 1) throw limited('has asked too often', Math.ceil((1 - left) / requestsPerSecond));
      if (buckets.size >= mostBuckets) {
        for (const [each, bucket] of buckets) if (leftIn(bucket, now) === most) buckets.delete(each);
      }
      buckets.set(who, { left: left - 1, at: now });
    },
    openStream: (principal) => {
      if (principal.isLocal) return () => undefined;
      const who = nameOf(principal);
      const count = open.get(who) ?? 0;
      if (count >= streams) throw limited(`has ${count} event streams open`, 1);
      open.set(who, count + 1);
      return () => {
        const now = (open.get(who) ?? 1) - 1;
        if (now === 0) open.delete(who);
        else open.set(who, now);
      };
    },
  };

  function limited(what: string, retryAfterSeconds: number): CodetetherError {
    return new CodetetherError('rate-limited', `this credential ${what}`, { details: { retryAfterSeconds } });
  }
}

/** After it is known who asks. */
export function limitRequests(app: FastifyInstance, limits: PrincipalLimits): void {
  app.addHook('onRequest', async ({ principal }) => {
    if (principal !== null) limits.countRequest(principal);
  });
}

function nameOf({ tenant, id }: Principal): string {
  return `${tenant} ${id}`;
}
