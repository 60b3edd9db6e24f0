import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createRunCommand } from '../../activities/process/run-command.ts';
import { createAgentCalls } from '../../activities/session/agent-calls.ts';
import { createSessionActivities } from '../../activities/session/create-session-activities.ts';
import { createToolActivities } from '../../activities/tools/create-tool-activities.ts';
import { createGit } from '../../activities/workspace/git.ts';
import type { EndTurnInput } from '../../domain/contracts/activities.ts';
import { agentPath, agentSessionId, besideSessionId, runIdOf, sessionAgentId } from '../../domain/run/ids.ts';
import type { RequestedToolCall } from '../../domain/session/transcript.ts';
import { createStore, openDatabase } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { createTestDatabase } from '../support/postgres.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { bareEnvironment } from '../support/repository.ts';
import { startApi } from './api-fixtures.ts';
import type { TestApi } from './api-fixtures.ts';

let database: TestDatabase;
let store: PostgresStore;
let api: TestApi;
let folder: string;
let sessionId: string;
let sessions: ReturnType<typeof createSessionActivities>;
let tools: ReturnType<typeof createToolActivities>;
let count = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore({ databaseUrl: database.url });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});
beforeEach(async () => {
  sessionId = `session:${++count}-of-test`;
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'codetether-session-')));
  const processes = { env: bareEnvironment(folder), processDir: path.join(folder, '.processes') };
  sessions = createSessionActivities({
    store,
    git: createGit(processes),
    hostId: 'tiger',
    skills: async () => [],
    agents: async () => ({ agents: [], problems: [] }),
    runHooks: async () => ({ kind: 'passed' }),
  });
  tools = createToolActivities({
    store,
    git: createGit(processes),
    runCommand: createRunCommand(processes),
    cancellationSignal: () => new AbortController().signal,
  });
  api = await startApi(store);
});
afterEach(async () => {
  await api.close();
  rmSync(folder, { recursive: true, force: true });
});

const message = {
  agent: 'build',
  model: 'scripted/x',
  maxSteps: 5,
  maxTimeMs: null,
  onAsk: 'deny',
  askTimeoutMs: 1,
} as const;

async function open(): Promise<void> {
  const { agent, model } = message;
  await store.openSession({ sessionId, folder, hostId: 'tiger', title: 'work', model, agent, caps: {} });
}

async function turn(messageId: string, text = 'do it') {
  return await sessions.openTurn({ sessionId, messageId, text: await store.putBlob(text), ...message });
}

const end = (messageId: string, number: number): EndTurnInput => ({
  sessionId,
  messageId,
  turn: number,
  outcome: 'completed',
  message: '',
  code: null,
  durationMs: 5,
  goesOn: false,
});

const kinds = async (): Promise<string[]> =>
  (await store.readRunEvents(sessionId, { afterSeq: 0, limit: 100 })).map(({ kind }) => kind);

/** The model's answer of one step, with the calls it asks for. */
async function answered(step: number, calls: readonly RequestedToolCall[], text = ''): Promise<void> {
  const usage = { inputTokens: 10, outputTokens: 1, cachedInputTokens: 0, costUsd: 0.01 };
  const key = `${sessionId}:${step}`;
  await store.answerModelCall({
    key,
    runId: sessionId,
    storyId: sessionAgentId,
    sessionId,
    model: 'scripted/x',
    result: { kind: 'answered', stop: calls.length === 0 ? 'finished' : 'tool-calls', toolCalls: [], usage },
    sessionEvent: { key, kind: 'assistant', body: { text, toolCalls: [...calls] } },
    runEvents: [],
  });
}

/** An answer of another agent of the session. */
async function modelAnswers(agentId: string, step: number, text: string): Promise<void> {
  const key = `${agentId}:${step}`;
  await store.answerModelCall({
    key,
    runId: sessionId,
    storyId: sessionAgentId,
    sessionId: agentId,
    model: 'scripted/x',
    result: {
      kind: 'answered',
      stop: 'finished',
      toolCalls: [],
      usage: { inputTokens: 10, outputTokens: 1, cachedInputTokens: 0, costUsd: 0.01 },
    },
    sessionEvent: { key: `${key}:answer`, kind: 'assistant', body: { text, toolCalls: [] } },
    runEvents: [],
  });
}

