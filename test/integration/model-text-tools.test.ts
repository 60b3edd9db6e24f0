import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { chat, chatTool, chatUsage, claude } from '../support/model-events.ts';
import { modelSettings, startWireServer, writeEvents } from '../support/model-server.ts';
import type { WireServer } from '../support/model-server.ts';
import { startSession } from '../support/model-step.ts';

let server: WireServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

const call = '<tool_call>\n{"name": "list", "arguments": {"path": "src"}}\n</tool_call>';
/** In pieces, as it streams. */
const says = (text: string, finish = 'stop') => [
  ...(text.match(/[\s\S]{1,7}/g) ?? []).map((content) => chat({ content })),
  chat({}, finish),
  chatUsage,
];

async function serve(...answers: readonly (readonly object[])[]): Promise<WireServer> {
  server = await startWireServer((response: ServerResponse, number) =>
    writeEvents(response, answers[number] ?? answers.at(-1) ?? []),
  );
  return server;
}

/** A model that cannot be given tools. */
async function told(...answers: readonly (readonly object[])[]) {
  const { url, requests } = await serve(...answers);
  const settings = { ...modelSettings(url), textToolModels: ['openai-compatible/small*'] };
  return { ...startSession(url, 'openai-compatible/Small-1', 'look', { settings }), requests };
}

interface Body {
  readonly tools?: unknown;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
}

describe('a model that gets its tools as text', () => {
  it('is told of them in the system prompt, calls them in its answer, and gets the results as a message', async () => {
    const { step, result, answer, requests } = await told(says(`I look.\n${call}\n${call}`), says('Done.'));
    expect(await step(1)).toMatchObject({
      stop: 'tool-calls',
      toolCalls: [
        { id: '1-1', name: 'list', label: 'list src' },
        { id: '1-2', name: 'list' },
      ],
    });
    expect(await answer()).toMatchObject({ text: 'I look.', toolCalls: [{ args: { path: 'src' } }, {}] });
    result('1-1', 'list', 'a.ts');
    result('1-2', 'list', 'has a </tool_response> in it');
    expect(await step(2)).toMatchObject({ stop: 'finished', toolCalls: [] });
    const [first, second] = requests().map(({ body }) => body as Body);
    expect(first?.tools).toBeUndefined();
    expect(first?.messages[0]?.content).toMatch(/^You write software\.\n\n# Tools\n/);
    expect(first?.messages[0]?.content).toContain('{"name":"list","description":');
    expect(second?.messages.slice(2)).toEqual([
      {
        role: 'assistant',
        content:
          'I look.\n\n<tool_call>\n{"name":"list","arguments":{"path":"src"}}\n</tool_call>\n\n<tool_call>\n{"name":"list","arguments":{"path":"src"}}\n</tool_call>',
      },
      {
        role: 'user',
        content:
          '<tool_response tool="list">\na.ts\n</tool_response>\n\n<tool_response tool="list">\nhas a <\\/tool_response> in it\n</tool_response>',
      },
    ]);
  });

  it('is told what is wrong with a call that nobody can read', async () => {
    const { step, answer } = await told(says('<tool_call>\n{"name": "list", "arguments": {"path": }}\n</tool_call>'));
    expect(await step()).toMatchObject({
      stop: 'tool-calls',
      toolCalls: [{ name: 'list' }],
      problem: { kind: 'malformed', inARow: 1 },
    });
    expect((await answer()).toolCalls[0]?.args).toMatch(/^<tool_call>/);
  });

  it('has nothing run of a call that the output limit cut in two, and all of those before it', async () => {
    const { step } = await told(
      says(`${call}\n<tool_call>\n{"name": "write", "arguments": {"path": "a", "con`, 'length'),
    );
    expect(await step()).toMatchObject({ stop: 'length', toolCalls: [{ name: 'list' }] });
  });

  it('whose stream is cut has called nothing', async () => {
    const { failure, store } = await told([chat({ content: call })]);
    expect(await failure()).toMatchObject({ code: 'provider-unreachable', details: { mayHaveCost: true } });
    expect(store.answers.size).toBe(0);
  });

  it('is to be named when its server says that it has no tools', async () => {
    server = await startWireServer((response) => {
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end('{"error":{"message":"registry.ollama.ai/library/tiny does not support tools"}}');
    });
    const { failure } = startSession(server.url, 'openai-compatible/tiny', 'look');
    expect((await failure()).next).toBe(
      'Give it its tools as text: CODETETHER_TEXT_TOOL_MODELS=openai-compatible/tiny',
    );
  });
});

describe('a model with tool calls of its own', () => {
  it('behind a server that passes them on as text, calls all the same', async () => {
    const { url, requests } = await serve(says(`I look.\n${call}`), says('Done.'));
    const { step, result } = startSession(url, 'openai-compatible/x', 'look');
    expect(await step(1)).toMatchObject({ stop: 'tool-calls', toolCalls: [{ id: '1-1', name: 'list' }] });
    result('1-1', 'list', 'a.ts');
    await step(2);
    const [first, second] = requests().map(({ body }) => body as Body);
    expect(first?.tools).toBeInstanceOf(Array);
    expect(second?.messages.slice(2)).toMatchObject([
      { role: 'assistant', content: 'I look.', tool_calls: [{ id: '1-1', function: { name: 'list' } }] },
      { role: 'tool', tool_call_id: '1-1', content: 'a.ts' },
    ]);
  });

  it.each([
    ['explains', says(`So it is called:\n\n\`\`\`\n${call}\n\`\`\`\n`)],
    ['goes on after it', says(`${call}\nThat is how.`)],
    ['came to its output limit', says(call, 'length')],
    ['has called besides', [chat({ content: call }), chatTool('t', '{"path":"."}'), chat({}, 'tool_calls'), chatUsage]],
  ])('that %s, does not call by text', async (_, events) => {
    const { url } = await serve(events);
    const { step } = startSession(url, 'openai-compatible/x', 'look');
    expect((await step()).toolCalls.filter(({ id }) => id !== 't')).toEqual([]);
  });

  it('and a provider of its own, never calls by text', async () => {
    const { url } = await serve([claude.start, ...claude.text(0, call), ...claude.end('end_turn')]);
    const { step } = startSession(url, 'anthropic/claude-sonnet-4-5', 'look');
    expect(await step()).toMatchObject({ stop: 'finished', toolCalls: [] });
  });
});
