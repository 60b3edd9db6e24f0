import { Readable } from 'node:stream';
import { Extensions } from '@a2a-js/sdk';
import type { AgentCard } from '@a2a-js/sdk';
import { LegacyJsonRpcTransportHandler } from '@a2a-js/sdk/compat/v0_3/server';
import { A2A_ERROR_CODE, ContentTypeNotSupportedError, VersionNotSupportedError } from '@a2a-js/sdk/errors';
import { JsonRpcTransportHandler, ServerCallContext } from '@a2a-js/sdk/server';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { ApiDeps } from '../deps.ts';
import { cardPaths, principalOf, requirePermission } from '../permissions.ts';
import { addressOf } from '../protected-resource.ts';
import { agentCard, cardDocument } from './agent-card.ts';
import { createCardSigner, keySetPath } from './card-signer.ts';
import { Envelope, problemOf, writingMethods } from './request-shape.ts';
import { callerKey, createTaskHandler } from './task-handler.ts';
import type { Caller } from './task-handler.ts';

const bodyLimit = 4 * 1024 * 1024;
const defaultPingMs = 15_000;
/** The original's paths are among them; some clients end an address with a slash. */
const jsonRpcPaths = ['/', '/a2a/jsonrpc', '/a2a/jsonrpc/', '/v1/a2a'];
const legacyVersion = '0.3';

/** A2A 1.0 and 0.3 over JSON-RPC, by the version that the request names; 0.3 where it names none. */
export function a2aRoutes(deps: ApiDeps, closing: AbortSignal): FastifyPluginAsync {
  const since = new Date().toUTCString();
  const signer = deps.keyRing && createCardSigner(deps.keyRing);
  return async (app) => {
    // Whatever it is, whoever speaks JSON-RPC is answered in it.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'string', bodyLimit }, (_request, body, done) => done(null, body));

    for (const url of jsonRpcPaths)
      app.post(url, { bodyLimit, config: { permission: 'runs:read' } }, async (request, reply) => {
        return await answer(request, reply);
      });

    for (const url of cardPaths)
      app.get(url, { exposeHeadRoute: false }, async (request, reply) => {
        const { version, conformance } = deps;
        const card = await signed(agentCard({ origin: addressOf(request, deps), version, conformance }));
        const isPure = conformance !== undefined && conformance !== 'hybrid';
        const { text, etag } = cardDocument(card, isPure ? '1.0' : versionOf(request));
        reply
          .header('cache-control', 'public, max-age=300')
          .header('vary', 'A2A-Version, Host')
          .header('last-modified', since)
          .header('etag', etag);
        if (request.headers['if-none-match'] === etag) return await reply.code(304).send();
        return await reply.type('application/json').send(text);
      });

    app.get(keySetPath, { exposeHeadRoute: false }, async (_request, reply) => {
      return await reply
        .header('cache-control', 'public, max-age=300')
        .type('application/jwk-set+json')
        .send(JSON.stringify(signer?.keySet ?? { keys: [] }));
    });
  };

  /** An address that whoever asks can make up is not signed. */
  async function signed(card: AgentCard): Promise<AgentCard> {
    const { publicUrl } = deps;
    if (signer === undefined || publicUrl === undefined) return card;
    return await signer.sign(card, `${publicUrl.replace(/\/+$/, '')}${keySetPath}`);
  }

  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const version = versionOf(request);
    const isLegacy = version === legacyVersion;
    const failure = (id: unknown, error: unknown) => ({
      jsonrpc: '2.0',
      id: typeof id === 'string' || typeof id === 'number' ? id : null,
      error: isLegacy
        ? LegacyJsonRpcTransportHandler.mapToLegacyJSONRPCError(error)
        : JsonRpcTransportHandler.mapToJSONRPCError(error),
    });
    const fail = async (id: unknown, error: unknown): Promise<FastifyReply> => await reply.send(failure(id, error));
    const refuse = async (id: unknown, code: number, message: string): Promise<FastifyReply> =>
      await reply.send({
        jsonrpc: '2.0',
        id: typeof id === 'string' || typeof id === 'number' ? id : null,
        error: { code, message },
      });

    if (!/^application\/(?:a2a\+)?json\b/i.test(request.headers['content-type'] ?? ''))
      return await fail(null, new ContentTypeNotSupportedError('send application/json'));
    const body = parsed(request.body);
    if (body === undefined) return await refuse(null, A2A_ERROR_CODE.PARSE_ERROR, 'the body is no JSON');
    const envelope = Envelope.safeParse(body);
    if (!envelope.success)
      return await refuse(
        Reflect.get(Object(body), 'id'),
        A2A_ERROR_CODE.INVALID_REQUEST,
        'the body is no JSON-RPC 2.0 request',
      );
    const { id, method, params } = envelope.data;
    if (version !== '1.0' && !isLegacy)
      return await fail(id, new VersionNotSupportedError(`A2A ${version} is not spoken; 1.0 and 0.3 are`));
    const principal = principalOf(request);
    if (writingMethods.has(method))
      await requirePermission(principal, 'runs:write', {
        action: `A2A ${method}`,
        appendAudit: deps.store.appendAudit,
      });
    const problem = problemOf(method, params);
    if (problem !== undefined) return await refuse(id, A2A_ERROR_CODE.INVALID_PARAMS, problem);

    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    if (reply.raw.destroyed) gone.abort();
    const caller: Caller = { principal, version, signal: AbortSignal.any([gone.signal, closing]) };
    const context = new ServerCallContext({
      requestedVersion: version,
      requestedExtensions: Extensions.parseServiceParameter(
        header(request, 'a2a-extensions') ?? header(request, 'x-a2a-extensions'),
      ),
      user: { isAuthenticated: true, userName: principal.id },
      state: new Map([[callerKey, caller]]),
    });
    const origin = addressOf(request, deps);
    const handler = createTaskHandler(deps, {
      card: () => agentCard({ origin, version: deps.version, conformance: deps.conformance }),
      extendedCard: async () => {
        const workspaces = (await deps.store.listNamedWorkspaces()).map(({ name }) => name);
        return await signed(agentCard({ origin, version: deps.version, workspaces }));
      },
    });
    const transport = isLegacy ? new LegacyJsonRpcTransportHandler(handler) : new JsonRpcTransportHandler(handler);
    const answered: unknown = await transport.handle(envelope.data, context);
    if (!isStream(answered)) return await reply.send(answered);

    // What is wrong with the request is known before the stream begins.
    const events = answered[Symbol.asyncIterator]();
    let first: IteratorResult<unknown>;
    try {
      first = await events.next();
    } catch (error) {
      // Clients of 0.3 read nothing but a stream where they have asked for one.
      return isLegacy
        ? await stream(reply).send(`data: ${JSON.stringify(failure(id, error))}\n\n`)
        : await fail(id, error);
    }
    return await stream(reply).send(
      Readable.from(serverSentEvents(first, events, deps.pingMs ?? defaultPingMs), { objectMode: false }),
    );
  }
}

