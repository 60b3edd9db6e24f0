import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { chat, chatTool, chatUsage, claude, claudeDone } from '../support/model-events.ts';
import { startWireServer, writeEvents } from '../support/model-server.ts';
import type { WireServer } from '../support/model-server.ts';
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

describe('answers that are not what they should be', () => {
  it('a stream that just ends is not an answer, whoever sends it', async () => {
    const cut = [
      ['anthropic/claude-sonnet-4-5', [claude.start, ...claude.tool(0, 't', '{"path":"."}')]],
      [
        'openai/gpt-5',
        [
          { type: 'response.created', response: { id: 'r', created_at: 1, model: 'm' } },
          { type: 'response.output_item.added', output_index: 0, item: { type: 'message', id: 'm' } },
          { type: 'response.output_text.delta', item_id: 'm', delta: 'Hello' },
        ],
      ],
      ['google/gemini-2.5-flash', [{ candidates: [{ content: { role: 'model', parts: [{ text: 'Hel' }] } }] }]],
      ['openai-compatible/x', [chat({ content: 'Hel' }), chatTool('c', '{"path":"."}')]],
    ] as const;
    for (const [model, events] of cut) {
      const { url, stop } = await startWireServer((response) => writeEvents(response, events));
      const { failure, store } = startSession(url, model, 'hello');
      const error = await failure();
      await stop();
      expect(error, model).toMatchObject({ code: 'provider-unreachable', details: { mayHaveCost: true } });
      expect(store.answers.size, model).toBe(0);
    }
  });

  it('is asked for again five times in one step when it breaks off, each said, then the step ends typed', async () => {
    const { url, requests } = await serve((response) => writeEvents(response, [chat({ content: 'Hel' })]));
    let attempt = 1;
    const { failure, store } = startSession(url, 'openai-compatible/x', 'hello', { attemptNumber: () => attempt });
    const codes: string[] = [];
    for (; attempt <= 6; attempt++) codes.push((await failure()).code);
    expect(codes).toEqual([...Array<string>(5).fill('provider-unreachable'), 'provider-answers-lost']);
    const waits = store.runEvents.filter(({ kind }) => kind === 'model-waiting');
    expect(waits).toHaveLength(5);
    expect(waits.every(({ body }) => 'mayHaveCost' in body && body.mayHaveCost)).toBe(true);
    expect(requests()).toHaveLength(6);
    expect(store.reservations.size).toBe(1);
  });

  it('refusals that cost nothing do not count as broken off', async () => {
    const { url } = await serve((response) => {
      response.writeHead(500);
      response.end('{}');
    });
    let attempt = 1;
    const { failure } = startSession(url, 'openai-compatible/x', 'hello', { attemptNumber: () => attempt });
    for (; attempt <= 8; attempt++) expect((await failure()).code).toBe('provider-unreachable');
  });

  it.each([
    ['empty', 'empty', 'Your last answer was empty', [claude.start, ...claude.end('end_turn')]],
    [
      'only thinking',
      'empty',
      'Your last answer was empty',
      [
        claude.start,
        ...claude.block(
          0,
          { type: 'thinking', thinking: '', signature: '' },
          { type: 'thinking_delta', thinking: 'hm' },
        ),
        ...claude.end('end_turn'),
      ],
    ],
    [
      'at the output limit with nothing',
      'cut-off',
      'cut off at the output limit before it had a whole tool call',
      [claude.start, ...claude.end('max_tokens')],
    ],
    [
      'at the output limit inside of its first call',
      'cut-off',
      'cut off at the output limit before it had a whole tool call',
      [claude.start, ...claude.text(0, 'I write'), ...claude.tool(1, 't', '{"path": "a'), ...claude.end('max_tokens')],
    ],
  ] as const)('an answer that is %s is paid for, told to the model, and counted', async (_, kind, words, events) => {
    const { url, requests } = await serve(
      (response) => writeEvents(response, events),
      (response) => writeEvents(response, events),
      claudeDone,
    );
    const { step } = startSession(url, 'anthropic/claude-sonnet-4-5', 'hello');
    const first = await step(1);
    expect(first).toMatchObject({ toolCalls: [], problem: { kind, inARow: 1 }, usage: { outputTokens: 50 } });
    expect(await step(2)).toMatchObject({ problem: { kind, inARow: 2 } });
    expect(JSON.stringify(requests()[1]?.body)).toContain(words);
    expect(await step(3)).not.toHaveProperty('problem');
  });

  it('arguments that are no JSON reach the tool as they are', async () => {
    const { url } = await serve((response) =>
      writeEvents(response, [claude.start, ...claude.tool(0, 't', '{"path": .}'), ...claude.end('tool_use')]),
    );
    const { step, answer } = startSession(url, 'anthropic/claude-sonnet-4-5', 'look');
    expect(await step()).toMatchObject({
      stop: 'tool-calls',
      toolCalls: [{ name: 'list' }],
      problem: { kind: 'malformed', inARow: 1 },
    });
    expect((await answer()).toolCalls[0]?.args).toBe('{"path": .}');
  });

  it('a tool that there is not reaches the tools as well', async () => {
    const { url } = await serve((response) =>
      writeEvents(response, [
        claude.start,
        ...claude.block(
          0,
          { type: 'tool_use', id: 't', name: 'fly', input: {} },
          { type: 'input_json_delta', partial_json: '{"to":"Mars"}' },
        ),
        ...claude.end('tool_use'),
      ]),
    );
    const { step, answer } = startSession(url, 'anthropic/claude-sonnet-4-5', 'look');
    expect(await step()).toMatchObject({ toolCalls: [{ name: 'fly', risk: 'read', label: 'fly (no such tool)' }] });
    expect((await answer()).toolCalls[0]?.args).toEqual({ to: 'Mars' });
  });

  it.each([
    [
      'anthropic/claude-sonnet-4-5',
      [claude.start, ...claude.text(0, 'I write'), ...claude.tool(1, 't', '{"path": "a'), ...claude.end('max_tokens')],
    ],
    [
      'openai-compatible/x',
      [chat({ content: 'I write' }), chatTool('t', '{"path": "a'), chat({}, 'length'), chatUsage],
    ],
  ])('%s: a call that the output limit cut in two is not run', async (model, events) => {
    const { url, requests } = await serve((response) => writeEvents(response, events));
    const { step } = startSession(url, model, 'look');
    expect(await step(1)).toMatchObject({ stop: 'length', toolCalls: [] });
    await step(2);
    expect(JSON.stringify(requests()[1]?.body)).toContain('cut off at the output limit');
  });

  it('a refusal ends the attempt and is told', async () => {
    const { url } = await serve((response) =>
      writeEvents(response, [claude.start, ...claude.text(0, 'I cannot'), ...claude.end('refusal')]),
    );
    const { step, store } = startSession(url, 'anthropic/claude-sonnet-4-5', 'look');
    expect((await step()).stop).toBe('finished');
    expect(store.runEvents.some((event) => event.kind === 'warning')).toBe(true);
  });
});

