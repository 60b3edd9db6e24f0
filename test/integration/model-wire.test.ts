import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import type { AgentRules } from '../../domain/session/agents.ts';
import { createFakeModelStore } from '../support/fake-model-store.ts';
import { chat, chatTool, chatUsage, claude, claudeDone } from '../support/model-events.ts';
import { startWireServer, writeEvents } from '../support/model-server.ts';
import type { WireRequest, WireServer } from '../support/model-server.ts';
import { startSession } from '../support/model-step.ts';

let server: WireServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

/** One answer for each request, the last one for all that follow. */
async function serve(...answers: readonly ((response: ServerResponse) => void)[]): Promise<WireServer> {
  server = await startWireServer((response, number) => (answers[number] ?? answers.at(-1))?.(response));
  return server;
}

/** What these tests look at in a request. */
interface Body {
  readonly input: readonly object[];
  readonly max_tokens: number;
  readonly tools: readonly { readonly name: string; readonly input_schema: { readonly type: string } }[];
}

function bodyOf(request: WireRequest | undefined): Body {
  return request?.body as Body;
}

describe('what goes back to the model that gave it', () => {
  it('Anthropic: thinking with its signature, and redacted thinking, before the call they led to', async () => {
    const { url, requests } = await serve(
      (response) =>
        writeEvents(response, [
          claude.start,
          ...claude.block(
            0,
            { type: 'thinking', thinking: '', signature: '' },
            { type: 'thinking_delta', thinking: 'hm' },
            { type: 'signature_delta', signature: 'SIGNED' },
          ),
          ...claude.block(1, { type: 'redacted_thinking', data: 'ENCRYPTED' }),
          ...claude.tool(2, 'toolu_1', '{"path":"."}'),
          ...claude.end('tool_use'),
        ]),
      claudeDone,
    );
    const { step, result } = startSession(url, 'anthropic/claude-sonnet-4-5:low', 'look');
    expect(await step(1)).toMatchObject({
      stop: 'tool-calls',
      toolCalls: [{ id: 'toolu_1' }],
      usage: {
        inputTokens: 1000,
        cachedInputTokens: 80,
        outputTokens: 50,
        costUsd: (900 * 3 + 80 * 0.3 + 20 * 3.75 + 50 * 15) / 1e6,
      },
    });
    result('toolu_1', 'list', 'a.txt');
    await step(2);
    expect(requests()[1]?.body).toMatchObject({
      cache_control: { type: 'ephemeral' },
      thinking: { type: 'enabled', budget_tokens: 1638 },
      max_tokens: 8192,
      messages: [
        { role: 'user' },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'hm', signature: 'SIGNED' },
            { type: 'redacted_thinking', data: 'ENCRYPTED' },
            { type: 'tool_use', id: 'toolu_1', name: 'list', input: { path: '.' } },
          ],
        },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'a.txt' }] },
      ],
    });
  });

  it('Google: the thought signature of a call', async () => {
    const part = { functionCall: { name: 'list', args: { path: '.' } }, thoughtSignature: 'SIGNED' };
    const usageMetadata = { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 };
    const { url, requests } = await serve((response) =>
      writeEvents(response, [
        { candidates: [{ content: { role: 'model', parts: [part] }, finishReason: 'STOP' }], usageMetadata },
      ]),
    );
    const { step, result } = startSession(url, 'google/gemini-3.1-pro', 'look');
    const { toolCalls } = await step(1);
    result(toolCalls[0]?.id ?? '', 'list', 'a.txt');
    await step(2);
    expect(requests()[1]).toMatchObject({ path: expect.stringMatching(/^\/v1beta\/models\/gemini-3.1-pro:stream/) });
    expect(JSON.stringify(requests()[1]?.body)).toContain('"thoughtSignature":"SIGNED"');
    expect(JSON.stringify(requests()[1]?.body)).toContain('a.txt');
  });

  it('OpenAI: encrypted reasoning; nothing is left with it', async () => {
    const reasoning = { type: 'reasoning', id: 'rs_1', encrypted_content: 'ENCRYPTED', summary: [] };
    const call = {
      type: 'function_call',
      id: 'fc_1',
      call_id: 'call_1',
      name: 'list',
      arguments: '{"path":"."}',
      status: 'completed',
    };
    const { url, requests } = await serve((response) =>
      writeEvents(response, [
        { type: 'response.created', response: { id: 'r', created_at: 1, model: 'gpt-5' } },
        { type: 'response.output_item.added', output_index: 0, item: { ...reasoning, encrypted_content: '' } },
        { type: 'response.output_item.done', output_index: 0, item: reasoning },
        { type: 'response.output_item.added', output_index: 1, item: { ...call, arguments: '' } },
        { type: 'response.function_call_arguments.delta', item_id: 'fc_1', output_index: 1, delta: '{"path":"."}' },
        { type: 'response.output_item.done', output_index: 1, item: call },
        {
          type: 'response.completed',
          response: { usage: { input_tokens: 10, output_tokens: 5, input_tokens_details: { cached_tokens: 4 } } },
        },
      ]),
    );
    const { step, result } = startSession(url, 'openai/gpt-5:high', 'look');
    expect(await step(1)).toMatchObject({ toolCalls: [{ id: 'call_1' }], usage: { cachedInputTokens: 4 } });
    result('call_1', 'list', 'a.txt');
    await step(2);
    expect(requests()[1]?.body).toMatchObject({
      store: false,
      include: ['reasoning.encrypted_content'],
      reasoning: { effort: 'high' },
      max_output_tokens: 32_768,
    });
    const input = bodyOf(requests()[1]).input;
    expect(input).toContainEqual(expect.objectContaining({ type: 'reasoning', encrypted_content: 'ENCRYPTED' }));
    expect(input).toContainEqual(expect.objectContaining({ type: 'function_call', call_id: 'call_1' }));
    expect(input).toContainEqual({ type: 'function_call_output', call_id: 'call_1', output: 'a.txt' });
  });

  it('a compatible server: its reasoning; calls that all have the same id get their own', async () => {
    const { url, requests } = await serve((response) =>
      writeEvents(response, [
        chat({ role: 'assistant', reasoning_content: 'hm' }),
        chatTool('call_0', '{"path":"."}'),
        chat({}, 'tool_calls'),
        chatUsage,
      ]),
    );
    const { step, result } = startSession(url, 'openai-compatible/local', 'look');
    expect((await step(1)).toolCalls.map(({ id }) => id)).toEqual(['call_0']);
    result('call_0', 'list', 'first');
    expect((await step(2)).toolCalls.map(({ id }) => id)).toEqual(['2-1']);
    result('2-1', 'list', 'second');
    await step(3);
    expect(requests()[2]?.body).toMatchObject({
      stream_options: { include_usage: true },
      messages: [
        { role: 'system', content: 'You write software.' },
        { role: 'user', content: 'look' },
        { role: 'assistant', reasoning_content: 'hm', tool_calls: [{ id: 'call_0' }] },
        { role: 'tool', tool_call_id: 'call_0', content: 'first' },
        { role: 'assistant', tool_calls: [{ id: '2-1' }] },
        { role: 'tool', tool_call_id: '2-1', content: 'second' },
      ],
    });
    expect(requests()[2]?.headers['authorization']).toBe('Bearer sk-test-0123456789');
  });
});

