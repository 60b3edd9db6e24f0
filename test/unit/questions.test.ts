import { expect, test } from 'vitest';
import { QuestionArguments } from '../../activities/tools/question.ts';
import { answerCommands, answeredLine, questionLines, typedAnswer, withoutOne } from '../../cli/output/questions.ts';
import { OpenQuestions } from '../../cli/commands/session/open-questions.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { isAnswerTo } from '../../domain/run/approval.ts';
import type { RunEvent } from '../../domain/run/events.ts';

const decision = { kind: 'tool-risk', choices: ['approve', 'deny'] } as const;
const options = { kind: 'question', choices: ['red', 'dark blue'] } as const;
const free = { kind: 'question', choices: [] } as const;

test('what is typed at a yes-or-no question is a yes or a no, with words for the agent', () => {
  expect(typedAnswer(decision, 'y')).toEqual({ choice: 'approve' });
  expect(typedAnswer(decision, ' No, use the mock ')).toEqual({ choice: 'deny', note: 'use the mock' });
  expect(typedAnswer(decision, 'Approve')).toEqual({ choice: 'approve' });
  for (const line of ['', 'yellow', 'maybe', '1']) expect(typedAnswer(decision, line)).toBeUndefined();
});

test("an agent's question is answered by an option, its number, or in any words where there are no options", () => {
  expect(typedAnswer(options, '2')).toEqual({ choice: 'dark blue' });
  expect(typedAnswer(options, 'RED')).toEqual({ choice: 'red' });
  for (const line of ['3', '0', 'y', 'blue']) expect(typedAnswer(options, line)).toBeUndefined();
  expect(typedAnswer(free, ' no, the other one ')).toEqual({ choice: 'no, the other one' });
  expect(typedAnswer(free, '  ')).toBeUndefined();
});

test('an answer in own words is neither empty nor longer than 1,000 characters; of options, it is one', () => {
  expect(isAnswerTo(free, 'x'.repeat(1_000))).toBe(true);
  expect(isAnswerTo(free, 'x'.repeat(1_001))).toBe(false);
  expect(isAnswerTo(free, ' ')).toBe(false);
  expect(isAnswerTo(options, 'red')).toBe(true);
  expect(isAnswerTo(options, 'green')).toBe(false);
});

test('a question is shown with the command that answers it, without terminal control and with what happens without an answer', () => {
  const hostile = { id: 'q-1', kind: 'question', choices: ['re\u001B[2Jd', 'blue'] } as const;
  expect(answerCommands(hostile)).toBe('codetether answer q-1 "…" (red or blue)');
  expect(answerCommands({ id: 'q-1', ...free })).toBe('codetether answer q-1 "…"');
  expect(answerCommands({ id: 'q-1', ...decision })).toBe('codetether approve q-1 | codetether deny q-1');
  expect(questionLines({ ...hostile, question: 'which\u0007?\none' })).toEqual([
    'which?',
    'one',
    '  1  red',
    '  2  blue',
  ]);
  expect(withoutOne({ defaultChoice: '' }, '2026-03-02T12:05:00.000Z')).toContain('without one the agent decides at');
  expect(answeredLine({ id: 'q-1', state: 'answered', choice: '', by: 'on-ask', note: '' })).toBe(
    'q-1: the agent decides (on-ask)',
  );
});

test('a default is one of the options where there are some, and no two options are the same', () => {
  const isRight = (given: object) => QuestionArguments.safeParse({ question: 'which?', ...given }).success;
  expect(isRight({})).toBe(true);
  expect(isRight({ default: 'the usual one' })).toBe(true);
  expect(isRight({ options: ['a', 'b'], default: 'b' })).toBe(true);
  expect(isRight({ options: ['a', 'b'], default: 'c' })).toBe(false);
  expect(isRight({ options: ['a', 'a'] })).toBe(false);
  expect(isRight({ options: ['a'] })).toBe(false);
});

test('what is asked is answered where it is shown, one after the other; one that was answered elsewhere is not asked any more', async () => {
  const said: string[] = [];
  const given: unknown[] = [];
  const answerApproval = async (id: string, answer: object) => {
    given.push([id, answer]);
    if (id === 'late') throw new CodetetherError('approval-settled', 'late was answered by ada');
    return undefined as never;
  };
  const open = new OpenQuestions({ answerApproval }, (lines) => said.push(...lines));
  const event = (kind: string, body: object) =>
    ({ seq: 1, at: '', storyId: 'main', attempt: 1, kind, body }) as RunEvent;
  const ask = (id: string, about: object = options) =>
    event('approval-requested', {
      id,
      question: `${id}?`,
      defaultChoice: '',
      expiresAt: '2026-03-02T12:05:00.000Z',
      ...about,
    });
  const settle = (id: string) =>
    event('approval-answered', { id, state: 'answered', choice: 'red', by: 'ada', note: '' });

  expect(open.take(event('model-answered', {}))).toBe(false);
  for (const asked of [ask('one'), ask('two', decision), ask('late', free)]) expect(open.take(asked)).toBe(true);
  expect(said.filter((line) => line.endsWith('?'))).toEqual(['one?']);
  await open.answer('neither');
  expect(given).toEqual([]);
  await open.answer('1');
  open.take(settle('two'));
  open.take(settle('one'));
  expect(said.at(-2)).toBe('late?');
  await open.answer('my words');
  expect(said.at(-1)).toBe('late was answered by ada');
  expect(given).toEqual([
    ['one', { choice: 'red' }],
    ['late', { choice: 'my words' }],
  ]);
  open.take(event('turn-ended', {}));
  expect(open.isOpen).toBe(false);
});