function stream(reply: FastifyReply): FastifyReply {
  return reply
    .header('content-type', 'text/event-stream; charset=utf-8')
    .header('cache-control', 'no-cache, no-transform')
    .header('x-accel-buffering', 'no');
}

/** The next event is asked for when the reader has taken the last; a silent stream says that it is there. */
async function* serverSentEvents(
  first: IteratorResult<unknown>,
  events: AsyncIterator<unknown>,
  pingMs: number,
): AsyncGenerator<string, void, undefined> {
  try {
    let next = first;
    while (next.done !== true) {
      yield `data: ${JSON.stringify(next.value)}\n\n`;
      const coming = events.next();
      for (;;) {
        const came = await within(coming, pingMs);
        if (came !== undefined) {
          next = came;
          break;
        }
        yield ': ping\n\n';
      }
    }
  } finally {
    await events.return?.();
  }
}

async function within<T>(coming: Promise<T>, ms: number): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), ms);
  try {
    return await Promise.race([coming, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** `1.0.1` is 1.0: patches take no part. */
function versionOf(request: FastifyRequest): string {
  const query: unknown = Reflect.get(Object(request.query), 'A2A-Version');
  const named = header(request, 'a2a-version') ?? (typeof query === 'string' ? query : undefined);
  const version = named === undefined || named.trim() === '' ? legacyVersion : named.trim();
  return /^(\d+\.\d+)\.\d+$/.exec(version)?.[1] ?? version;
}

function header({ headers }: FastifyRequest, name: string): string | undefined {
  return [headers[name]].flat()[0];
}

function parsed(body: unknown): unknown {
  try {
    return JSON.parse(typeof body === 'string' ? body : '');
  } catch {
    return undefined;
  }
}

function isStream(answered: unknown): answered is AsyncIterable<unknown> {
  return typeof answered === 'object' && answered !== null && Symbol.asyncIterator in answered;
}
