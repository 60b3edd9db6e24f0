import { describe, expect, it } from 'vitest';
import { costNothing, toCallFailure } from '../../activities/model/call-failure.ts';
import type { CallState } from '../../activities/model/call-failure.ts';
import { redact } from '../../activities/model/redact.ts';
import { retryAfterMs } from '../../activities/model/retry-after.ts';

const key = 'super-secret-key-1';
const state: CallState = {
  provider: 'openai',
  model: 'openai/gpt-x',
  baseUrl: 'https://api.example.com/v1',
  secrets: [key, ''],
  accepted: false,
  receivedBytes: 0,
  receivedOutput: false,
  nowMs: Date.parse('2026-01-01T00:00:00Z'),
};

/** As the SDK raises it for an HTTP status. */
function http(statusCode: number, message: string, more: object = {}) {
  return Object.assign(new Error(message), { name: 'AI_APICallError', statusCode, responseHeaders: {}, ...more });
}
const inStream = (type: string) => ({ type: 'error', error: { type, message: 'Words.' } });
const cut = (receivedBytes: number, receivedOutput: boolean) =>
  toCallFailure(new TypeError('terminated'), { ...state, accepted: true, receivedBytes, receivedOutput });
const wait = (headers: { [name: string]: string }, body: unknown = '') => retryAfterMs(headers, body, state.nowMs);
const data = (error: object) => ({ data: { error }, responseBody: JSON.stringify({ error }) });

describe('what a failure is', () => {
  it.each([
    [400, 'provider-rejected', false],
    [401, 'provider-rejected', false],
    [402, 'provider-quota', false],
    [403, 'provider-rejected', false],
    [404, 'provider-rejected', false],
    [413, 'provider-rejected', false],
    [422, 'provider-rejected', false],
    [408, 'provider-unreachable', true],
    [409, 'provider-unreachable', true],
    [425, 'provider-unreachable', true],
    [500, 'provider-unreachable', true],
    [502, 'provider-unreachable', true],
    [504, 'provider-unreachable', true],
    [429, 'provider-overloaded', true],
    [503, 'provider-overloaded', true],
    [529, 'provider-overloaded', true],
  ])('%d is %s', (status, code, retryable) => {
    const failure = toCallFailure(http(status, 'Words of the provider.'), state);
    expect(failure.code).toBe(code);
    expect(failure.entry.retryable).toBe(retryable);
    expect(failure.message).toContain(`(${status}): Words of the provider.`);
    expect(failure.details).toMatchObject({ provider: 'openai', status, mayHaveCost: false });
    expect(costNothing(failure)).toBe(true);
  });

  it('a used-up account is not a rate limit', () => {
    const error = {
      message: 'You exceeded your current quota.',
      type: 'insufficient_quota',
      code: 'insufficient_quota',
    };
    const failure = toCallFailure(http(429, error.message, data(error)), state);
    expect(failure.code).toBe('provider-quota');
    expect(failure.next).toContain('Add credit');
  });

  it('a rate limit whose message names the billing page is a rate limit', () => {
    const error = { message: 'Check your plan and billing details.', status: 'RESOURCE_EXHAUSTED', code: 429 };
    expect(toCallFailure(http(429, error.message, data(error)), state).code).toBe('provider-overloaded');
  });

  it.each([
    [400, { message: 'Too big.', code: 'context_length_exceeded' }],
    [400, { message: 'prompt is too long: 210000 tokens > 200000 maximum', type: 'invalid_request_error' }],
    [400, { message: 'The input token count (1100000) exceeds the maximum number of tokens allowed' }],
    [413, { message: 'Request exceeds the maximum size', type: 'request_too_large' }],
  ])('%d: a conversation that is too long is called so', (status, error) => {
    const failure = toCallFailure(http(status, error.message, data(error)), state);
    expect(failure).toMatchObject({ code: 'provider-rejected' });
    expect(failure.message).toMatch(/^the conversation is too long for openai\/gpt-x \(4\d\d\)/);
    expect(failure.next).toContain('larger context');
  });

  it('errors inside of a stream are known by their names', () => {
    const accepted = { ...state, accepted: true, receivedBytes: 100 };
    expect(toCallFailure(inStream('overloaded_error'), accepted).code).toBe('provider-overloaded');
    expect(toCallFailure(inStream('rate_limit_error'), accepted).code).toBe('provider-overloaded');
    expect(toCallFailure(inStream('invalid_request_error'), accepted).code).toBe('provider-rejected');
    expect(toCallFailure(inStream('api_error'), accepted).code).toBe('provider-unreachable');
  });

  it('a failed connection names the host, and cost nothing', () => {
    const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), { code: 'ECONNREFUSED' });
    const failure = toCallFailure(
      Object.assign(new Error(`Cannot connect to API: ${cause.message}`), { cause }),
      state,
    );
    expect(failure.code).toBe('provider-unreachable');
    expect(failure.message).toBe(
      'cannot reach openai at api.example.com: Cannot connect to API: connect ECONNREFUSED 127.0.0.1:9',
    );
    expect(costNothing(failure)).toBe(true);
  });

  it('an answer that was cut off may have cost something; before its first byte it has not', () => {
    expect(cut(500, true)).toMatchObject({
      code: 'provider-unreachable',
      message: expect.stringContaining('was cut off'),
    });
    expect([cut(500, true), cut(500, false), cut(0, false)].map(costNothing)).toEqual([false, false, true]);
  });

  it('an error of the provider before any output cost nothing, after some output it may have', () => {
    const overloaded = { type: 'overloaded_error', message: 'Overloaded', statusCode: 529 };
    const at = (receivedOutput: boolean) =>
      toCallFailure(overloaded, { ...state, accepted: true, receivedBytes: 300, receivedOutput });
    expect([at(false), at(true)].map(costNothing)).toEqual([true, false]);
  });

  it("the provider's words are kept, shortened to 500 characters, on one line", () => {
    const failure = toCallFailure(http(400, `Bad\n\n${'x'.repeat(2000)}`), state);
    expect(failure.message.length).toBeLessThan(560);
    expect(failure.message).not.toContain('\n');
  });

  it("a body that is not the provider's is told", () => {
    const failure = toCallFailure(http(502, 'Bad Gateway', { responseBody: 'upstream is gone' }), state);
    expect(failure.message).toBe('openai failed (502): Bad Gateway: upstream is gone');
  });

  it('our own faults are not tried again', () => {
    const error = Object.assign(new Error('bad'), { name: 'AI_InvalidPromptError' });
    expect(toCallFailure(error, state).code).toBe('provider-rejected');
  });

  it.each([undefined, null, 'text', 7, {}, { error: null }])('%j is understood', (thing) => {
    expect(toCallFailure(thing, state).code).toBe('provider-unreachable');
  });
});