describe('a request', () => {
  it('asks for no more output than the cap leaves room for', async () => {
    const { url, requests } = await serve(claudeDone);
    const store = createFakeModelStore({ caps: { maxTokens: 26_000 }, spent: { inputTokens: 15_000 } });
    await startSession(url, 'anthropic/claude-sonnet-4-5', 'hello', { store }).step();
    const { max_tokens } = bodyOf(requests()[0]);
    expect(max_tokens).toBeGreaterThan(256);
    expect(max_tokens).toBeLessThan(5000);
    expect(store.calls.reserve).toBe(2);
  });

  it('has all tools, with their schemas, and the key in a header only', async () => {
    const { url, requests } = await serve(claudeDone);
    await startSession(url, 'anthropic/claude-sonnet-4-5', 'hello').step();
    const request = requests()[0];
    const { tools } = bodyOf(request);
    expect(tools.map(({ name }) => name)).toEqual([
      'read',
      'write',
      'edit',
      'multiedit',
      'bash',
      'glob',
      'grep',
      'list',
      'todowrite',
      'skill',
      'session_recall',
      'context_browse',
      'list_tools',
    ]);
    expect(tools.every((tool) => tool.input_schema.type === 'object')).toBe(true);
    expect(request?.headers['x-api-key']).toBe('sk-test-0123456789');
    expect(request?.path).toBe('/v1/messages');
    expect(JSON.stringify(request?.body)).not.toContain('sk-test');
  });

  it('to an address that answers with a web page says that', async () => {
    const { url } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<html>');
    });
    const error = await startSession(url, 'openai-compatible/x', 'hello').failure();
    expect(error).toMatchObject({ code: 'provider-rejected', message: 'openai-compatible answered with a web page' });
    expect(error.next).toContain('base URL');
  });

  it('that is too long is refused with a clear message', async () => {
    const { url } = await serve((response) => {
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({
          type: 'error',
          error: { type: 'invalid_request_error', message: 'prompt is too long: 210000 tokens > 200000 maximum' },
        }),
      );
    });
    const error = await startSession(url, 'anthropic/claude-sonnet-4-5', 'hello').failure();
    expect(error.code).toBe('context-too-long');
    expect(error.message).toBe(
      'the conversation is too long for anthropic/claude-sonnet-4-5 (400): prompt is too long: 210000 tokens > 200000 maximum',
    );
  });
});