test('a session is no run of a PRD, whatever its id begins with', async () => {
  await open();
  expect(await store.findRunIds(sessionId)).toEqual([]);
  expect(await store.findRunIds(sessionId.replace('session:', ''))).toEqual([]);
  expect((await store.listRuns({ limit: 100 })).map(({ runId }) => runId)).not.toContain(sessionId);
  const agent = agentSessionId(sessionId, 'g');
  expect([runIdOf(sessionId), runIdOf(agent), runIdOf('ralph:a:b:US-1:2')]).toEqual([
    sessionId,
    sessionId,
    'ralph:a:b',
  ]);
});

test('the transcript of an agent is found by its name, the newest of that name', async () => {
  await open();
  const scout = (callId: string) => besideSessionId(sessionId, { name: 'scout', callId });
  const transcripts: readonly (readonly [string, string])[] = [
    [scout('call_1'), 'old'],
    [scout('call_2'), 'new'],
    [besideSessionId(sessionId, { name: 'scouts', callId: 'call_3' }), 'another'],
    [besideSessionId(scout('call_2'), { name: 'helper', callId: 'x' }), 'nested'],
    [agentSessionId(sessionId, 'call_123456'), 'unnamed'],
  ];
  for (const [id, text] of transcripts)
    await store.appendSessionEvents(id, [{ key: 'said', kind: 'user', body: { text } }]);
  const saidBy = async (agent: string) => (await api.client.transcript(sessionId, agent)).rows.map(({ body }) => body);
  expect(await saidBy('scout')).toEqual([{ text: 'new' }]);
  expect(await saidBy('scout/helper')).toEqual([{ text: 'nested' }]);
  expect(transcripts.map(([id]) => agentPath(id)).at(-1)).toBe('agent-123456');
  expect(await saidBy('agent-123456')).toEqual([{ text: 'unnamed' }]);
  await expect(saidBy('helper')).rejects.toMatchObject({ code: 'not-found' });
  expect((await api.client.getSession(sessionId.slice(0, -1))).sessionId).toBe(sessionId);
});

test('a message opens one turn, however often it is opened, and is answered once', async () => {
  await open();
  expect(await turn('a')).toEqual({ kind: 'opened', turn: 1, firstStep: 1 });
  expect(await turn('a')).toEqual({ kind: 'opened', turn: 1, firstStep: 1 });
  await answered(1, [], 'the answer');
  await store.endTurn(end('a', 1));
  await store.endTurn({ ...end('a', 1), outcome: 'error' });
  expect(await turn('a')).toEqual({ kind: 'answered' });
  expect(await kinds()).toEqual(['turn-started', 'turn-ended']);
  const rows = await store.readSession(sessionId);
  expect(rows.map(({ kind }) => kind)).toEqual(['system', 'user', 'assistant']);
  const [, ended] = await store.readRunEvents(sessionId, { afterSeq: 0, limit: 10 });
  expect(ended?.body).toMatchObject({ outcome: 'completed', text: 'the answer', steps: 1, inputTokens: 10 });
  expect(await store.getSessionRun(sessionId)).toMatchObject({ status: 'completed', turns: 1 });
});

test("a further turn's steps go on where those of the last have ended, and count for themselves", async () => {
  await open();
  await turn('a');
  for (const step of [1, 2, 3]) await answered(step, []);
  await store.endTurn(end('a', 1));
  expect(await turn('b')).toEqual({ kind: 'opened', turn: 2, firstStep: 4 });
  await answered(4, []);
  await store.endTurn(end('b', 2));
  const events = await store.readRunEvents(sessionId, { afterSeq: 0, limit: 10, kinds: ['turn-ended'] });
  expect(events.map(({ body }) => 'steps' in body && body.steps)).toEqual([3, 1]);
});

