import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRunCommand } from '../../activities/process/run-command.ts';
import { createAskCalls } from '../../activities/session/ask-calls.ts';
import { createSessionActivities } from '../../activities/session/create-session-activities.ts';
import { createToolActivities } from '../../activities/tools/create-tool-activities.ts';
import { createGit } from '../../activities/workspace/git.ts';
import type { ApprovalSettlement } from '../../domain/run/approval.ts';
import { sessionAgentId } from '../../domain/run/ids.ts';
import { planOf } from '../../domain/session/plan-mode.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { bareEnvironment } from '../support/repository.ts';
import { withTestStore } from '../support/store.ts';

let store: PostgresStore;
let folder: string;
let sessionId: string;
let calls: ReturnType<typeof createAskCalls>;
let tools: ReturnType<typeof createToolActivities>;
let count = 0;

withTestStore((opened) => {
  store = opened;
});
beforeEach(async () => {
  sessionId = `session:${++count}-asks`;
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'codetether-ask-')));
  const processes = { env: bareEnvironment(folder), processDir: path.join(folder, '.processes') };
  calls = createAskCalls(store);
  tools = createToolActivities({
    store,
    git: createGit(processes),
    runCommand: createRunCommand(processes),
    cancellationSignal: () => new AbortController().signal,
  });
  await store.openSession({
    sessionId,
    folder,
    hostId: 'tiger',
    title: 'work',
    model: 'scripted/x',
    agent: 'build',
    caps: {},
  });
  const sessions = createSessionActivities({
    store,
    git: createGit(processes),
    hostId: 'tiger',
    skills: async () => [],
    agents: async () => ({ agents: [], problems: [] }),
    runHooks: async () => ({ kind: 'passed' }),
  });
  await sessions.openTurn({
    sessionId,
    messageId: 'a',
    text: await store.putBlob('do it'),
    agent: 'build',
    model: 'scripted/x',
    maxSteps: 20,
    maxTimeMs: null,
    onAsk: 'wait',
    askTimeoutMs: 1_000,
  });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A call of the model's in a step of its own; what the workflow hands on for it. */
async function asked(step: number, name: string, args: object) {
  const callId = `${name}-${step}`;
  const toolCalls = [{ id: callId, name, args }];
  await store.appendSessionEvents(sessionId, [
    { key: `${sessionId}:${step}`, kind: 'assistant', body: { text: '', toolCalls } },
  ]);
  return { runId: sessionId, storyId: sessionAgentId, attempt: 1, sessionId, step, callId };
}

const settled = (answer: string, answeredBy: string, note = ''): ApprovalSettlement => ({
  approvalId: 'q',
  runId: sessionId,
  storyId: sessionAgentId,
  state: answeredBy === 'timeout' ? 'expired' : 'answered',
  answer,
  answeredBy,
  note,
});
const results = async () =>
  (await store.readSession(sessionId)).flatMap((row) => (row.kind === 'tool-result' ? [row.body] : []));
const last = async () => (await results()).at(-1);
const isPlanning = async () => planOf(await store.readSession(sessionId)) !== undefined;

test('a question is asked as the model has put it, cleaned, and its answer is told to the model once', async () => {
  const args = { question: 'which\u001B[2J one?\nthe left?', options: ['le\u0007ft', 'right'], default: 'le\u0007ft' };
  const input = { ...(await asked(1, 'question', args)), asks: 'question' } as const;
  for (let time = 1; time <= 2; time++)
    expect(await calls.openAsk(input)).toEqual({
      kind: 'ask',
      question: {
        kind: 'question',
        question: 'which one?\nthe left?',
        choices: ['left', 'right'],
        defaultChoice: 'left',
      },
    });
  for (const answer of ['right', 'left'])
    await calls.closeAsk({ ...input, settlement: settled(answer, 'ada', 'it is \u001B[1mfaster'), durationMs: 7 });
  expect(await results()).toEqual([
    {
      callId: 'question-1',
      tool: 'question',
      ok: true,
      output: 'The person answers: right\nnote: it is faster',
    },
  ]);
  const events = await store.readRunEvents(sessionId, { afterSeq: 0, limit: 10 });
  expect(events.map(({ kind }) => kind)).toEqual(['turn-started', 'step-started', 'tool-ended']);
  expect(events.at(-1)?.body).toMatchObject({ label: 'question which one? the left?', ok: true, durationMs: 7 });
});

test.each([
  ['on-ask', 'blue', 'Nobody is there to answer. Take what you have named (blue), or decide yourself'],
  ['timeout', 'blue', 'Nobody has answered in time. Take what you have named (blue), or decide yourself'],
  ['on-ask', undefined, 'Nobody is there to answer. Decide yourself'],
])(
  'an agent that nobody answers (%s, default %s) is told to decide, and to say what it assumed',
  async (by, taken, told) => {
    const args = { question: 'which?', ...(taken === undefined ? {} : { default: taken }) };
    const input = { ...(await asked(1, 'question', args)), asks: 'question' } as const;
    await calls.closeAsk({ ...input, settlement: settled(taken ?? '', by), durationMs: 1 });
    expect((await last())?.output).toBe(`${told}, and say in your answer what you have assumed.`);
  },
);

