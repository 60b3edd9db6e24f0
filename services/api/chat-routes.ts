import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ChatOptions, GivenAnswer } from '../../activities/model/chat.ts';
import { ChatCompletion, ChatRequest, ModelListView, ModelView, OpenAiError } from '../../domain/contracts/openai.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { requireAllowed } from './allowed-paths.ts';
import { createChunks, toCompletion, toQuestion } from './chat-wire.ts';
import type { ApiDeps } from './deps.ts';
import { holdWhile, replayed, requestIdOf } from './idempotency.ts';
import { answerWithOpenAiErrors, toOpenAiError } from './openai-errors.ts';
import { principalOf } from './permissions.ts';
import { knownError } from './problems.ts';
import { challenge } from './protected-resource.ts';
import { asStream, defaultPingMs, eventStreamType, openStream, whenGone } from './stream-reply.ts';
import type { StreamCounts } from './stream-reply.ts';
import { within } from './within.ts';

/** A long conversation is larger than other bodies. */
const bodyLimit = 8 * 1024 * 1024;
/** A failure before that is an HTTP status; after it the stream begins, so that nobody takes a model that thinks for dead. */
const firstWordMs = 10_000;
const answers = { 200: ['text/event-stream'] } as const;

/** One for all: each would cost a stack trace. */
const hasGone = new CodetetherError('provider-unreachable', 'the call was ended: whoever asked has gone');

const ModelParams = z.object({ model: z.string().min(1).max(300) });

/** Models for clients of OpenAI. Each answer is paid by the principal's run of the day, and given again to whoever asks with its key again. */
export function chatRoutes(deps: ApiDeps, context: StreamCounts): FastifyPluginAsyncZod {
  const { pingMs = defaultPingMs } = deps;
  return async (app) => {
    answerWithOpenAiErrors(app, (request) => challenge(request, deps));

    app.get(
      '/v1/models',
      {
        config: { permission: 'models:use', summary: 'Models that can be asked', errors: OpenAiError },
        schema: { response: { 200: ModelListView } },
      },
      async (): Promise<ModelListView> => ({ object: 'list', data: await listModels() }),
    );

    app.get(
      '/v1/models/:model',
      {
        config: { permission: 'models:use', summary: 'One model', errors: OpenAiError },
        schema: { params: ModelParams, response: { 200: ModelView } },
      },
      async ({ params }) => {
        const found = (await listModels()).find(({ id }) => id === params.model);
        if (found === undefined) throw new CodetetherError('not-found', `there is no model ${params.model}`);
        return found;
      },
    );

    app.post(
      '/v1/chat/completions',
      {
        bodyLimit,
        config: { permission: 'models:use', summary: 'Ask a model', errors: OpenAiError, answers },
        schema: { body: ChatRequest, response: { 200: ChatCompletion } },
      },
      async (request, reply) => {
        const { body } = request;
        const principal = principalOf(request);
        await requireAllowed(deps, principal, { paths: [], models: [body.model] });
        const question = toQuestion(body);
        const { chat, maxCostUsd } = await deps.chat();
        const runId = await deps.store.openChatRun({
          principal: principal.id,
          day: new Date().toISOString().slice(0, 10),
          maxCostUsd,
        });
        const requestId = requestIdOf(request);
        const ask = async (options: Pick<ChatOptions, 'signal' | 'onText'>) =>
          await chat(question, { ...options, runId, key: `chat:${requestId}`, isKept: request.once !== null });
        const envelope = { id: `chatcmpl-${requestId}`, model: body.model };
        if (body.stream !== true) {
          const { answer, isRepeated } = await ask({ signal: whenGone(reply, hasGone), onText: () => undefined });
          if (isRepeated) reply.header(...replayed);
          return toCompletion(envelope, answer);
        }
        const hasUsage = body.stream_options?.include_usage === true;
        return await sendChunks({ request, reply }, { ask, chunks: createChunks(envelope, { hasUsage }) });
      },
    );
  };

  async function listModels(): Promise<ModelView[]> {
    const { models } = await deps.chat();
    const ids = await models();
    return ids.map((id) => ({ id, object: 'model', created: 0, owned_by: id.slice(0, id.indexOf('/')) }));
  }

  async function sendChunks(
    { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
    { ask, chunks }: StreamedChat,
  ): Promise<FastifyReply> {
    const end = openStream(context, principalOf(request));
    const pieces: string[] = [];
    let wake = Promise.withResolvers<'said'>();
    const asked = ask({
      signal: whenGone(reply, hasGone),
      onText: (delta) => {
        pieces.push(delta);
        wake.resolve('said');
      },
    });
    const over = settled(asked).finally(end);
    holdWhile(request, over);
    // A failure that comes before the first word still has a status of its own.
    if ((await within<'over' | 'said'>(firstWordMs, over, wake.promise)) === 'over') {
      const { isRepeated } = await asked;
      if (isRepeated) reply.header(...replayed);
    }
    const text = async function* (): AsyncGenerator<string, void, undefined> {
      let hasSaid = false;
      try {
        yield chunks.opening();
        for (let isOver = false; !isOver;) {
          wake = Promise.withResolvers();
          if (pieces.length === 0) {
            const next = await within<'over' | 'said'>(pingMs, over, wake.promise);
            if (next === 'late') yield ': ping\n\n';
            isOver = next === 'over' && pieces.length === 0;
          }
          const said = pieces.splice(0).join('');
          if (said === '') continue;
          hasSaid = true;
          yield chunks.text(said);
        }
        const { answer } = await asked;
        if (!hasSaid && answer.text !== '') yield chunks.text(answer.text);
        yield chunks.end(answer);
      } catch (error) {
        yield `data: ${JSON.stringify(toOpenAiError(knownError(error)).body)}\n\n`;
      }
    };
    return await asStream(reply, eventStreamType).send(Readable.from(text(), { objectMode: false }));
  }
}

interface StreamedChat {
  readonly ask: (options: Pick<ChatOptions, 'signal' | 'onText'>) => Promise<GivenAnswer>;
  readonly chunks: ReturnType<typeof createChunks>;
}

/** Never rejects. */
async function settled(work: Promise<unknown>): Promise<'over'> {
  await Promise.allSettled([work]);
  return 'over';
}