test('the instructions of the folder and of those above it, up to the repository, are told once', async () => {
  mkdirSync(path.join(folder, '.git'));
  mkdirSync(path.join(folder, 'web'));
  writeFileSync(path.join(folder, 'AGENTS.md'), 'Outer rules.\n');
  writeFileSync(path.join(folder, 'web', 'CLAUDE.md'), 'Inner rules.\n');
  const { agent, model } = message;
  const web = path.join(folder, 'web');
  await store.openSession({ sessionId, folder: web, hostId: 'tiger', title: '', model, agent, caps: {} });
  await turn('a');
  await store.endTurn(end('a', 1));
  await turn('b');
  const systems = (await store.readSession(sessionId)).filter(({ kind }) => kind === 'system');
  expect(systems).toHaveLength(1);
  expect(JSON.stringify(systems)).toMatch(/Outer rules\..*Inner rules\./);
});

test('an agent that becomes another one is told so, once, before the message', async () => {
  await open();
  await turn('a');
  await store.endTurn(end('a', 1));
  const plan = { sessionId, ...message, agent: 'plan' as const };
  for (const messageId of ['b', 'b', 'c']) {
    await sessions.openTurn({ ...plan, messageId, text: await store.putBlob(messageId) });
    if (messageId === 'c') await store.endTurn(end('c', 3));
  }
  await turn('d', 'd');
  const said = (await store.readSession(sessionId)).flatMap((row) => (row.kind === 'user' ? [row.body.text] : []));
  const planning = expect.stringContaining('You plan and change nothing');
  expect(said).toEqual(['do it', planning, 'b', 'c', expect.stringContaining('may change files'), 'd']);
});

test('a forked session begins with the rows of the other, and with its system prompt', async () => {
  await open();
  await turn('a');
  await answered(1, [], 'the answer');
  await store.endTurn(end('a', 1));
  const forkedId = `${sessionId}-fork`;
  await store.forkSessionRun({ sessionId, seq: 3 }, { sessionId: forkedId, title: 'fork' });
  await sessions.openTurn({ sessionId: forkedId, messageId: 'x', text: await store.putBlob('other'), ...message });
  const rows = await store.readSession(forkedId);
  expect(rows.map(({ kind }) => kind)).toEqual(['system', 'user', 'assistant', 'fork', 'user']);
  expect(await store.getSessionRun(forkedId)).toMatchObject({ turns: 1, usage: { inputTokens: 0 }, folder });
});

test('a folder that is gone is the reason why nobody works on the message', async () => {
  await open();
  rmSync(folder, { recursive: true });
  expect(await turn('a')).toMatchObject({ kind: 'opened', turn: 1, problem: { code: 'workspace-failed' } });
});

const call = (step: number, id: string) => ({
  runId: sessionId,
  storyId: sessionAgentId,
  attempt: 1,
  sessionId,
  step,
  callId: id,
});

test("tools work on the person's own files; a call that was cut off is not undone, and not run again", async () => {
  await open();
  await turn('a');
  const write = { id: 'w', name: 'write', args: { path: 'a.txt', content: 'a' } };
  const bash = { id: 'b', name: 'bash', args: { command: 'echo ran >> ran.txt' } };
  await answered(1, [write, bash]);
  expect(await tools.toolCall(call(1, 'w'))).toMatchObject({ ok: true });
  expect(existsSync(path.join(folder, 'a.txt'))).toBe(true);
  writeFileSync(path.join(folder, 'mine.txt'), 'of the person');
  await store.beginEffect({ key: `${sessionId}:1:b`, runId: sessionId, storyId: sessionAgentId, kind: 'tool-call' });
  for (const risk of ['shell', 'write'] as const) {
    const recovered = await tools.recoverToolCall({ ...call(1, 'b'), risk });
    expect(recovered.kind).toBe(risk === 'shell' ? 'interrupted' : 'recorded');
  }
  expect(existsSync(path.join(folder, 'mine.txt'))).toBe(true);
  expect(existsSync(path.join(folder, 'ran.txt'))).toBe(false);
  const result = (await store.readSession(sessionId)).at(-1);
  expect(result?.body).toMatchObject({ ok: false });
  expect(JSON.stringify(result?.body)).toContain('nothing was undone');
});

test('an agent that only reads can be made to change nothing, by no call', async () => {
  await open();
  await turn('a');
  await answered(1, [{ id: 'w', name: 'write', args: { path: 'a.txt', content: 'a' } }]);
  expect(await tools.toolCall({ ...call(1, 'w'), readsOnly: true })).toMatchObject({ ok: false });
  expect(existsSync(path.join(folder, 'a.txt'))).toBe(false);
});

