import { expect, test } from 'vitest';
import { directAnswer, nextStep } from '../../domain/a2a/conformance.ts';
import type { TaskEvent, TaskMessage } from '../../domain/a2a/task.ts';

const said = (text: string, messageId = 'some-id'): TaskMessage => ({
  messageId,
  role: 'ROLE_USER',
  parts: [{ text }],
});

type Body = Pick<TaskEvent, 'kind' | 'body'>;
const messageOf = (message: TaskMessage) => ({ kind: 'message', body: { message } }) as const;

/** Plays a task to where it waits: what it has come to, and how long it waited before. */
function play(...messages: readonly TaskMessage[]): readonly string[] {
  const bodies: Body[] = [];
  const played: string[] = [];
  for (const message of messages) {
    bodies.push(messageOf(message));
    if (bodies.length === 1) bodies.push({ kind: 'status', body: { state: 'submitted' } });
    for (;;) {
      const events = bodies.map((body, index) => ({ ...body, seq: index + 1, at: new Date(0) }) as TaskEvent);
      const next = nextStep(events, 'completed');
      if (next === undefined) break;
      const { step } = next;
      expect(next.index).toBe(played.length);
      played.push('state' in step ? step.state : (Object.keys(step.artifact.parts[0] ?? {})[0] ?? ''));
      bodies.push({ kind: 'status', body: { state: 'working' } });
    }
  }
  return played;
}

test('what a task does is said by the beginning of its message id or of its text; the longest that fits counts', () => {
  expect(play(said('Hello', 'tck-complete-task-1a2b'))).toEqual(['completed']);
  expect(play(said('tck-artifact-text hello'))).toEqual(['text', 'completed']);
  expect(play(said('x', 'tck-artifact-file-1'))).toEqual(['raw', 'completed']);
  expect(play(said('x', 'tck-artifact-file-url-1'))).toEqual(['url', 'completed']);
  expect(play(said('x', 'tck-stream-artifact-chunked-1'))).toEqual(['working', 'text', 'text', 'completed']);
  expect(play(said('tck-task-failure now'))).toEqual(['working', 'failed']);
  expect(play(said('x', 'tck-reject-task-1'))).toEqual(['rejected']);
});

test('each further message adds its own steps; a conversation goes on until somebody says done', () => {
  expect(play(said('x', 'tck-input-required-1'), said('y', 'tck-input-required-1'), said('z'))).toEqual([
    'input-required',
    'input-required',
    'completed',
  ]);
  expect(play(said('tck-multi-turn start'), said('more'), said('tck-multi-turn on'), said('done'))).toEqual([
    'input-required',
    'input-required',
    'input-required',
    'completed',
  ]);
  expect(play(said('tck-auth-required'), said('here I am'))).toEqual(['auth-required', 'completed']);
});

test('a message that names nothing leads to the state that its task has for it', () => {
  const events = [
    { ...messageOf(said('Hello from TCK!')), seq: 1, at: new Date(0) },
    { kind: 'status', body: { state: 'submitted' }, seq: 2, at: new Date(0) },
  ] as const;
  expect(nextStep(events, 'input-required')).toEqual({ step: { state: 'working' }, index: 0 });
  const later = [...events, { kind: 'status', body: { state: 'working' }, seq: 3, at: new Date(0) }] as const;
  expect(nextStep(later, 'input-required')).toEqual({ step: { state: 'input-required', afterMs: 1_000 }, index: 1 });
  expect(nextStep(events, 'completed')).toEqual({ step: { state: 'completed' }, index: 0 });
});

test('some messages are answered without a task', () => {
  expect(directAnswer(said('tck-message-response hello'))).toBe('Direct message response');
  expect(directAnswer(said('x', 'tck-message-response-1'))).toBe('Direct message response');
  expect(directAnswer(said('hello'))).toBeUndefined();
});
