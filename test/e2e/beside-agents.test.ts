import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWireServer, writeEvents } from '../support/model-server.ts';
import type { WireServer } from '../support/model-server.ts';
import { createTestStack } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

interface Message {
  readonly role: string;
  readonly content?: unknown;
}

const names = ['ants', 'bees', 'cats'];
let folder: string;
let model: WireServer;
let stack: TestStack;
/** How often each conversation was sent. */
const asked = new Map<string, { readonly who: string; times: number }>();
/** Second steps of explorers wait for it. */
const release = Promise.withResolvers<void>();
let held = 0;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-beside-')));
  model = await startWireServer(async (response, number) => {
    const { messages } = (model.requests()[number]?.body ?? { messages: [] }) as { messages: Message[] };
    await answer(response, messages);
  });
  stack = await createTestStack({
    OPENAI_COMPATIBLE_BASE_URL: `${model.url}/v1`,
    OPENAI_COMPATIBLE_API_KEY: 'sk-beside',
  });
  const up = await stack.cli(['up']);
  expect(up.code, up.stderr).toBe(0);
}, 900_000);
afterAll(async () => {
  await stack.remove();
  await model.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A model that is a function of the conversation: one that starts three explorers, and the three. */
async function answer(response: ServerResponse, messages: readonly Message[]): Promise<void> {
  const said = messages.map(({ content }) => JSON.stringify(content ?? ''));
  const who = /You are the agent (\w+),/.exec(said.join(''))?.[1] ?? 'main';
  const hash = createHash('sha256').update(JSON.stringify(messages)).digest('hex').slice(0, 16);
  const entry = asked.get(hash) ?? { who, times: 0 };
  entry.times++;
  asked.set(hash, entry);
  const steps = messages.filter(({ role }) => role === 'assistant').length;
  if (who !== 'main') {
    if (steps === 0) return say(response, hash, { calls: [{ name: 'list', args: { path: '.' } }] });
    held++;
    await release.promise;
    return say(response, hash, { text: `seven ${who}` });
  }
  if (steps === 0)
    return say(response, hash, {
      calls: names.map((name) => ({ name: 'spawn_agent', args: { task_name: name, message: `count the ${name}` } })),
    });
  const answers = said.flatMap((text) =>
    [...text.matchAll(/has answered:\\n(seven \w+)/g)].map(([, found]) => String(found)),
  );
  if (answers.length < names.length) return say(response, hash, { calls: [{ name: 'wait_agent', args: {} }] });
  say(response, hash, { text: answers.toSorted().join(', ') });
}

function say(
  response: ServerResponse,
  id: string,
  { text = '', calls = [] }: { readonly text?: string; readonly calls?: readonly { name: string; args: object }[] },
): void {
  const choice = (delta: object, finish_reason: string | null) => ({
    id,
    object: 'chat.completion.chunk',
    created: 0,
    model: 'x',
    choices: [{ index: 0, delta, finish_reason }],
  });
  const tool_calls = calls.map(({ name, args }, index) => ({
    index,
    id: `call_${id}_${index}`,
    type: 'function',
    function: { name, arguments: JSON.stringify(args) },
  }));
  const usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };
  writeEvents(
    response,
    [
      choice({ role: 'assistant', content: text }, null),
      ...(calls.length === 0 ? [] : [choice({ tool_calls }, null)]),
      { ...choice({}, calls.length === 0 ? 'stop' : 'tool_calls'), usage },
    ],
    'data: [DONE]\n\n',
  );
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(50)) if (await isSo()) return;
  throw new Error(`${what}: not within a minute; asked: ${JSON.stringify([...asked.values()])}`);
}

test('three explorers lose their worker, and the one that waits for them has each answer once; what was received is not paid again', async () => {
  const arguments_ = ['run', 'count them', '--model', 'openai-compatible/x', '--output-format', 'stream-json'];
  const run = stack.start(arguments_, { cwd: folder });
  await until('three explorers at work', () => held === 3);
  const transcript = async () => (await stack.cli(['sessions', 'show', '--json'], { cwd: folder })).stdout;
  // Until then the starter's own call can be under way, too.
  await until('the starter waits', async () => (await transcript()).includes('"wait_agent"'));
  await stack.kill('worker');
  await until('three calls made again', () => held === 6);
  release.resolve();
  const ended = await run.result;
  expect(ended.code, ended.stderr).toBe(0);

  const lines = ended.stdout.split('\n').filter(Boolean);
  const objects = lines.map((line) => JSON.parse(line) as { readonly type: string; readonly [key: string]: unknown });
  expect(objects.at(-1)).toMatchObject({
    type: 'result',
    outcome: 'completed',
    text: 'seven ants, seven bees, seven cats',
  });
  const about = (type: string) => objects.filter((each) => each.type === type).map(({ agent }) => String(agent));
  expect(about('agent_start').toSorted()).toEqual(names);
  expect(about('agent_end').toSorted()).toEqual(names);
  const said = objects.flatMap(({ type, agent, content }) =>
    type === 'message' && content !== '' ? [{ agent, content }] : [],
  );
  expect(said).toContainEqual({ agent: 'bees', content: 'seven bees' });

  const twice = [...asked.values()].filter(({ times }) => times > 1);
  expect(twice.map(({ who, times }) => `${who} ${times}`).toSorted()).toEqual(names.map((name) => `${name} 2`));
  const stdout = await transcript();
  for (const name of names) expect(stdout.match(new RegExp(`seven ${name}`, 'g')), name).toHaveLength(2);
  const shown = await stack.cli(['sessions', 'show', '--agent', 'bees'], { cwd: folder });
  expect(shown.stdout).toMatch(/agent bees\n[^]*count the bees[^]*● list[^]*seven bees/);
  const nobody = await stack.cli(['sessions', 'show', '--agent', 'bee'], { cwd: folder });
  expect([nobody.code, nobody.stderr]).toEqual([2, expect.stringContaining('there is no agent bee in')]);
}, 180_000);
