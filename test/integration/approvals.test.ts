import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Approval } from '../../domain/run/approval.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { startApi } from './api-fixtures.ts';
import type { TestApi } from './api-fixtures.ts';
import { plan } from './store-fixtures.ts';

let store: PostgresStore;
let api: TestApi;
let runId: string;
let count = 0;

withTestStore((opened) => {
  store = opened;
});
beforeEach(async () => {
  api = await startApi(store);
  runId = `ralph:asks-${++count}:wish`;
  await store.openRun(plan({ runId }));
});
afterEach(async () => {
  // What a run asks is over with the run, so that no test sees another's.
  await store.finishRun({ runId, execution: 1, outcome: 'stopped', message: '', tip: null, commits: 0, durationMs: 1 });
  await api.close();
});

const question = (id: string, change: Partial<Approval> = {}): Approval => ({
  approvalId: `${id}-${count}`,
  runId,
  workflowId: `${runId}:US-1:1`,
  storyId: 'US-1',
  kind: 'tool-risk',
  question: 'bash git push (it pushes to a remote)',
  choices: ['approve', 'deny'],
  defaultChoice: 'deny',
  expiresAt: '2030-01-01T00:00:00.000Z',
  ...change,
});
const kinds = async () => (await store.readRunEvents(runId, { afterSeq: 0, limit: 100 })).map(({ kind }) => kind);

test('a question is recorded once and settled once, with one event each', async () => {
  const approval = question('q');
  await store.requestApproval(approval);
  await store.requestApproval(approval);
  expect(await store.listPendingApprovals({ runId })).toMatchObject([{ ...approval, state: 'pending', answer: null }]);
  const settlement = { approvalId: approval.approvalId, runId, storyId: 'US-1', answeredBy: 'ada', note: 'n\u0000' };
  await store.settleApproval({ ...settlement, state: 'answered', answer: 'approve' });
  await store.settleApproval({ ...settlement, state: 'expired', answer: 'deny' });
  expect(await store.listPendingApprovals({ runId })).toEqual([]);
  expect(await store.getApproval(approval.approvalId)).toMatchObject({ state: 'answered', answer: 'approve' });
  expect(await kinds()).toEqual(['approval-requested', 'approval-answered']);
});

test('a run that ends waits for nobody any more', async () => {
  const approval = question('q');
  await store.requestApproval(approval);
  await store.finishRun({ runId, execution: 1, outcome: 'error', message: '', tip: null, commits: 0, durationMs: 1 });
  expect(await store.getApproval(approval.approvalId)).toMatchObject({ state: 'expired', answer: 'deny' });
});

test('the API lists what is asked and hands the answer to the workflow that asks', async () => {
  const approval = question('q');
  await store.requestApproval(approval);
  const { approvals } = await api.client.listApprovals();
  expect(approvals).toMatchObject([{ id: approval.approvalId, runId, defaultChoice: 'deny', state: 'pending' }]);
  expect((await api.client.getRun(runId)).approvals).toEqual(approvals);
  await api.client.answerApproval(approval.approvalId, { choice: 'approve', note: 'once' });
  expect(api.engine.answers).toEqual([
    [approval.workflowId, { approvalId: approval.approvalId, choice: 'approve', note: 'once', answeredBy: 'local' }],
  ]);
});

test('one answer about a used-up account answers all of the run, and no other question', async () => {
  const quota = { kind: 'quota', choices: ['retry', 'stop'], defaultChoice: 'stop' } as const;
  await store.requestApproval(question('a', quota));
  await store.requestApproval(question('b', { ...quota, storyId: 'US-2', workflowId: `${runId}:US-2:1` }));
  await store.requestApproval(question('c'));
  await api.client.answerApproval(`b-${count}`, { choice: 'retry' });
  expect(api.engine.answers.map(([, { approvalId }]) => approvalId)).toEqual([`b-${count}`, `a-${count}`]);
});

