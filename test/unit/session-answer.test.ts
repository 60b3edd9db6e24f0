import { describe, expect, test } from 'vitest';
import { checkAnswer, jsonOf } from '../../activities/session/check-answer.ts';

const schema = JSON.stringify({
  type: 'object',
  properties: { name: { type: 'string' }, count: { type: 'integer' } },
  required: ['name'],
  additionalProperties: false,
});

describe('an answer held against its schema', () => {
  test.each([
    ['{"name":"a"}', true],
    ['```json\n{"name":"a","count":2}\n```', true],
    ['```\n{"name":"a"}\n```', true],
    ['{"name":1}', false],
    ['{"count":1}', false],
    ['{"name":"a","other":1}', false],
    ['Here it is: {"name":"a"}', false],
    ['', false],
  ])('%j: %s', (answer, ok) => {
    expect(checkAnswer(answer, schema).ok).toBe(ok);
  });

  test('names the place that is wrong', () => {
    expect(checkAnswer('{"name":"a","count":"x"}', schema)).toMatchObject({
      ok: false,
      problem: expect.stringContaining('count'),
    });
  });

  test('a fence inside of a text is not taken for the whole', () => {
    expect(jsonOf('text\n```json\n{}\n```')).toBe('text\n```json\n{}\n```');
  });
});
