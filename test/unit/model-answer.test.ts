import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { partOptions } from '../../activities/model/answer-parts.ts';
import { toModelCallAnswer } from '../../activities/model/answer.ts';
import { oneLine, startOutputLines } from '../../activities/model/output-lines.ts';
import type { AnsweredPart, PreparedCall, ProviderAnswer } from '../../activities/model/provider-call.ts';
import { createToolRegistry } from '../../activities/tools/registry.ts';
import { priceOf } from '../../domain/model/prices.ts';

const input = { runId: 'r', storyId: 'US-1', attempt: 2, sessionId: 'r:US-1:2', step: 7, model: 'openai/gpt-4.1:low' };
const call: PreparedCall = {
  mostInputTokens: 1000,
  inputTokens: 1000,
  maxOutputTokens: 100,
  minOutputTokens: 1,
  price: priceOf({ model: 'gpt-4.1' }),
  warnings: [],
  send: () => Promise.reject(new Error('not sent')),
};
const tokens = { inputTokens: 10, cachedInputTokens: 4, outputTokens: 5 };

function toolCall(id: string, options: Partial<Extract<AnsweredPart, { type: 'tool-call' }>> = {}): AnsweredPart {
  return { type: 'tool-call', id, name: 'bash', args: { command: `echo ${id}` }, isComplete: true, ...options };
}

function stored(raw: Partial<ProviderAnswer>, usedIds: readonly string[] = []) {
  const answer = toModelCallAnswer(
    { content: [], finish: 'done', tokens, ...raw },
    {
      input,
      key: 'k',
      call,
      usedIds: new Set(usedIds),
      isPlanning: false,
      describe: createToolRegistry().describe,
      durationMs: 12.4,
    },
  );
  if (answer.sessionEvent.kind !== 'assistant') throw new Error('not an answer');
  return { ...answer, body: answer.sessionEvent.body, ids: answer.result.toolCalls.map(({ id }) => id) };
}

const warnings = (answer: ReturnType<typeof stored>) =>
  answer.runEvents.flatMap((event) => (event.kind === 'warning' ? [event.body.message] : []));