test('an agent that a call has started knows its task, and answers as the result of the call, once', async () => {
  await open();
  await turn('a');
  await answered(1, [{ id: 'g', name: 'agent', args: { task: 'count the files' } }]);
  const calls = createAgentCalls(store);
  const agentId = agentSessionId(sessionId, 'g');
  const agent = { ...call(1, 'g'), sessionId: agentId, parentSessionId: sessionId };
  const opened = { ...agent, readsOnly: true, model: 'scripted/x' };
  expect(await calls.openAgent(opened)).toEqual({ firstStep: 1 });
  await calls.openAgent(opened);
  const rows = await store.readSession(agentId);
  expect(rows.map(({ kind }) => kind)).toEqual(['system', 'user']);
  expect(JSON.stringify(rows[1]?.body)).toMatch(/tools that read, and no other.*count the files/);
  await store.appendSessionEvents(agentId, [
    { key: 'x', kind: 'assistant', body: { text: 'There are 7.', toolCalls: [] } },
  ]);
  for (const end of ['finished', 'failed'] as const)
    await calls.closeAgent({ ...agent, isBeside: false, end, message: '', durationMs: 5 });
  const results = (await store.readSession(sessionId)).filter(({ kind }) => kind === 'tool-result');
  expect(results.map(({ body }) => body)).toEqual([{ callId: 'g', tool: 'agent', ok: true, output: 'There are 7.' }]);
  expect((await kinds()).filter((kind) => kind === 'tool-ended')).toHaveLength(1);
});

test('an agent beside another one knows its task, is told more, answers when asked, and goes on with a further task', async () => {
  await open();
  await turn('a', 'look around');
  const said = (id: string, name: string, args: unknown) => ({ id, name, args });
  await answered(1, [said('s', 'spawn_agent', { task_name: 'scout', message: 'count the files' })]);
  const calls = createAgentCalls(store);
  const agentId = besideSessionId(sessionId, { name: 'scout', callId: 's' });
  const agent = { ...call(1, 's'), sessionId: agentId, parentSessionId: sessionId };
  const opened = { ...agent, readsOnly: true, model: 'scripted/x', beside: { agent: 'explore', forks: false } };
  for (const _twice of [1, 2]) expect(await calls.openAgent(opened)).toEqual({ firstStep: 1 });
  expect((await store.readSession(agentId)).map(({ kind }) => kind)).toEqual(['system', 'user']);

  await answered(2, [
    said('t', 'send_message', { target: 'scout', message: 'not the hidden ones' }),
    said('w', 'wait_agent', {}),
    said('f', 'followup_task', JSON.stringify({ target: 'scout', message: 'now the folders' })),
  ]);
  for (const _twice of [1, 2]) await calls.tellAgent({ ...agent, callId: 't' });
  await modelAnswers(agentId, 1, 'There are 7.');
  const ended = [{ sessionId: agentId, name: 'scout', end: 'finished', message: '' }] as const;
  const answer = { ...call(2, 'w'), label: 'wait_agent', ok: true, durationMs: 5, text: 'No agent works now.', ended };
  for (const _twice of [1, 2]) {
    await calls.closeAgent({ ...agent, isBeside: true, end: 'finished', message: '', durationMs: 5 });
    await calls.answerAgentCall(answer);
  }
  const results = (await store.readSession(sessionId)).filter(({ kind }) => kind === 'tool-result');
  const output = 'scout has answered:\nThere are 7.\n\nNo agent works now.';
  expect(results.map(({ body }) => body)).toEqual([{ callId: 'w', tool: 'wait_agent', ok: true, output }]);

  const further = { ...opened, step: 2, callId: 'f' };
  for (const _twice of [1, 2]) expect(await calls.openAgent(further)).toEqual({ firstStep: 2 });
  const rows = await store.readSession(agentId);
  expect(rows.map(({ kind }) => kind)).toEqual(['system', 'user', 'user', 'assistant', 'user']);
  expect(rows.map(({ body }) => JSON.stringify(body))).toEqual([
    expect.anything(),
    expect.stringMatching(/agent scout, that works beside.*You look and change nothing.*count the files/),
    expect.stringContaining('not the hidden ones'),
    expect.anything(),
    expect.stringContaining('now the folders'),
  ]);
  const events = await store.readRunEvents(sessionId, { afterSeq: 0, limit: 100 });
  expect(events.flatMap(({ kind, body }) => (kind.startsWith('agent-') ? [[kind, body]] : []))).toEqual([
    ['agent-started', { agent: 'scout', readsOnly: true, task: 'count the files' }],
    ['agent-ended', { agent: 'scout', end: 'finished', message: '', durationMs: 5 }],
    ['agent-started', { agent: 'scout', readsOnly: true, task: 'now the folders' }],
  ]);
});

