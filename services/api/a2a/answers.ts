import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiDeps } from '../deps.ts';
import { cardDocument } from './agent-card.ts';
import { createCalls } from './calls.ts';
import type { CallContext } from './calls.ts';
import { addressesOf, versionOf } from './http-call.ts';
import { answerJsonRpc } from './json-rpc.ts';
import { answerRest } from './rest.ts';
import type { RestAnswer } from './rest.ts';

export type Answer = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** How requests of A2A over HTTP are answered. */
export interface Answers {
  readonly jsonRpc: Answer;
  readonly rest: RestAnswer;
  readonly card: Answer;
  readonly keySet: Answer;
}

const cacheControl = 'public, max-age=300';
/** A card is what the process is. */
const since = new Date(performance.timeOrigin).toUTCString();

export function createAnswers(deps: ApiDeps, context: CallContext): Answers {
  const calls = createCalls(deps, context);
  const { cards } = calls;
  return {
    jsonRpc: answerJsonRpc(deps, calls),
    rest: answerRest(deps, calls),
    card: async (request, reply) => {
      const card = await cards.signedCard(addressesOf(request, deps));
      const isPure = deps.conformance !== undefined && deps.conformance !== 'hybrid';
      const { text, etag } = cardDocument(card, isPure ? '1.0' : versionOf(request, '0.3'));
      reply
        .header('cache-control', cacheControl)
        .header('vary', 'A2A-Version, Host')
        .header('last-modified', since)
        .header('etag', etag);
      if (request.headers['if-none-match'] === etag) return await reply.code(304).send();
      return await reply.type('application/json').send(text);
    },
    keySet: async (_request, reply) =>
      await reply
        .header('cache-control', cacheControl)
        .type('application/jwk-set+json')
        .send(JSON.stringify(cards.keySet)),
  };
}