test('an answer that is none of the choices, comes too late or is to nothing is refused', async () => {
  const approval = question('q');
  await store.requestApproval(approval);
  const give = (id: string, choice: string) => api.client.answerApproval(id, { choice });
  await expect(give(approval.approvalId, 'maybe')).rejects.toMatchObject({ code: 'request-invalid' });
  await expect(give('q-none', 'approve')).rejects.toMatchObject({ code: 'not-found' });
  await store.settleApproval({
    approvalId: approval.approvalId,
    runId,
    storyId: 'US-1',
    state: 'answered',
    answer: 'deny',
    answeredBy: 'ada',
    note: '',
  });
  await expect(give(approval.approvalId, 'approve')).rejects.toMatchObject({ code: 'approval-settled' });
  expect(api.engine.answers).toEqual([]);
});

test("an agent's question is answered in any words, cleaned of what a terminal would obey, and not by nothing", async () => {
  const free = question('q', { kind: 'question', question: 'which one?', choices: [], defaultChoice: '' });
  await store.requestApproval(free);
  const { approvals } = await api.client.listApprovals();
  expect(approvals).toMatchObject([{ kind: 'question', choices: [], defaultChoice: '' }]);
  const give = async (choice: string, note = '') => await api.client.answerApproval(free.approvalId, { choice, note });
  for (const choice of ['', ' \n', '\u001B[2J', 'x'.repeat(1_001)])
    await expect(give(choice), JSON.stringify(choice)).rejects.toMatchObject({ code: 'request-invalid' });
  await give(' the \u001B]0;title\u0007second\u0000 one\n', '\u001B[31mreally');
  expect(api.engine.answers.map(([, { choice, note }]) => [choice, note])).toEqual([['the second one', 'really']]);
});

test('a run tells which stories wait for a provider, until the answer is there', async () => {
  const body = {
    step: 1,
    provider: 'openai',
    reason: 'rate-limit',
    message: 'm',
    until: '2030-01-01T00:00:00.000Z',
    refusals: 1,
    mayHaveCost: false,
    nextModel: null,
  } as const;
  await store.record({ runId, events: [], run: { status: 'running' } });
  const at = { storyId: 'US-1', attempt: 1 };
  await store.appendRunEvents(runId, [{ key: 'w', kind: 'model-waiting', ...at, body }]);
  expect((await api.client.getRun(runId)).waits).toEqual([{ storyId: 'US-1', ...body }]);
  const usage = { inputTokens: 1, outputTokens: 1, costUsd: 0, durationMs: 1 };
  await store.appendRunEvents(runId, [
    { key: 'a', kind: 'model-answered', ...at, body: { step: 1, ...usage, text: '', toolCalls: [] } },
  ]);
  expect((await api.client.getRun(runId)).waits).toEqual([]);
});

test('a message to a story is handed to the run, and refused for a story or run that does not take it', async () => {
  await store.record({ runId, events: [], run: { status: 'running' } });
  api.engine.runs.set(runId, { kind: 'running', execution: 1 });
  await api.client.tellStory(runId, 'US-1', 'nudge', 'use the library');
  await expect(api.client.tellStory(runId, 'US-1', 'retry', '')).rejects.toMatchObject({ code: 'run-not-active' });
  await store.record({ runId, events: [], story: { storyId: 'US-1', status: 'failed' } });
  await api.client.tellStory(runId, 'US-1', 'retry', '');
  expect(api.engine.told).toEqual([
    [runId, 'nudge', { storyId: 'US-1', text: 'use the library' }],
    [runId, 'retry', { storyId: 'US-1', text: '' }],
  ]);
  await expect(api.client.tellStory(runId, 'US-9', 'nudge', 'x')).rejects.toMatchObject({ code: 'not-found' });
  await store.finishRun({ runId, execution: 1, outcome: 'stopped', message: '', tip: null, commits: 0, durationMs: 1 });
  await expect(api.client.tellStory(runId, 'US-1', 'nudge', 'x')).rejects.toMatchObject({ code: 'run-not-active' });
});