test("an agent that forks begins with all that its starter knew before the call, and is in nobody's list", async () => {
  await open();
  await turn('a', 'the secret is 42');
  await answered(1, [], 'I see.');
  await answered(2, [{ id: 's', name: 'spawn_agent', args: { task_name: 'heir', message: 'go on' } }]);
  const agentId = besideSessionId(sessionId, { name: 'heir', callId: 's' });
  const agent = { ...call(2, 's'), sessionId: agentId, parentSessionId: sessionId, readsOnly: false };
  const opened = { ...agent, model: 'scripted/x', beside: { agent: 'build', forks: true } };
  for (const _twice of [1, 2]) await createAgentCalls(store).openAgent(opened);
  const rows = await store.readSession(agentId);
  expect(rows.map(({ kind }) => kind)).toEqual(['system', 'user', 'assistant', 'fork', 'user']);
  expect(JSON.stringify(rows)).toMatch(/the secret is 42.*go on/);
  const listed = await store.listSessions({ limit: 50, kinds: ['chat'], folder });
  expect(listed.map((session) => session.sessionId)).toEqual([sessionId]);
});

test('an agent that ends is reminded once of those that work beside it', async () => {
  await open();
  await turn('a');
  const reminder = { sessionId, step: 3, working: ['scout'], unread: ['clerk'] };
  for (const _twice of [1, 2]) await createAgentCalls(store).remindOfAgents(reminder);
  const told = (await store.readSession(sessionId)).slice(2);
  expect(told).toHaveLength(1);
  expect(JSON.stringify(told)).toMatch(/scout.*clerk.*"aside":true/);
});

test("an agent's share is hard for it and for all that it starts, and what they spend counts for the session", async () => {
  await open();
  await turn('a');
  const child = agentSessionId(sessionId, 'g');
  const grandchild = agentSessionId(child, 'h');
  const reserve = async (id: string, step: number, usd: number) =>
    await store.reserveModelCall({
      key: `${id}:${step}`,
      runId: sessionId,
      storyId: sessionAgentId,
      sessionId: id,
      model: 'scripted/x',
      tokens: 10,
      usd,
      price: { inputUsd: 1, cachedInputUsd: 1, cacheWriteUsd: 1, outputUsd: 1, source: 'script' },
      ...(id === sessionId ? {} : { shares: [{ sessionId: child, maxCostUsd: 1 }] }),
    });
  expect(await reserve(child, 1, 0.6)).toMatchObject({ kind: 'reserved' });
  expect(await reserve(grandchild, 1, 0.5)).toEqual({ kind: 'budget-exceeded', budget: 'agent-share' });
  const [one, other] = await Promise.all([reserve(grandchild, 2, 0.4), reserve(child, 2, 0.4)]);
  expect([one.kind, other.kind].toSorted()).toEqual(['budget-exceeded', 'reserved']);
  expect(await reserve(sessionId, 9, 5)).toMatchObject({ kind: 'reserved' });
  expect((await store.getSessionRun(sessionId))?.ledger.reservedUsd).toBeCloseTo(6, 9);
});

