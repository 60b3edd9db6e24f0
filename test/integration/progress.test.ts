import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createProgressActivities } from '../../activities/progress/create-progress-activities.ts';
import { createRunCommand } from '../../activities/process/run-command.ts';
import { createToolActivities } from '../../activities/tools/create-tool-activities.ts';
import { createWorkspaceActivities } from '../../activities/workspace/create-workspace-activities.ts';
import { createRepositories } from '../../activities/workspace/repository.ts';
import type { RunPlan } from '../../domain/contracts/store.ts';
import { attemptId } from '../../domain/run/ids.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { bareEnvironment, makeRepository } from '../support/repository.ts';
import type { TestRepository } from '../support/repository.ts';
import { plan, warning } from './store-fixtures.ts';

let store: PostgresStore;
let repository: TestRepository;
let runId: string;
let activities: ReturnType<typeof makeActivities>;
let count = 0;

withTestStore((opened) => {
  store = opened;
});
beforeEach(async () => {
  runId = `ralph:progress-${++count}:due-dates`;
  repository = makeRepository({ files: { 'a.txt': 'a\n' } });
  activities = makeActivities();
  await store.openRun(planned());
  await activities.workspaces.openRepository({ runId });
});
afterEach(() => {
  repository.remove();
});

function planned(title = 'Store due dates'): RunPlan {
  const base = plan({ runId, stories: [{ id: 'US-1', title }] });
  return { ...base, repoPath: repository.top, prdPath: path.join(repository.top, 'prd.json') };
}

function makeActivities() {
  const processes = {
    env: bareEnvironment(repository.scratch),
    processDir: path.join(repository.scratch, 'processes'),
  };
  const repositories = createRepositories(processes);
  return {
    workspaces: createWorkspaceActivities({ store, hostId: 'tiger', repositories }),
    progress: createProgressActivities({ store, hostId: 'tiger', git: repositories.git }),
    tools: createToolActivities({
      store,
      git: repositories.git,
      runCommand: createRunCommand(processes),
      cancellationSignal: () => new AbortController().signal,
    }),
  };
}

/** An attempt that writes a file with the text by a tool, and fails. */
async function failedAttempt(attempt: number, text: string, message = 'gate test: 3 of 14 tests failed in 1.2s') {
  const ref = { runId, storyId: 'US-1', attempt };
  const sessionId = attemptId(runId, 'US-1', attempt);
  await activities.workspaces.prepareWorkspace({ ...ref, start: { kind: 'keep' } });
  const call = { id: 'w', name: 'write', args: { path: 'made.txt', content: text } };
  await store.appendSessionEvents(sessionId, [{ key: 'a', kind: 'assistant', body: { text: '', toolCalls: [call] } }]);
  await activities.tools.toolCall({ ...ref, sessionId, step: 1, callId: 'w' });
  return await activities.progress.judgeFailure({ ...ref, reason: 'gate-failed', message });
}

test('attempts that leave the same tree and the same failure are diagnosed, then blocked, also in a further execution', async () => {
  expect(await failedAttempt(1, 'one')).toEqual({ kind: 'go-on' });
  const diagnosed = {
    kind: 'diagnose',
    diagnosis: expect.stringMatching(/^Attempts 1 and 2 left exactly the same files.* Changed files: made\.txt\.$/),
  };
  expect(await failedAttempt(2, 'one', 'gate test: 4 of 14 tests failed in 900ms')).toEqual(diagnosed);
  // An activity that runs twice remembers the attempt once.
  expect(await failedAttempt(2, 'one')).toEqual(diagnosed);
  expect(await store.openRun(planned())).toBe(2);
  expect(await failedAttempt(3, 'one')).toMatchObject({ kind: 'blocked' });
});

test('another tree is progress, the same two trees in turn are none', async () => {
  expect(await failedAttempt(1, 'one')).toEqual({ kind: 'go-on' });
  expect(await failedAttempt(2, 'two')).toEqual({ kind: 'go-on' });
  expect(await failedAttempt(3, 'one')).toEqual({ kind: 'go-on' });
  expect(await failedAttempt(4, 'two')).toMatchObject({ kind: 'diagnose' });
});

test('failures are forgotten when the story passes and when its text changes', async () => {
  await failedAttempt(1, 'one');
  await store.record({ runId, events: [warning('passed')], story: { storyId: 'US-1', status: 'passed' } });
  expect(await failedAttempt(2, 'one')).toEqual({ kind: 'go-on' });
  await store.openRun(planned('Store due dates, and show them'));
  expect(await failedAttempt(3, 'one')).toEqual({ kind: 'go-on' });
  expect(await failedAttempt(4, 'one')).toMatchObject({ kind: 'diagnose' });
});

test('an attempt that never got a workspace can be judged, too', async () => {
  const judge = (attempt: number) =>
    activities.progress.judgeFailure({ runId, storyId: 'US-1', attempt, reason: 'tool-failed', message: 'no disk' });
  expect(await judge(1)).toEqual({ kind: 'go-on' });
  expect(await judge(2)).toMatchObject({
    kind: 'diagnose',
    diagnosis: expect.stringContaining('No file differs from the base.'),
  });
});

test('the model is told of calls that repeat themselves, once a step, and the workflow gets the count', async () => {
  const ref = { runId, storyId: 'US-1', attempt: 1 };
  const sessionId = attemptId(runId, 'US-1', 1);
  await activities.workspaces.prepareWorkspace({ ...ref, start: { kind: 'tip' } });
  const counts: number[] = [];
  for (let step = 1; step <= 5; step++) {
    const toolCalls = ['r', 'l'].map((name) => ({
      id: `${name}${step}`,
      name: name === 'r' ? 'read' : 'list',
      args: { path: name === 'r' ? 'a.txt' : '.' },
    }));
    await store.appendSessionEvents(sessionId, [
      { key: `s${step}`, kind: 'assistant', body: { text: `${step}`, toolCalls } },
    ]);
    const results = await Promise.all(
      toolCalls.map(({ id }) => activities.tools.toolCall({ ...ref, sessionId, step, callId: id })),
    );
    counts.push(Math.max(...results.map(({ repeats }) => repeats)));
    // A second run of the activity gives the same count and tells nothing again.
    const again = await activities.tools.toolCall({ ...ref, sessionId, step, callId: toolCalls[0]?.id ?? '' });
    expect(again.repeats).toBe(step === 1 ? 0 : step);
  }
  expect(counts).toEqual([0, 2, 3, 4, 5]);
  const told = (await store.readSession(sessionId)).filter((row) => row.kind === 'user');
  expect(told.map((row) => /(\d) times with the same result\. Doing/.exec(row.body.text)?.[1])).toEqual([
    '3',
    '4',
    '5',
  ]);
});
