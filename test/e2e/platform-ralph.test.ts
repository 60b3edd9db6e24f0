import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createToken, startServe } from '../support/serving.ts';
import type { Serving } from '../support/serving.ts';
import { createTestStack, git, repositoryFolder } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

let stack: TestStack;
let server: Serving;
let token: string;
let path: string;

beforeAll(async () => {
  stack = await createTestStack();
  path = join(await repositoryFolder(), 'shop');
  await mkdir(path);
  await git(tmpdir(), 'init', '--quiet', '--initial-branch', 'main', path);
  // The platform's PRDs name no checks: this is one that the repository shows.
  await writeFile(join(path, 'package.json'), JSON.stringify({ scripts: { test: 'test -e a.txt' } }));
  await git(path, 'add', '--all');
  await git(path, 'commit', '--quiet', '--message', 'start');
  token = await createToken(stack, 'operator');
  expect((await stack.cli(['workspaces', 'add', path])).code).toBe(0);
  server = await startServe(stack);
}, 120_000);
afterAll(async () => {
  await stack.remove();
});

async function call(method: string, route: string, body?: object) {
  const response = await fetch(`${server.url}/v1/ralph${route}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer: unknown = await response.json();
  return { status: response.status, run: answer as Run, runs: answer as readonly Run[], answer };
}

interface Run {
  readonly id: string;
  readonly status: string;
  readonly codebase_id: string | null;
  readonly run_mode: string;
  readonly story_results: readonly {
    readonly story_id: string;
    readonly status: string;
    readonly result: string | null;
  }[];
  readonly logs: readonly { readonly timestamp: string; readonly type: string; readonly message: string }[];
}

interface Frame {
  readonly id: string;
  readonly name: string;
  readonly data: { readonly status?: string; readonly story_id?: string | null; readonly message?: string };
}

/** As an `EventSource` does: comes back with the last id until it is told that nothing more comes. */
async function watch(runId: string, onFrame: (frame: Frame) => void): Promise<void> {
  for (let last = ''; ; await delay(200)) {
    const response = await fetch(`${server.url}/v1/ralph/runs/${encodeURIComponent(runId)}/stream`, {
      headers: { authorization: `Bearer ${token}`, ...(last === '' ? {} : { 'last-event-id': last }) },
    }).catch(() => undefined);
    if (response === undefined) continue;
    if (response.status === 204) return;
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    let text = '';
    try {
      for await (const chunk of response.body ?? []) {
        text += Buffer.from(chunk).toString();
        for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
          const lines = new Map(
            text
              .slice(0, end)
              .split('\n')
              .map((line) => [line.split(': ')[0] ?? '', line.slice(line.indexOf(': ') + 2)]),
          );
          text = text.slice(end + 2);
          last = lines.get('id') ?? last;
          const name = lines.get('event');
          if (name !== undefined)
            onFrame({
              id: lines.get('id') ?? '',
              name,
              data: JSON.parse(lines.get('data') ?? 'null') as Frame['data'],
            });
        }
      }
    } catch {
      // The process was killed.
    }
  }
}

test('a client of the platform has a PRD worked through, watches it over a kill, and takes it off the list', async () => {
  const script = join(path, '.git', 'script.json');
  const write = {
    text: 'I write.',
    tools: [{ name: 'write', args: { path: 'a.txt', content: '{{story}}' } }],
    delayMs: 1_500,
  };
  const attempts = [{ turns: [write, { text: 'Done.' }] }];
  await writeFile(script, JSON.stringify({ version: 1, default: { attempts } }));
  const story = (id: string) => ({
    id,
    title: `Story ${id}`,
    description: 'Write it.',
    acceptanceCriteria: ['it is there'],
    priority: 1,
  });
  const prd = {
    project: 'shop',
    branchName: 'ralph/shop',
    description: 'A shop',
    userStories: [story('US-001'), story('US-002')],
  };
  const asked = { prd, codebase_id: 'shop', model: `scripted/${script}`, max_iterations: 5, run_mode: 'sequential' };
  const { status, run } = await call('POST', '/runs', asked);
  // On a busy machine its first story has begun by now.
  const begun = { codebase_id: 'shop', run_mode: 'sequential', story_results: expect.any(Array) };
  expect([status, run]).toMatchObject([200, begun]);

  const frames: Frame[] = [];
  const watched = watch(run.id, (frame) => frames.push(frame));
  await expect.poll(() => frames.some(({ name }) => name === 'story'), { timeout: 60_000 }).toBe(true);
  await server.kill();
  await server.restart();
  await watched;
  expect(frames.filter(({ name }) => name === 'story').map(({ data }) => `${data.story_id} ${data.status}`)).toEqual([
    'US-001 running',
    'US-001 passed',
    'US-002 running',
    'US-002 passed',
  ]);
  expect(new Set(frames.map(({ name }) => name))).toEqual(new Set(['log', 'status', 'story', 'output', 'done']));
  expect(frames.at(-1)).toMatchObject({ name: 'done', data: { status: 'completed' } });

  const { run: ended } = await call('GET', `/runs/${encodeURIComponent(run.id)}`);
  expect(ended).toMatchObject({
    status: 'completed',
    story_results: [
      { story_id: 'US-001', status: 'passed', result: expect.stringMatching(/^[0-9a-f]{40}$/) },
      { story_id: 'US-002', status: 'passed' },
    ],
  });
  expect(await git(path, 'log', '--format=%s', 'ralph/shop')).toContain('US-002');
  expect(ended.logs.map(({ type }) => type)).toEqual(expect.arrayContaining(['story_start', 'story_pass', 'complete']));
  const since = ended.logs.at(-2)?.timestamp ?? '';
  const { answer: logs } = await call('GET', `/runs/ralph-shop/logs?since=${encodeURIComponent(since)}`);
  expect(logs).toEqual(ended.logs.filter(({ timestamp }) => Date.parse(timestamp) > Date.parse(since)));

  expect(await call('POST', '/runs/ralph-shop/cancel')).toMatchObject({
    status: 409,
    answer: { code: 'run-not-active' },
  });
  expect(await call('POST', '/runs', { ...asked, codebase_id: 'other' })).toMatchObject({ status: 404 });
  expect((await call('GET', '/runs?status=completed')).runs.map(({ id }) => id)).toEqual([run.id]);
  expect((await call('GET', '/runs?status=failed')).runs).toEqual([]);
  expect((await call('DELETE', '/runs/ralph-shop')).answer).toEqual({ status: 'deleted', run_id: run.id });
  expect((await call('GET', '/runs')).runs).toEqual([]);
  expect((await call('GET', '/runs/ralph-shop')).status).toBe(404);
}, 180_000);
