import { fastify } from 'fastify';
import type { FastifyInstance } from 'fastify';
import OpenAI, { RateLimitError } from 'openai';
import type { ChatCompletionMessageParam, ChatCompletionTool } from 'openai/resources/chat/completions';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { permissions } from '../../domain/access/permissions.ts';
import { createApp } from '../../services/api/app.ts';
import { authenticateByToken } from '../../services/api/authenticate.ts';
import { currentTenant, inTenant } from '../../services/store/current-tenant.ts';
import { openDatabase } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { fixtureUsage, startModelServer, startWireServer } from '../support/model-server.ts';
import type { ModelServer, WireServer } from '../support/model-server.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { withTestStore } from '../support/store.ts';
import { apiDeps, chatDeps, createToken } from './api-fixtures.ts';

const long = '0123456789'.repeat(12);
const weather = { name: 'weather', arguments: { city: 'Bern' } };
const weatherTool: ChatCompletionTool = {
  type: 'function',
  function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
};
const model = 'openai-compatible/some-model';

let store: PostgresStore;
let database: TestDatabase;
let server: ModelServer;
let app: FastifyInstance;
let client: OpenAI;
const apps: FastifyInstance[] = [];
const wires: WireServer[] = [];

withTestStore(
  (opened, own) => {
    [store, database] = [opened, own];
  },
  { tenant: currentTenant },
);

/** Of a process that asks models at `url`, with the given token. */
async function serve(url: string, { maxCostUsd = null, token }: { maxCostUsd?: number | null; token?: string } = {}) {
  const local = await createApp(apiDeps(store));
  const made = token ?? (await createToken(local, { name: 'chat', role: 'operator' })).token;
  await local.close();
  const served = await createApp({
    ...apiDeps(store),
    authenticate: authenticateByToken(store),
    chat: async () => chatDeps(store, url, maxCostUsd),
  });
  apps.push(served);
  const baseURL = `${await served.listen({ host: '127.0.0.1', port: 0 })}/v1`;
  return { app: served, token: made, client: new OpenAI({ baseURL, apiKey: made, maxRetries: 0 }) };
}

async function wire(...answer: Parameters<typeof startWireServer>): Promise<WireServer> {
  const started = await startWireServer(...answer);
  wires.push(started);
  return started;
}

beforeAll(async () => {
  server = await startModelServer([
    {
      match: { userMessage: 'weather', hasToolResult: true },
      response: { content: 'It rains in Bern.', usage: fixtureUsage(2000, 50) },
    },
    {
      match: { userMessage: 'weather' },
      response: { content: 'I look.', toolCalls: [weather, weather], usage: fixtureUsage(1000, 100) },
    },
    { match: { userMessage: 'hello' }, response: { content: 'Hello.', usage: fixtureUsage(1000, 100) } },
    {
      match: { userMessage: 'too fast' },
      response: { error: { message: 'Rate limited', type: 'rate_limit_error' }, status: 429, retryAfter: 3 },
    },
    {
      match: { userMessage: 'bad key' },
      response: { error: { message: 'no', type: 'authentication_error' }, status: 401 },
    },
    {
      match: { userMessage: 'endless' },
      response: {
        error: { message: 'maximum context length', type: 'invalid_request_error', code: 'context_length_exceeded' },
        status: 400,
      },
    },
    { match: { userMessage: 'broken' }, response: { error: { message: 'boom', type: 'server_error' }, status: 500 } },
    {
      match: { userMessage: 'slowly' },
      response: { content: long, usage: fixtureUsage(10, 10) },
      chunkSize: 10,
      latency: 200,
    },
    { match: { userMessage: 'cut' }, response: { content: long }, chunkSize: 10, latency: 20, truncateAfterChunks: 4 },
  ]);
  ({ app, client } = await serve(server.url));
});
afterEach(async () => await Promise.all(wires.splice(0).map(async (each) => await each.stop())));
afterAll(async () => {
  await Promise.all(apps.map(async (each) => await each.close()));
  await server.stop();
});

