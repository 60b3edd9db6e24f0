import { describe, expect, it } from 'vitest';
import { toConversation } from '../../activities/model/messages.ts';
import { deriveContext } from '../../domain/session/derive-context.ts';
import type { NewSessionEvent, SessionEvent } from '../../domain/session/transcript.ts';

function transcript(...events: readonly Omit<NewSessionEvent, 'key'>[]): SessionEvent[] {
  return events.map((event, index) => ({ seq: index + 1, ...event }) as SessionEvent);
}
const whole = { model: '', contextTokens: Infinity, reservedTokens: 0 };
function conversation(events: readonly SessionEvent[], model: string) {
  const context = deriveContext(events, { kind: 'off' }, whole);
  return toConversation(context.kind === 'derived' ? context.messages : [], model);
}
const system = { kind: 'system', body: { text: 'Be brief.' } } as const;
const user = (text: string) => ({ kind: 'user', body: { text } }) as const;
const answer = (text: string, ...ids: string[]) =>
  ({
    kind: 'assistant',
    body: { text, toolCalls: ids.map((id) => ({ id, name: 'read', args: { path: id } })) },
  }) as const;
const result = (callId: string, output: string, ok = true) =>
  ({ kind: 'tool-result', body: { callId, tool: 'read', ok, output } }) as const;

const roles = (events: readonly SessionEvent[]) => conversation(events, 'openai/x').messages.map(({ role }) => role);

function results(events: readonly SessionEvent[]) {
  return conversation(events, 'openai/x').messages.flatMap((message) =>
    message.role !== 'tool'
      ? []
      : message.content.map((part) => (part.type === 'tool-result' ? [part.toolCallId, part.output] : [])),
  );
}

describe('a transcript as messages', () => {
  it('holds the instructions apart and pairs calls with results', () => {
    const events = transcript(
      system,
      user('do it'),
      answer('I read.', 'a'),
      result('a', 'text'),
      answer('Done.'),
      user('more'),
    );
    expect(conversation(events, 'openai/x')).toMatchObject({
      instructions: 'Be brief.',
      messages: [
        { role: 'user', content: 'do it' },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'I read.' },
            { type: 'tool-call', toolCallId: 'a', toolName: 'read', input: { path: 'a' } },
          ],
        },
        { role: 'tool', content: [{ toolCallId: 'a', output: { type: 'text', value: 'text' } }] },
        { role: 'assistant', content: [{ type: 'text', text: 'Done.' }] },
        { role: 'user', content: 'more' },
      ],
    });
  });

  it('counts the bytes that are sent', () => {
    expect(conversation(transcript(system, user('ä')), 'openai/x').bytes).toBe(11);
  });

  it('makes up a result for a call that has none, and says so', () => {
    const events = transcript(system, user('x'), answer('', 'a', 'b'), result('b', 'B'), user('go on'));
    expect(results(events)).toEqual([
      ['a', { type: 'error-text', value: expect.stringContaining('no result') }],
      ['b', { type: 'text', value: 'B' }],
    ]);
    expect(roles(events)).toEqual(['user', 'assistant', 'tool', 'user']);
  });

  it('puts results before a message that came between', () => {
    expect(roles(transcript(user('x'), answer('', 'a'), user('hurry'), result('a', 'A')))).toEqual([
      'user',
      'assistant',
      'tool',
      'user',
    ]);
  });

  it('leaves out results of no call and second results', () => {
    const events = transcript(user('x'), answer('', 'a'), result('ghost', '?'), result('a', '1'), result('a', '2'));
    expect(results(events)).toEqual([['a', { type: 'text', value: '1' }]]);
  });

  it('a failed tool is an error to the model', () => {
    const events = transcript(user('x'), answer('', 'a'), result('a', 'no such file', false));
    expect(results(events)).toEqual([['a', { type: 'error-text', value: 'no such file' }]]);
  });

  it('the last message is never an answer: one that was cut off is to go on', () => {
    expect(roles(transcript(user('x'), answer('half')))).toEqual(['user', 'assistant', 'user']);
    expect(roles(transcript(user('x'), answer('half'), answer('other half')))).toEqual([
      'user',
      'assistant',
      'user',
      'assistant',
      'user',
    ]);
  });

  it('an answer without anything is not sent', () => {
    expect(roles(transcript(user('x'), answer(' ')))).toEqual(['user', 'user']);
  });

  it('arguments that are no object are shown as invalid', () => {
    const call = { id: 'a', name: 'read', args: '{"path": "a' };
    const events = transcript(user('x'), { kind: 'assistant', body: { text: '', toolCalls: [call] } });
    expect(conversation(events, 'openai/x').messages[1]).toMatchObject({
      content: [{ type: 'tool-call', input: { invalid: '{"path": "a' } }],
    });
  });

  it('reasoning goes back to the model that gave it, in its place, and to no other', () => {
    const call = { id: 'a', name: 'read', args: {} };
    const parts = [
      { type: 'reasoning', text: 'hm', options: { anthropic: { signature: 'S' } } },
      { type: 'text', text: 'I read.' },
      { type: 'tool-call', id: 'a' },
    ];
    const body = { text: 'I read.', toolCalls: [call], providerOptions: { model: 'anthropic/c', parts } };
    const events = transcript(user('x'), { kind: 'assistant', body }, result('a', 'A'));
    expect(conversation(events, 'anthropic/c').messages[1]).toEqual({
      role: 'assistant',
      content: [
        { type: 'reasoning', text: 'hm', providerOptions: { anthropic: { signature: 'S' } } },
        { type: 'text', text: 'I read.' },
        { type: 'tool-call', toolCallId: 'a', toolName: 'read', input: {} },
      ],
    });
    expect(conversation(events, 'anthropic/other').messages[1]).toEqual({
      role: 'assistant',
      content: [
        { type: 'text', text: 'I read.' },
        { type: 'tool-call', toolCallId: 'a', toolName: 'read', input: {} },
      ],
    });
  });
});