test('the API takes a message once, keeps its text out of the engine, and remembers the model', async () => {
  const start = await api.client.startSession({ folder, text: 'begin', model: 'scripted/x', maxCostUsd: 2 });
  expect(start).toMatchObject({
    ahead: 0,
    afterSeq: 0,
    session: { title: 'begin', model: 'scripted/x', maxCostUsd: 2 },
  });
  const id = start.session.sessionId;
  const next = await api.client.sendMessage(id.slice(0, 20), { text: 'go on', messageId: 'mine', agent: 'plan' });
  expect(next).toMatchObject({ messageId: 'mine', ahead: 1, session: { agent: 'plan', maxCostUsd: 2 } });
  const sent = api.engine.sent.map(([, given]) => given);
  expect(sent[1]).toMatchObject({ messageId: 'mine', model: 'scripted/x', agent: 'plan', maxSteps: 50 });
  expect(JSON.stringify(sent)).not.toContain('go on');
  expect(await store.getBlob(sent[1]?.text ?? '')).toBe('go on');
  expect((await api.client.listSessions({ folder })).sessions.map((session) => session.sessionId)).toEqual([id]);
  expect((await api.client.listSessions({ folder: '/elsewhere' })).sessions).toEqual([]);
});

test('a message that the engine does not take leaves no session at work', async () => {
  api.engine.mode = 'down';
  await expect(api.client.startSession({ folder, text: 'x', model: 'scripted/x' })).rejects.toMatchObject({
    code: 'engine-unreachable',
  });
  api.engine.mode = 'up';
  const { sessions: found } = await api.client.listSessions({ folder });
  expect(found).toMatchObject([{ status: 'error', turns: 0 }]);
});

test.each([
  [{ folder: 'relative' }, 'absolute'],
  [{ folder: '/not/there' }, 'not there'],
  [{ outputSchema: { type: 'nonsense' } }, 'outputSchema'],
  [{ messageId: '../x' }, 'messageId'],
  [{ text: '' }, 'text'],
])('%j is refused by name', async (change, named) => {
  const payload = { folder, text: 'x', model: 'scripted/x', ...change };
  const response = await api.app.inject({ method: 'POST', url: '/v1/sessions', payload });
  expect(response.statusCode).toBe(422);
  expect(response.body).toContain(named);
  expect(response.json()).toMatchObject({ code: 'request-invalid' });
});

test('the events of a session end when no turn is under way', async () => {
  await open();
  await turn('a');
  const seen: string[] = [];
  const reading = (async () => {
    for await (const event of api.client.sessionEvents(sessionId)) seen.push(event.kind);
  })();
  await store.endTurn(end('a', 1));
  await reading;
  expect(seen).toEqual(['turn-started', 'turn-ended']);
});

test('a turn whose workflow somebody has ended in the engine is an error, and says so', async () => {
  await open();
  await turn('a');
  const behind = openDatabase({ databaseUrl: database.url });
  const anHourAgo = new Date(Date.now() - 3_600_000);
  await behind.updateTable('run').set({ started_at: anHourAgo }).where('run_id', '=', sessionId).execute();
  await behind.destroy();
  const session = await api.client.getSession(sessionId);
  expect(session).toMatchObject({ status: 'error', message: 'its workflow was ended in the engine' });
  expect(await kinds()).toEqual(['turn-started', 'turn-ended']);
});

const write = (id: string, file: string) => ({ id, name: 'write', args: { path: file, content: id } });
const bash = (id: string, command: string) => ({ id, name: 'bash', args: { command } });

/** A turn with these calls, one after the other, ended twice; what its end says of it. */
async function worked(messageId: string, steps: readonly RequestedToolCall[], others = () => {}) {
  const opened = await turn(messageId);
  if (opened.kind !== 'opened') throw new Error('answered');
  const { firstStep, before, turn: number } = opened;
  others();
  for (const [index, request] of steps.entries()) {
    await answered(firstStep + index, [request]);
    await tools.toolCall({ ...call(firstStep + index, request.id), attempt: number });
  }
  const input = { ...end(messageId, number), ...(before === undefined ? {} : { before }) };
  await sessions.endTurn(input);
  writeFileSync(path.join(folder, 'late.txt'), 'after the end');
  await sessions.endTurn(input);
  rmSync(path.join(folder, 'late.txt'));
  const events = await store.readRunEvents(sessionId, { afterSeq: 0, limit: 100, kinds: ['turn-ended'] });
  const { body } = events.at(-1) ?? {};
  const rows = (await store.readSession(sessionId)).filter(({ kind }) => kind === 'turn-end');
  return { changes: [], commands: [], ...body, rows: rows.map((row) => row.body) };
}

