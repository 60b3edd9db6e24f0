import { expect, test } from 'vitest';
import { isInterrupted, isTerminal, TaskMessage, taskSnapshot, taskStates, textOf } from '../../domain/a2a/task.ts';
import type { TaskEvent } from '../../domain/a2a/task.ts';
import { runIdOf, taskWorkflowId, tenantOf } from '../../domain/run/ids.ts';

const said = (messageId: string, text: string, role: TaskMessage['role'] = 'ROLE_USER'): TaskMessage => ({
  messageId,
  role,
  parts: [{ text }],
});

function log(...events: readonly Omit<TaskEvent, 'seq' | 'at'>[]): TaskEvent[] {
  return events.map((event, index) => ({ ...event, seq: index + 1, at: new Date(1_000 * index) }) as TaskEvent);
}

test('every state is at work, waits for its sender, or is the end', () => {
  expect(taskStates.filter(isTerminal)).toEqual(['completed', 'canceled', 'failed', 'rejected']);
  expect(taskStates.filter(isInterrupted)).toEqual(['input-required', 'auth-required']);
});

test('a task is what its log says: the newest status, what was said before it, artifacts with their chunks joined', () => {
  const chunk = (text: string, append: boolean) => ({
    kind: 'artifact' as const,
    body: { artifact: { artifactId: 'a', parts: [{ text }] }, append, lastChunk: append },
  });
  const snapshot = taskSnapshot(
    log(
      { kind: 'message', body: { message: said('1', 'paint it') } },
      { kind: 'status', body: { state: 'submitted' } },
      {
        kind: 'status',
        body: { state: 'input-required', message: said('q', 'which?', 'ROLE_AGENT'), approvalId: 'q-1' },
      },
      { kind: 'message', body: { message: said('2', 'blue'), approvalId: 'q-1' } },
      chunk('old', false),
      chunk('one ', false),
      chunk('two', true),
      { kind: 'status', body: { state: 'completed' } },
    ),
  );
  expect(snapshot).toMatchObject({ seq: 8, statusSeq: 8, status: { state: 'completed' }, at: new Date(7_000) });
  expect(snapshot.history.map(textOf)).toEqual(['paint it', 'which?', 'blue']);
  expect(snapshot.artifacts).toEqual([{ artifactId: 'a', parts: [{ text: 'one ' }, { text: 'two' }] }]);
});

test('what the status says now is not history yet', () => {
  const question = { state: 'input-required', message: said('q', 'which?', 'ROLE_AGENT') } as const;
  const snapshot = taskSnapshot(log({ kind: 'status', body: question }));
  expect([snapshot.status, snapshot.history]).toEqual([question, []]);
});

test('a message has a sender, an id, and parts of one kind each; null is data', () => {
  const whole = said('1', 'x');
  expect(TaskMessage.safeParse(whole).success).toBe(true);
  expect(TaskMessage.safeParse({ ...whole, parts: [{ data: null }] }).success).toBe(true);
  for (const broken of [
    { ...whole, parts: [] },
    { ...whole, messageId: '' },
    { ...whole, role: 'ROLE_UNSPECIFIED' },
    { ...whole, parts: [{}] },
    { ...whole, parts: [{ text: 'x', url: 'https://example.com' }] },
  ])
    expect(TaskMessage.safeParse(broken).success, JSON.stringify(broken)).toBe(false);
});

test('the workflow of a task says whose it is', () => {
  expect(taskWorkflowId('7d')).toBe('task:7d');
  const acme = taskWorkflowId('7d', 'acme');
  expect([acme, tenantOf(acme), runIdOf(acme), tenantOf('task:7d'), runIdOf('task:7d')]).toEqual([
    'task:@acme:7d',
    'acme',
    'task:@acme:7d',
    'default',
    'task:7d',
  ]);
});
