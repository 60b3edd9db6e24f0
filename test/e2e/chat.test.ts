import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import OpenAI from 'openai';
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createToken, startServe } from '../support/serving.ts';
import type { Serving } from '../support/serving.ts';
import { createTestStack } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

let stack: TestStack;
let folder: string;
let server: Serving;
let client: OpenAI;
let model: string;

async function requests(): Promise<number> {
  const { stdout } = await stack.cli(['stats', '--all', '--json']);
  return (JSON.parse(stdout) as { readonly token_usage: { readonly requests: number } }).token_usage.requests;
}

beforeAll(async () => {
  stack = await createTestStack();
  folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-chat-')));
  const script = join(folder, 'script.json');
  const lookUp = { text: 'I look.', tools: [{ name: 'weather', args: { city: 'Bern' } }], delayMs: 3_000 };
  const story = { attempts: [{ turns: [lookUp, { text: 'It rains in Bern.', chunks: 5, delayMs: 500 }] }] };
  await writeFile(script, JSON.stringify({ version: 1, stories: { chat: story } }));
  model = `scripted/${script}`;
  const apiKey = await createToken(stack, 'operator');
  server = await startServe(stack);
  expect((await stack.cli(['workspaces', 'add', folder])).code).toBe(0);
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey, maxRetries: 30 });
}, 120_000);
afterAll(async () => {
  await stack.remove();
  await rm(folder, { recursive: true, force: true });
});

test('a client of OpenAI gets through its tool loop although the server is killed under it, and each answer is paid once', async () => {
  const messages: ChatCompletionMessageParam[] = [{ role: 'user', content: 'What is the weather?' }];
  const first = client.chat.completions.create({ model, messages }, { headers: { 'Idempotency-Key': 'look' } });
  await delay(1_500);
  await server.kill();
  await delay(500);
  await server.restart();
  const { choices } = await first;
  expect(choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: 'I look.' } });
  expect(await requests()).toBe(1);

  const [call] = choices[0]?.message.tool_calls ?? [];
  messages.push({ role: 'assistant', content: 'I look.', tool_calls: [call].filter((each) => each !== undefined) });
  messages.push({ role: 'tool', tool_call_id: call?.id ?? '', content: 'rain' });
  const headers = { 'Idempotency-Key': 'tell' };
  const read = async (): Promise<string> => {
    let text = '';
    const stream = await client.chat.completions.create({ model, messages, stream: true }, { headers });
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    return text;
  };
  expect(await read()).toBe('It rains in Bern.');
  await server.kill();
  await server.restart();
  // As one does that has lost the answer.
  expect(await read()).toBe('It rains in Bern.');
  expect(await requests()).toBe(2);
}, 180_000);