describe('keys', () => {
  it('are in no part of a failure', () => {
    const error = http(401, `Incorrect API key provided: ${key}, Bearer abcdefgh123, sk-proj-abc***xyz`, {
      requestBodyValues: { key },
      responseBody: key,
      cause: new Error(key),
    });
    const failure = toCallFailure(error, state);
    const all =
      JSON.stringify([failure.message, failure.problems, failure.next, failure.details]) + String(failure.stack);
    expect(all).not.toContain(key);
    expect(all).not.toContain('abcdefgh123');
    expect(all).not.toContain('xyz');
    expect(failure.cause).toBeUndefined();
    expect(failure.message).toContain('Incorrect API key provided: [redacted]');
  });

  it('are found by their shape as well', () => {
    expect(redact('https://x/v1?key=AbC&alt=sse AIzaSyA1234567890 sk-ant-api03-xyz Basic dXNlcjpwYXNz', [])).toBe(
      'https://x/v1?key=[redacted]&alt=sse [redacted] [redacted] [redacted]',
    );
  });
});

describe('how long to wait', () => {
  it.each([
    [{ 'retry-after': '7' }, 7000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, 0],
    [{ 'retry-after-ms': '1200', 'retry-after': '9' }, 1200],
    [{ 'retry-after': '999999' }, 3_600_000],
    [{ 'x-ratelimit-reset-requests': '6m0s' }, 360_000],
    [{ 'x-ratelimit-reset-requests': '1s', 'x-ratelimit-reset-tokens': '20ms' }, 1000],
    [
      {
        'x-ratelimit-remaining-requests': '59',
        'x-ratelimit-reset-requests': '6m0s',
        'x-ratelimit-remaining-tokens': '0',
        'x-ratelimit-reset-tokens': '1.5s',
      },
      1500,
    ],
    [
      { 'anthropic-ratelimit-requests-remaining': '0', 'anthropic-ratelimit-requests-reset': '2026-01-01T00:00:12Z' },
      12_000,
    ],
    [{ 'x-ratelimit-reset': '45' }, 45_000],
    [{ 'x-ratelimit-reset': String(Date.parse('2026-01-01T00:01:00Z') / 1000) }, 60_000],
    [{ 'retry-after': 'soon' }, undefined],
    [{}, undefined],
  ])('%j', (headers, expected) => {
    expect(wait(headers)).toBe(expected);
  });

  it('Google says it in the body', () => {
    const body = JSON.stringify({ error: { details: [{ '@type': 'x/google.rpc.RetryInfo', retryDelay: '34s' }] } });
    expect(wait({}, body)).toBe(34_000);
  });

  it('goes into the details of the failure', () => {
    const failure = toCallFailure(http(429, 'Slow down', { responseHeaders: { 'Retry-After': '2' } }), state);
    expect(failure.details['retryAfterMs']).toBe(2000);
  });
});