test('the end of a turn says which files it has changed, shell commands included, and which commands have ended how', async () => {
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@b.c', ...args], { cwd: folder });
  writeFileSync(path.join(folder, '.gitignore'), '.processes\n*.log\n');
  writeFileSync(path.join(folder, 'old.txt'), 'old');
  git('init', '-q');
  git('add', '-A');
  git('commit', '-q', '-m', 'first');
  writeFileSync(path.join(folder, 'mine.txt'), 'of the person');
  await open();
  const changes = {
    total: 3,
    files: [
      { path: 'a.txt', change: 'added' },
      { path: 'old.txt', change: 'deleted' },
      { path: 'x.log', change: 'added' },
    ],
  };
  const calls = [
    write('w1', 'a.txt'),
    write('w2', 'x.log'),
    write('w3', 'reverted.txt'),
    bash('b1', 'test -f old.txt'),
    bash('b2', 'rm old.txt reverted.txt'),
    bash('b3', 'test -f old.txt'),
  ];
  const commands = [
    { command: 'rm old.txt reverted.txt', exitCode: 0 },
    { command: 'test -f old.txt', exitCode: 1 },
  ];
  expect(await worked('a', calls)).toMatchObject({ changes, commands, rows: [{ changes, commands }] });
});

test('a turn that only looked has changed nothing, whatever others did meanwhile', async () => {
  execFileSync('git', ['init', '-q'], { cwd: folder });
  await open();
  const others = () => writeFileSync(path.join(folder, 'mine.txt'), 'of the person');
  const look = { id: 'l', name: 'list', args: {} };
  expect(await worked('a', [look], others)).toMatchObject({ changes: [], commands: [], rows: [] });
});

test('without git the tools alone say what was changed', async () => {
  await open();
  const patch =
    '*** Begin Patch\n*** Delete File: a.txt\n*** Update File: b.txt\n*** Move to: c.txt\n@@\n-b\n+c\n*** End Patch';
  await worked('a', [write('w', 'a.txt'), write('b\n', 'b.txt')]);
  const edit = { id: 'e', name: 'edit', args: { path: 'c.txt', old_string: 'c', new_string: 'd' } };
  const { changes } = await worked('b', [
    { id: 'p', name: 'apply_patch', args: { patch } },
    edit,
    bash('x', 'touch unseen'),
  ]);
  expect(changes).toEqual({
    total: 3,
    files: [
      { path: 'a.txt', change: 'deleted' },
      { path: 'b.txt', change: 'deleted' },
      { path: 'c.txt', change: 'added' },
    ],
  });
});

test('a command that a batch has run, and one that its time has cut off, are told as well', async () => {
  await open();
  const batch = { id: 'x', name: 'batch', args: { calls: [{ tool: 'bash', args: { command: 'false' } }] } };
  const slow = { id: 's', name: 'bash', args: { command: 'sleep 20', timeout: 1 } };
  expect(await worked('a', [batch, slow])).toMatchObject({
    commands: [
      { command: 'false', exitCode: 1 },
      { command: 'sleep 20', exitCode: null },
    ],
  });
});

test('what agents have done that the turn has started is told with it, and not with the next', async () => {
  await open();
  const agentId = agentSessionId(sessionId, 'g');
  const deeds = { files: [{ path: 'b.txt', change: 'added' } as const], commands: [{ command: 'ls', exitCode: 0 }] };
  const body = { callId: 'x', tool: 'write', ok: true, output: 'created b.txt', did: deeds };
  await turn('a');
  await store.appendSessionEvents(agentId, [{ key: 'x', kind: 'tool-result', body }]);
  await sessions.endTurn(end('a', 1));
  const [ended] = await store.readRunEvents(sessionId, { afterSeq: 0, limit: 9, kinds: ['turn-ended'] });
  expect(ended?.body).toMatchObject({ changes: { total: 1, files: deeds.files }, commands: deeds.commands });
  expect(await worked('b', [])).toMatchObject({ changes: [], commands: [] });
});