const ask = (content: string) => ({ model, messages: [{ role: 'user' as const, content }] });
const asked = (content: string) =>
  server.requests().filter(({ body }) => JSON.stringify(body).includes(JSON.stringify(content))).length;
const spent = async () => await inTenant('default', async () => await store.readStats({ limit: 20 }));

interface Call {
  readonly key: string;
  readonly run_id: string;
  readonly status: string;
  readonly output_tokens: number;
  readonly reserved_usd: number;
}

async function calls(): Promise<readonly Call[]> {
  const opened = openDatabase({ databaseUrl: database.url, tenant: 'default' });
  const rows = await opened
    .selectFrom('model_call')
    .select(['key', 'run_id', 'status', 'output_tokens', 'reserved_usd'])
    .orderBy('created_at')
    .execute();
  await opened.destroy();
  return rows;
}

test('a conversation with tools, streamed and not, counts in the stats with its price', async () => {
  const before = await spent();
  const messages: ChatCompletionMessageParam[] = [{ role: 'user', content: 'weather' }];
  const tools = [weatherTool];
  const first = await client.chat.completions.create({ model, messages, tools });
  const [choice] = first.choices;
  expect(choice).toMatchObject({ finish_reason: 'tool_calls', message: { content: 'I look.' } });
  expect(choice?.message.tool_calls).toHaveLength(2);
  expect(first.usage).toMatchObject({ prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 });
  if (choice === undefined) throw new Error('no choice');
  messages.push(choice.message);
  for (const call of choice.message.tool_calls ?? [])
    messages.push({ role: 'tool', tool_call_id: call.id, content: 'rain' });
  const runner = client.chat.completions.stream({ model, messages, tools, stream_options: { include_usage: true } });
  const pieces: string[] = [];
  runner.on('content', (delta) => pieces.push(delta));
  const last = await runner.finalChatCompletion();
  expect(last.choices[0]?.message.content).toBe('It rains in Bern.');
  expect(last.usage).toMatchObject({ prompt_tokens: 2000, completion_tokens: 50 });
  expect(pieces.join('')).toBe('It rains in Bern.');
  const after = await spent();
  expect(after.requests - before.requests).toBe(2);
  // $5 and $25 per million, as for every model whose price is not known.
  expect(after.usage.costUsd - before.usage.costUsd).toBeCloseTo((3000 * 5 + 150 * 25) / 1e6, 9);
  expect([after.runs, after.sessions]).toEqual([before.runs, before.sessions]);
});

test('calls of tools are streamed whole, and one of them where no more are wanted', async () => {
  const runner = client.chat.completions.stream({
    ...ask('weather'),
    tools: [weatherTool],
    parallel_tool_calls: false,
  });
  const { choices } = await runner.finalChatCompletion();
  expect(choices[0]?.finish_reason).toBe('tool_calls');
  expect(choices[0]?.message.tool_calls?.map((call) => (call.type === 'function' ? call.function : call))).toEqual([
    expect.objectContaining({ name: 'weather', arguments: '{"city":"Bern"}' }),
  ]);
});

test('what is wished of the answer reaches the provider', async () => {
  const chunk = (delta: object, finish: string | null) => ({
    id: '1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
  const { url, requests } = await wire((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const call = { index: 0, id: 'c1', type: 'function', function: { name: 'weather', arguments: '{}' } };
    for (const each of [chunk({ role: 'assistant', tool_calls: [call] }, null), chunk({}, 'tool_calls')])
      response.write(`data: ${JSON.stringify(each)}\n\n`);
    response.end('data: [DONE]\n\n');
  });
  const other = await serve(url);
  await other.client.chat.completions.create({
    model,
    messages: [
      { role: 'developer', content: 'be brief' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'json ' },
          { type: 'text', text: 'please' },
        ],
      },
    ],
    tools: [weatherTool],
    tool_choice: { type: 'function', function: { name: 'weather' } },
    response_format: { type: 'json_object' },
    temperature: 0.5,
    top_p: 0.9,
    seed: 7,
    stop: ['END'],
    max_completion_tokens: 77,
  });
  expect(requests()[0]?.body).toMatchObject({
    messages: [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: 'json please' },
    ],
    tools: [{ type: 'function', function: { name: 'weather' } }],
    tool_choice: { type: 'function', function: { name: 'weather' } },
    response_format: { type: 'json_object' },
    temperature: 0.5,
    top_p: 0.9,
    seed: 7,
    stop: ['END'],
    max_tokens: 77,
  });
});

