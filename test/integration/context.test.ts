import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { defaultContextPolicy } from '../../domain/session/context-policy.ts';
import { deriveContext } from '../../domain/session/derive-context.ts';
import type { NewSessionEvent } from '../../domain/session/transcript.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { startApi } from './api-fixtures.ts';
import type { TestApi } from './api-fixtures.ts';

let store: PostgresStore;
let api: TestApi;
let sessionId: string;
let count = 0;
const window = { model: 'openai/x', contextTokens: 20_000, reservedTokens: 0 };

withTestStore((opened) => {
  store = opened;
});

beforeAll(async () => {
  api = await startApi(store);
});
afterAll(async () => {
  await api.close();
});
beforeEach(async () => {
  sessionId = `session:${++count}-of-context`;
  const session = { sessionId, hostId: 'tiger', title: 'work', model: 'openai/x', agent: 'build', caps: {} };
  await store.openSession({ ...session, folder: '/work' });
});

const said = (key: string, text: string): NewSessionEvent[] => [
  { key: `${key}:asked`, kind: 'user', body: { text } },
  { key: `${key}:answered`, kind: 'assistant', body: { text: `answer to ${text}`, toolCalls: [] } },
];
const say = async (...texts: string[]) => {
  await store.appendSessionEvents(
    sessionId,
    texts.flatMap((text, index) => said(`${count}-${index}-${text.slice(0, 20)}`, text)),
  );
};
/** No turn is under way any more. */
const idle = async () => await store.abandonTurn(sessionId, 'over');
const sent = async () => {
  const context = deriveContext(await store.readSession(sessionId), defaultContextPolicy, window);
  return context.kind === 'derived' ? context.messages.map(({ body }) => ('text' in body ? body.text : '')) : [];
};
const refused = async (asked: Promise<unknown>) => {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return (error as { code?: string } | undefined)?.code;
};

test('the view says what the next model call is sent', async () => {
  await say('first '.repeat(100), 'second');
  const view = await api.client.context(sessionId);
  expect(view).toMatchObject({
    model: 'openai/x',
    policy: 'incremental',
    windowTokens: 20_000,
    budgetTokens: 18_000,
    fits: true,
    pinnedTokens: 0,
    steps: 4,
    leftOut: [],
    summaryWanted: null,
    turns: [
      { turn: 1, fromSeq: 1, toSeq: 2, steps: 2, pinnedSteps: 0 },
      { turn: 2, text: 'second' },
    ],
  });
  expect(view.tokens).toBe(view.turns.reduce((sum, { tokens }) => sum + tokens, 0));
  const { turn, rows } = await api.client.contextTurn(sessionId, 2);
  expect([turn, rows.map(({ kind }) => kind)]).toEqual([2, ['user', 'assistant']]);
  expect(await refused(api.client.contextTurn(sessionId, 3))).toBe('not-found');
});

test('a reset with a summary leaves nothing but the summary and what is pinned, and loses no row', async () => {
  await say('keep this', 'forget this');
  await idle();
  await api.client.pin(sessionId, { turn: 1, pinned: true });
  const before = (await store.readSession(sessionId)).length;
  expect(await api.client.resetContext(sessionId, { summary: 'we did both' })).toMatchObject({
    kind: 'reset',
    turns: 2,
    steps: 4,
  });
  await say('next');
  const texts = await sent();
  expect(texts).toContain('[CONTEXT RESET]\nwe did both');
  expect(texts).toContain('keep this');
  expect(texts.join()).not.toContain('answer to forget this');
  expect((await store.readSession(sessionId)).length).toBe(before + 3);
});

test('a reset without a summary has the model make one of all that came after the last reset, once', async () => {
  await say('old');
  await idle();
  await api.client.resetContext(sessionId, { summary: 'the old' });
  await say('word '.repeat(400), 'more');
  const asked = async () => await api.client.resetContext(sessionId, {});
  expect(await asked()).toMatchObject({ kind: 'summary-wanted', turns: 2, model: 'openai/x' });
  await asked();
  const rows = await store.readSession(sessionId);
  expect(rows.filter(({ kind }) => kind === 'summary-request')).toMatchObject([{ body: { fromSeq: 4, toSeq: 7 } }]);
  expect(await api.client.context(sessionId)).toMatchObject({ summaryWanted: { fromSeq: 4, toSeq: 7 } });
  const body = { fromSeq: 4, toSeq: 7, text: 'many words' };
  await store.appendSessionEvents(sessionId, [{ key: 'made', kind: 'summary', body }]);
  await say('next');
  const texts = (await sent()).join('\n');
  expect(texts).toContain('[CONTEXT RESET]\nthe old');
  expect(texts).toContain('many words');
  expect(texts).not.toContain('word word');
});

test('a reset is refused while the session works, and where there is nothing to gain', async () => {
  await say('x');
  expect(await refused(api.client.resetContext(sessionId, { summary: 's' }))).toBe('session-busy');
  await idle();
  expect(await refused(api.client.resetContext(sessionId, {}))).toBe('context-refused');
  await api.client.resetContext(sessionId, { summary: 's' });
  expect(await refused(api.client.resetContext(sessionId, { summary: 's' }))).toBe('context-refused');
});

test('pins count at once, also while the session works, up to half the window', async () => {
  await say('one', 'word '.repeat(10_000));
  expect(await api.client.pin(sessionId, { turn: 1, pinned: true })).toMatchObject({ fromSeq: 1, toSeq: 2 });
  const { turns, pinnedTokens } = await api.client.context(sessionId);
  expect(turns.map(({ pinnedSteps }) => pinnedSteps)).toEqual([2, 0]);
  expect(pinnedTokens).toBeGreaterThan(0);
  expect(await refused(api.client.pin(sessionId, { turn: 2, pinned: true }))).toBe('context-refused');
  expect(await refused(api.client.pin(sessionId, { turn: 9, pinned: true }))).toBe('not-found');
  expect(await refused(api.client.pin(sessionId, { pinned: true }))).toBe('request-invalid');
  expect(await api.client.pin(sessionId, { row: 2, pinned: false })).toMatchObject({ fromSeq: 2, toSeq: 2 });
  expect((await api.client.context(sessionId)).turns[0]).toMatchObject({ pinnedSteps: 1 });
});