describe('an agent is told of the tools that it may use, and of no other', () => {
  it.each<readonly [rules: AgentRules, offered: readonly string[], kept: readonly string[]]>([
    [{ tools: ['read', 'bash'] }, ['bash', 'read'], ['edit', 'write', 'grep']],
    [{ readsOnly: true }, ['grep', 'read'], ['bash', 'edit', 'write']],
    [{ tools: ['read', 'bash'], readsOnly: true }, ['read'], ['bash', 'grep']],
  ])('%j', async (rules, offered, kept) => {
    const { url, requests } = await serve(claudeDone);
    await startSession(url, 'anthropic/claude-sonnet-4-5', 'look').step(1, rules);
    const names = bodyOf(requests()[0]).tools.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([...offered]));
    for (const name of kept) expect(names).not.toContain(name);
  });
});

describe('what an agent has done decides what it is told of', () => {
  const namesIn = (request: WireRequest | undefined) => bodyOf(request).tools.map(({ name }) => name);
  const model = 'anthropic/claude-sonnet-4-5';

  it('a tool that it has looked up comes last, in the order of the look-ups, and only where it may use it', async () => {
    const { url, requests } = await serve(claudeDone);
    const { step, result } = startSession(url, model, 'look');
    await step(1);
    result('l1', 'list_tools', 'tool tree\nfolders and files');
    await step(2);
    result('l2', 'list_tools', 'tool apply_patch\na patch');
    result('l3', 'list_tools', 'tool bash\nit is told of anyway');
    await step(3);
    await step(4, { readsOnly: true });
    const [first = [], second, third, reading = []] = requests().map(namesIn);
    expect(first).toContain('list_tools');
    expect(second).toEqual([...first, 'tree']);
    expect(third).toEqual([...first, 'tree', 'apply_patch']);
    expect(reading.at(-1)).toBe('tree');
  });

  it('plan mode is said with each answer until a plan was approved, and changes nothing of what it is told of', async () => {
    const { url, requests } = await serve(claudeDone);
    const { step, result } = startSession(url, model, 'plan it');
    expect(await step(1)).not.toHaveProperty('isPlanning');
    result('p1', 'plan_enter', 'plan mode: a library');
    expect(await step(2)).toMatchObject({ isPlanning: true });
    result('p2', 'plan_exit', 'The plan was approved. Plan mode is over.');
    expect(await step(3)).not.toHaveProperty('isPlanning');
    const [first, second, third] = requests().map((request) => bodyOf(request).tools);
    expect(second).toEqual(first);
    expect(third).toEqual(first);
  });
});