describe('errors inside of a stream', () => {
  const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };

  it('before any output: overloaded, and it cost nothing', async () => {
    const { url } = await serve((response) => writeEvents(response, [overloaded]));
    const { failure, store } = startSession(url, 'anthropic/claude-sonnet-4-5', 'hello');
    expect(await failure()).toMatchObject({ code: 'provider-overloaded', details: { mayHaveCost: false } });
    expect(store.reservations.size).toBe(0);
  });

  it('after some output: overloaded, and the reservation stays for the next try', async () => {
    const { url } = await serve(
      (response) => writeEvents(response, [claude.start, ...claude.text(0, 'Hel'), overloaded]),
      claudeDone,
    );
    const { failure, step, store } = startSession(url, 'anthropic/claude-sonnet-4-5', 'hello');
    expect(await failure()).toMatchObject({ code: 'provider-overloaded', details: { mayHaveCost: true } });
    expect(store.reservations.size).toBe(1);
    await step();
    expect(store.reservations.size).toBe(0);
    expect(store.runEvents.filter(({ kind }) => kind === 'step-started')).toHaveLength(1);
  });

  it('OpenAI: an account that is used up is not asked again', async () => {
    const error = {
      type: 'insufficient_quota',
      code: 'insufficient_quota',
      message: 'You exceeded your current quota.',
    };
    const { url } = await serve((response) => writeEvents(response, [{ type: 'error', sequence_number: 1, error }]));
    expect((await startSession(url, 'openai/gpt-5', 'hello').failure()).code).toBe('provider-quota');
  });
});

describe('a provider that is silent', () => {
  it('before its answer begins is given up', async () => {
    const { url } = await serve(() => undefined);
    const error = await startSession(url, 'openai/gpt-5', 'hello', { timeouts: { idleTimeoutMs: 100 } }).failure();
    expect(error).toMatchObject({ code: 'provider-silent', details: { mayHaveCost: true } });
    expect(error.message).toContain('before its answer began');
  });

  it('in the middle of its answer is given up', async () => {
    const { url } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`event: message_start\ndata: ${JSON.stringify(claude.start)}\n\n`);
    });
    const error = await startSession(url, 'anthropic/claude-sonnet-4-5', 'hello', {
      timeouts: { idleTimeoutMs: 100 },
    }).failure();
    expect(error.message).toContain('in the middle of its answer');
  });

  it('longer than a step may take, although it sends something all the time, is given up', async () => {
    const { url } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const timer = setInterval(() => response.write('event: ping\ndata: {"type":"ping"}\n\n'), 20);
      response.on('close', () => clearInterval(timer));
    });
    const timeouts = { idleTimeoutMs: 5_000, stepTimeoutMs: 150 };
    const { failure, store } = startSession(url, 'anthropic/claude-sonnet-4-5', 'hello', { timeouts });
    expect(await failure()).toMatchObject({ code: 'provider-timeout', details: { mayHaveCost: true, isLost: true } });
    expect(store.runEvents.at(-1)).toMatchObject({
      kind: 'model-waiting',
      body: { reason: 'timeout', mayHaveCost: true },
    });
    expect(store.reservations.size).toBe(1);
  });

  it('and cancelled is hung up on', async () => {
    const hungUp = Promise.withResolvers<void>();
    const { url } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`event: message_start\ndata: ${JSON.stringify(claude.start)}\n\n`);
      response.on('close', () => hungUp.resolve());
      controller.abort(new Error('cancelled by test'));
    });
    const controller = new AbortController();
    const { step } = startSession(url, 'anthropic/claude-sonnet-4-5', 'hello', {
      cancellationSignal: () => controller.signal,
    });
    await expect(step()).rejects.toThrow('cancelled by test');
    await hungUp.promise;
  });

  it('but alive is waited for', async () => {
    const { url } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      let pings = 0;
      const timer = setInterval(() => {
        response.write('event: ping\ndata: {"type":"ping"}\n\n');
        if (++pings < 8) return;
        clearInterval(timer);
        for (const event of [claude.start, ...claude.text(0, 'Done.'), ...claude.end('end_turn')])
          response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
        response.end();
      }, 200);
    });
    const session = startSession(url, 'anthropic/claude-sonnet-4-5', 'hello', { timeouts: { idleTimeoutMs: 1_000 } });
    await expect(session.step()).resolves.toMatchObject({ stop: 'finished' });
  });
});