describe('an answer', () => {
  it('is stored with its text and calls, and told with labels and cost', () => {
    const answer = stored({ content: [{ type: 'text', text: 'I look.\n' }, toolCall('a')] });
    expect(answer.result).toEqual({
      kind: 'answered',
      stop: 'tool-calls',
      toolCalls: [{ id: 'a', name: 'bash', risk: 'shell', label: 'bash echo a' }],
      usage: { inputTokens: 10, outputTokens: 5, cachedInputTokens: 4, costUsd: (6 * 2 + 4 * 0.5 + 5 * 8) / 1e6 },
    });
    expect(answer.sessionEvent).toEqual({
      key: 'k:answer',
      kind: 'assistant',
      body: { text: 'I look.\n', toolCalls: [{ id: 'a', name: 'bash', args: { command: 'echo a' } }] },
    });
    expect(answer.runEvents).toEqual([
      {
        key: 'k:answered',
        kind: 'model-answered',
        storyId: 'US-1',
        attempt: 2,
        body: {
          step: 7,
          inputTokens: 10,
          outputTokens: 5,
          costUsd: answer.result.usage.costUsd,
          durationMs: 12,
          text: 'I look.',
          toolCalls: ['bash echo a'],
        },
      },
    ]);
  });

  it('without calls asks for completion', () => {
    expect(stored({ content: [{ type: 'text', text: 'Done.' }] }).result.stop).toBe('finished');
  });

  it('gets new ids for calls whose ids are missing, odd, too long or used before', () => {
    const odd = ['', 'call_0', 'call_0', 'a b', 'x'.repeat(49), 'old', '7-1'];
    expect(stored({ content: odd.map((id) => toolCall(id)) }, ['old']).ids).toEqual([
      '7-1',
      'call_0',
      '7-3',
      '7-4',
      '7-5',
      '7-6',
      '7-7',
    ]);
    expect(stored({ content: [toolCall('')] }, ['7-1']).ids).toEqual(['7-1x']);
  });

  it('keeps a name that no tool can have in a form that goes back to the provider', () => {
    const names = ['bash<|channel|>json', '9lives', ''];
    const answer = stored({ content: names.map((name, index) => toolCall(`c${index}`, { name })) });
    expect(answer.body.toolCalls.map(({ name }) => name)).toEqual(['bash_channel_json', '_9lives', '_']);
  });

  it('keeps arguments that are no JSON as they are, so that the tool can tell what is wrong', () => {
    const answer = stored({ content: [toolCall('a', { args: '{"command": ', isComplete: false })] });
    expect(answer.body.toolCalls[0]?.args).toBe('{"command": ');
    expect(answer.result).toMatchObject({ stop: 'tool-calls', toolCalls: [{ label: 'bash' }] });
  });

  it('that was cut off at the output limit loses the call it was cut in, and keeps the others', () => {
    const cut = toolCall('b', { args: '{"comm', isComplete: false });
    const answer = stored({ finish: 'length', content: [toolCall('a'), cut] });
    expect(answer.ids).toEqual(['a']);
    expect(answer.result.stop).toBe('length');
    expect(stored({ finish: 'length', content: [cut] }).result).toMatchObject({ stop: 'length', toolCalls: [] });
  });

  it('that was stopped by a filter runs nothing and says so', () => {
    const answer = stored({ finish: 'content-filter', content: [{ type: 'text', text: 'I' }, toolCall('a')] });
    expect(answer.result).toMatchObject({ stop: 'finished', toolCalls: [] });
    expect(warnings(answer)).toEqual(["the provider's content filter stopped the answer"]);
  });

  it('keeps at most 64 calls and says so; the result stays small', () => {
    const args = { command: 'é'.repeat(500) };
    const content = Array.from({ length: 70 }, (_unused, index) =>
      toolCall(`call_${'x'.repeat(40)}${index}`, { args }),
    );
    const answer = stored({ content });
    expect(answer.result.toolCalls).toHaveLength(64);
    expect(answer.body.toolCalls).toHaveLength(64);
    expect(Buffer.byteLength(JSON.stringify(answer.result))).toBeLessThan(16 * 1024);
    expect(warnings(answer)).toEqual(['the model asked for 70 tool calls at once; only 64 are run']);
  });

  it('without usage is estimated, and that is said once a run', () => {
    const answer = stored({ tokens: undefined, content: [{ type: 'text', text: 'x'.repeat(3200) }] });
    expect(answer.result.usage).toMatchObject({ inputTokens: 1000, outputTokens: expect.any(Number) });
    expect(answer.result.usage.outputTokens).toBeGreaterThanOrEqual(1000);
    expect(answer.runEvents[0]).toMatchObject({ key: 'r:openai/gpt-4.1:usage', kind: 'warning' });
  });

  it('keeps what has to go back to its model, with the ids of the transcript', () => {
    const options = { google: { thoughtSignature: 'S' } };
    const answer = stored({ content: [{ type: 'reasoning', text: 'hm' }, toolCall('', { options })] });
    expect(answer.body.providerOptions).toEqual({
      model: 'openai/gpt-4.1',
      parts: [
        { type: 'reasoning', text: 'hm' },
        { type: 'tool-call', id: '7-1', options },
      ],
    });
    expect(answer.body.text).toBe('');
  });
});

it('provider data is kept without its undefined members; nothing is nothing', () => {
  expect(partOptions({ openai: { itemId: 'i', phase: undefined } })).toEqual({ openai: { itemId: 'i' } });
  expect([undefined, null, {}, 'x', { openai: 'x' }].map(partOptions)).toEqual(Array.from({ length: 5 }));
});

describe('output lines', () => {
  it('are the newest line of the text, apart from each other, without control characters', async () => {
    const lines: string[] = [];
    const output = startOutputLines({
      intervalMs: 30,
      append: async (line, number) => void lines.push(`${number} ${line}`),
    });
    output.add('first\nsec');
    await sleep(40);
    output.add('ond \u001b[31mred\n');
    output.add('third');
    await sleep(40);
    output.add('!');
    await output.end();
    expect(lines).toEqual(['1 second [31mred', '2 third!']);
  });

  it('do not wait for each other, and do not fail the call', async () => {
    const lines: string[] = [];
    const appended = Promise.withResolvers<void>();
    const output = startOutputLines({
      intervalMs: 1,
      append: async (line) => {
        lines.push(line);
        await appended.promise;
      },
    });
    for (const word of ['a', 'b', 'c']) {
      await sleep(5);
      output.add(`${word}\n`);
    }
    appended.reject(new Error('no database'));
    await expect(output.end()).resolves.toBeUndefined();
    expect(lines).toEqual(['a']);
    output.add('d\n');
    await expect(output.end()).resolves.toBeUndefined();
    expect(lines).toEqual(['a', 'd']);
  });

  it('one line has no control characters', () => {
    expect(oneLine(' a\tb\r\n\u0007c\u001b]0;t\u0007 ')).toBe('a b c ]0;t');
  });
});