test('models are listed, and told one by one', async () => {
  const { url } = await startList();
  const other = await serve(url);
  const listed = await other.client.models.list();
  expect(listed.data.map(({ id }) => id)).toContain('openai-compatible/qwen');
  expect(await other.client.models.retrieve('openai-compatible/qwen')).toMatchObject({
    id: 'openai-compatible/qwen',
    object: 'model',
    owned_by: 'openai-compatible',
  });
  await expect(other.client.models.retrieve('openai-compatible/none')).rejects.toMatchObject({
    status: 404,
    code: 'model_not_found',
  });
});

/** A server that has a list of models and nothing else. */
async function startList(): Promise<{ readonly url: string }> {
  const list = fastify();
  list.get('/v1/models', async () => ({ object: 'list', data: [{ id: 'qwen' }] }));
  apps.push(list);
  return { url: await list.listen({ host: '127.0.0.1', port: 0 }) };
}

test('failures are those that clients of OpenAI know', async () => {
  const failure = async (body: object) =>
    await client.chat.completions.create(body as Parameters<typeof client.chat.completions.create>[0]).then(
      () => 'none',
      (error: unknown) => error,
    );
  expect(await failure(ask('too fast'))).toBeInstanceOf(RateLimitError);
  expect(await failure(ask('too fast'))).toMatchObject({
    status: 429,
    code: 'rate_limit_exceeded',
    type: 'rate_limit_error',
  });
  const limited = await fetch(`${client.baseURL}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${client.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...ask('too fast'), stream: true }),
  });
  expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '3']);
  // A key of ours that the provider does not take is none of theirs.
  expect(await failure(ask('bad key'))).toMatchObject({ status: 502, code: 'provider_refused' });
  expect(await failure(ask('endless'))).toMatchObject({ status: 400, code: 'context_length_exceeded' });
  expect(await failure(ask('broken'))).toMatchObject({ status: 502 });
  expect(await failure(ask('cut'))).toMatchObject({ status: 502 });
  expect(await failure({ ...ask('hello'), n: 2 })).toMatchObject({ status: 400, param: 'n', code: 'invalid_request' });
  expect(await failure({ ...ask('hello'), model: 'gpt-5' })).toMatchObject({ status: 404, code: 'model_not_found' });
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
  expect(await failure({ model, messages: [{ role: 'user', content: [image] }] })).toMatchObject({
    status: 400,
    param: 'messages.0.content',
    message: expect.stringContaining('images'),
  });
  const open = { id: 'c1', type: 'function', function: { name: 'weather', arguments: '{}' } };
  expect(
    await failure({
      model,
      messages: [
        { role: 'assistant', content: null, tool_calls: [open] },
        { role: 'user', content: 'x' },
      ],
    }),
  ).toMatchObject({ status: 400, param: 'messages.1' });
  const wrong = new OpenAI({ baseURL: client.baseURL, apiKey: 'ct_default_000000000000_x', maxRetries: 0 });
  await expect(wrong.models.list()).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
  const { token } = await createToken(await createdLocal(), {
    name: 'no models',
    permissions: permissions.filter((permission) => permission !== 'models:use'),
  });
  const others = new OpenAI({ baseURL: client.baseURL, apiKey: token, maxRetries: 0 });
  await expect(others.chat.completions.create(ask('hello'))).rejects.toMatchObject({ status: 403 });
  // A failure that costs nothing holds nothing; what broke off is paid as far as it came.
  expect((await calls()).filter(({ status }) => status === 'reserved')).toEqual([]);
});

async function createdLocal(): Promise<FastifyInstance> {
  const local = await createApp(apiDeps(store));
  apps.push(local);
  return local;
}

test('a client that goes away ends the provider’s call, which is paid as far as it came', async () => {
  const closed = Promise.withResolvers<void>();
  const { url } = await wire((response) => {
    response.once('close', () => closed.resolve());
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const chunk = { id: '1', created: 1, model: 'm', choices: [{ index: 0, delta: { content: 'a long story ' } }] };
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  });
  const other = await serve(url);
  const before = (await calls()).length;
  const stream = await other.client.chat.completions.create({ ...ask('tell'), stream: true });
  for await (const { choices } of stream) if (choices[0]?.delta.content === 'a long story ') break;
  await closed.promise;
  await expect
    .poll(async () => (await calls()).slice(before))
    .toEqual([expect.objectContaining({ status: 'answered', output_tokens: expect.any(Number), reserved_usd: 0 })]);
  expect((await calls()).at(-1)?.output_tokens).toBeGreaterThan(0);
});

test('with one key a question is asked once: its answer comes again, whole or in pieces, at any process', async () => {
  const again = await serve(server.url, { token: client.apiKey ?? '' });
  const before = asked('hello');
  for (const stream of [false, true]) {
    const headers = { 'Idempotency-Key': `once-${stream}` };
    const answers: string[] = [];
    for (const each of [client, again.client]) {
      const { data, response } = await (stream
        ? each.chat.completions.create({ ...ask('hello'), stream }, { headers }).withResponse()
        : each.chat.completions.create(ask('hello'), { headers }).withResponse());
      if ('choices' in data) answers.push(`${data.id} ${data.choices[0]?.message.content}`);
      else {
        let text = '';
        let id = '';
        for await (const chunk of data) {
          text += chunk.choices[0]?.delta.content ?? '';
          id = chunk.id;
        }
        answers.push(`${id} ${text}`);
      }
      expect(response.headers.get('idempotency-replayed')).toBe(each === client ? null : 'true');
    }
    expect(answers[0]).toMatch(/^chatcmpl-\S+ Hello\.$/);
    expect(answers[1]).toBe(answers[0]);
  }
  expect(asked('hello') - before).toBe(2);
});

test('while an answer is streamed nobody else asks with its key, and afterwards it is given again', async () => {
  const headers = { 'Idempotency-Key': 'slow' };
  const stream = await client.chat.completions.create({ ...ask('slowly'), stream: true }, { headers });
  const twin = client.chat.completions.create({ ...ask('slowly'), stream: true }, { headers });
  await expect(twin).rejects.toMatchObject({ status: 409 });
  let text = '';
  for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
  expect(text).toBe(long);
  const patient = new OpenAI({ baseURL: client.baseURL, apiKey: client.apiKey, maxRetries: 5 });
  let other = '';
  for await (const { choices } of await patient.chat.completions.create(
    { ...ask('slowly'), stream: true },
    { headers },
  ))
    other += choices[0]?.delta.content ?? '';
  expect(other).toBe(long);
  expect(asked('slowly')).toBe(1);
});

test('a cap for a day holds, and what is held for a call counts', async () => {
  const capped = await serve(server.url, { maxCostUsd: 0.008 });
  await capped.client.chat.completions.create(ask('hello'));
  await expect(capped.client.chat.completions.create(ask('hello'))).rejects.toMatchObject({
    status: 429,
    code: 'insufficient_quota',
  });
  const own = (await calls()).filter(({ run_id: id }) => id.includes(capped.token.split('_')[2] ?? 'none'));
  expect(own).toHaveLength(1);
});

test('a script that is no file of a named workspace is not read for others', async () => {
  await expect(
    client.chat.completions.create({ ...ask('hello'), model: 'scripted//etc/passwd' }),
  ).rejects.toMatchObject({ status: 403 });
  expect(app.server.listening).toBe(true);
});
