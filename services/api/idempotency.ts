import { createHash, randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { RequestKey, RequestStore } from '../../domain/contracts/store.ts';
import { CodetetherError, toProblem } from '../../domain/errors.ts';
import { inTenant } from '../store/current-tenant.ts';
import { principalOf } from './permissions.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Its answer holds a secret: it is not kept, and a repetition is told what there is instead. */
    readonly secretAnswer?: boolean;
  }
  interface FastifyRequest {
    /** Of a request that came with a key and is being done; null otherwise. */
    once: Once | null;
  }
}

interface Once extends RequestKey {
  readonly requestId: string;
  readonly renewal: NodeJS.Timeout;
  /** Of an answer that is streamed. */
  work?: Promise<unknown>;
}

/** Header of an answer that was given before. */
export const replayed = ['idempotency-replayed', 'true'] as const;

/** A request that is being done is renewed; one of a process that died can be done again after this. */
const holdMs = 15_000;
const renewMs = 5_000;
const retryAfterSeconds = 1;

const Key = z.string().regex(/^[\x21-\x7e]{1,255}$/);
const MadeToken = z.object({ tokenId: z.string() });

/**
 * A POST below `/v1/` that comes with an `Idempotency-Key` is done once within 24 hours, by whichever process: who sends it again gets
 * the first answer, also a failure that stays one. What could not be done for now (5xx, 429) is done again, under the same
 * {@link requestIdOf}. To be called after permissions are required. Throws `request-invalid`, `idempotency-key-reused`,
 * `request-under-way`.
 */
export function answerOnce(app: FastifyInstance, store: RequestStore): void {
  app.decorateRequest('once', null);
  app.addHook('preHandler', async (request, reply) => {
    const given = request.headers['idempotency-key'];
    if (given === undefined || request.method !== 'POST' || !isOurs(request)) return;
    const parsed = Key.safeParse(given);
    if (!parsed.success) {
      throw new CodetetherError('request-invalid', undefined, {
        problems: ['Idempotency-Key: expected 1 to 255 visible ASCII characters'],
      });
    }
    const id = { principal: principalOf(request).id, key: parsed.data };
    const begun = await store.beginRequest({ ...id, requestHash: hashOf(request), holdMs });
    switch (begun.kind) {
      case 'begun': {
        const renewal = setInterval(() => {
          store.holdRequest(id, holdMs).catch(() => {
            // The next renewal, or the answer, is as good.
          });
        }, renewMs).unref();
        request.once = { ...id, requestId: begun.requestId, renewal };
        return;
      }
      case 'another':
        throw new CodetetherError('idempotency-key-reused');
      case 'under-way':
        throw new CodetetherError('request-under-way', undefined, { details: { retryAfterSeconds } });
      case 'answered': {
        const { status, contentType, body } = begun.answer;
        return await reply
          .code(status)
          .headers({ 'content-type': contentType, [replayed[0]]: replayed[1] })
          .serializer((text: string) => text)
          .send(body);
      }
    }
  });
  // Before a byte of it leaves: whoever has the answer gets the same again.
  app.addHook('onSend', async (request, reply, payload) => {
    const { once } = request;
    if (once === null) return payload;
    request.once = null;
    if (once.work !== undefined && typeof payload !== 'string') {
      void releaseAfter(once.work, { once, store, tenant: principalOf(request).tenant });
      return payload;
    }
    clearInterval(once.renewal);
    await inTenant(principalOf(request).tenant, async () => {
      const { statusCode: status } = reply;
      if (status >= 500 || status === 429 || typeof payload !== 'string') return await store.holdRequest(once, 0);
      const isSecret = request.routeOptions.config.secretAnswer === true && status < 300;
      const contentType = String(reply.getHeader('content-type') ?? 'application/json');
      await store.answerRequest(once, isSecret ? notRepeatable(payload) : { status, contentType, body: payload });
    });
    return payload;
  });
}

/** The same for each time that a request with a key is done; a new one without a key. */
export function requestIdOf({ once }: FastifyRequest): string {
  return once?.requestId ?? randomUUID();
}

/**
 * While an answer is streamed, nobody else does the same request; once it is over, who sends it again may: what does the work gives the same
 * answer again. `work` does not reject.
 */
export function holdWhile({ once }: FastifyRequest, work: Promise<unknown>): void {
  if (once !== null) once.work = work;
}

async function releaseAfter(
  work: Promise<unknown>,
  { once, store, tenant }: { readonly once: Once; readonly store: RequestStore; readonly tenant: string },
): Promise<void> {
  await work;
  clearInterval(once.renewal);
  await inTenant(tenant, async () => await store.holdRequest(once, 0)).catch(() => {
    // It is not held for longer than it was renewed for.
  });
}

function isOurs({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.config.protocol === undefined && (routeOptions.url ?? '').startsWith('/v1/');
}

function hashOf({ method, url, body }: FastifyRequest): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([method, url, body ?? null]))
    .digest();
}

function notRepeatable(payload: string) {
  const { tokenId } = MadeToken.parse(JSON.parse(payload));
  const problem = toProblem(new CodetetherError('answer-not-repeatable', undefined, { details: { tokenId } }));
  return { status: problem.status, contentType: 'application/problem+json', body: JSON.stringify(problem) };
}