test('a question that is longer than a person is shown says so', async () => {
  const input = { ...(await asked(1, 'question', { question: 'x'.repeat(2_000) })), asks: 'question' } as const;
  const opened = await calls.openAsk(input);
  expect(opened).toMatchObject({ question: { question: 'x'.repeat(2_000) } });
  await plan(2);
  const exit = { ...(await asked(3, 'plan_exit', { summary: 'y'.repeat(8_000) })), asks: 'plan' } as const;
  const shown = await calls.openAsk(exit);
  const text = shown.kind === 'ask' ? shown.question.question : '';
  expect(text).toHaveLength(2_000);
  expect(text).toMatch(/^plan mode: a library\ny+… \(cut here; the transcript has the whole of it\)$/);
});

async function plan(step: number): Promise<void> {
  expect(await tools.toolCall(await asked(step, 'plan_enter', { goal: 'a library' }))).toMatchObject({ ok: true });
}

const write = { path: 'a.txt', content: 'a' };

test('in plan mode the host makes no call that changes something, also in a batch, and says why', async () => {
  await plan(1);
  expect(await isPlanning()).toBe(true);
  const rules = { readsOnly: true, isPlanning: true } as const;
  const refused = [
    ['write', write],
    ['bash', { command: 'touch b.txt' }],
    ['batch', { calls: [{ tool: 'write', args: write }] }],
    // Nothing is known of what it would do.
    ['batch', { calls: 'nonsense' }],
  ] as const;
  for (const [index, [name, args]] of refused.entries()) {
    expect(await tools.toolCall({ ...(await asked(2 + index, name, args)), ...rules })).toMatchObject({ ok: false });
    expect((await last())?.output).toContain(`error: not run: ${name} would change something, and this is plan mode`);
  }
  expect(await tools.toolCall({ ...(await asked(9, 'list', { path: '.' })), ...rules })).toMatchObject({ ok: true });
  const shown = await store.readRunEvents(sessionId, { afterSeq: 0, limit: 20, kinds: ['tool-ended'] });
  expect(shown.map(({ body }) => 'ok' in body && body.ok)).toEqual([true, false, false, false, false, true]);
  expect(existsSync(path.join(folder, 'a.txt')) || existsSync(path.join(folder, 'b.txt'))).toBe(false);
});

test('a denied plan leaves plan mode on, an approved one ends it, and without plan mode nobody is asked', async () => {
  const exit = async (step: number) =>
    ({ ...(await asked(step, 'plan_exit', { summary: 'first this, then that' })), asks: 'plan' }) as const;
  const early = await exit(1);
  expect(await calls.openAsk(early)).toEqual({ kind: 'settled' });
  expect((await last())?.output).toContain('this is not plan mode');
  await plan(2);
  const first = await exit(3);
  expect(await calls.openAsk(first)).toEqual({
    kind: 'ask',
    question: {
      kind: 'plan',
      question: 'plan mode: a library\nfirst this, then that\nCarry it out?',
      choices: ['approve', 'deny'],
      isSafe: true,
    },
  });
  await calls.closeAsk({ ...first, settlement: settled('deny', 'ada', 'smaller'), durationMs: 1 });
  expect(await last()).toMatchObject({
    ok: false,
    output: 'The plan was denied. This is still plan mode.\nnote: smaller',
  });
  expect(await isPlanning()).toBe(true);
  const second = await exit(4);
  await calls.closeAsk({ ...second, settlement: settled('deny', 'on-ask'), durationMs: 1 });
  expect((await last())?.output).toContain('Nobody is there to answer. This is still plan mode. Answer with the plan');
  expect(await isPlanning()).toBe(true);
  const third = await exit(5);
  await calls.closeAsk({ ...third, settlement: settled('approve', 'ada'), durationMs: 1 });
  expect(await last()).toMatchObject({ ok: true, output: 'The plan was approved. Plan mode is over.' });
  expect(await isPlanning()).toBe(false);
  expect(await tools.toolCall(await asked(6, 'write', write))).toMatchObject({ ok: true });
  expect(readFileSync(path.join(folder, 'a.txt'), 'utf8')).toBe('a');
});

test('a fork of a session that plans, plans', async () => {
  await plan(1);
  const { length } = await store.readSession(sessionId);
  await store.forkSessionRun({ sessionId, seq: length }, { sessionId: `${sessionId}-fork`, title: 'fork' });
  expect(planOf(await store.readSession(`${sessionId}-fork`))).toContain('a library');
});
