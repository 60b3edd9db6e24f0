import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { effectiveTranscript } from '../../domain/session/transcript.ts';
import type { NewSessionEvent, SessionEvent } from '../../domain/session/transcript.ts';
import { createStore } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { createTestDatabase } from '../support/postgres.ts';
import type { TestDatabase } from '../support/postgres.ts';

let database: TestDatabase;
let store: PostgresStore;
let count = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore({ databaseUrl: database.url });
});

afterAll(async () => {
  await store.close();
  await database.drop();
});

const says = (...texts: readonly string[]): NewSessionEvent[] =>
  texts.map((text) => ({ key: text, kind: 'user', body: { text } }));
const texts = (rows: readonly SessionEvent[]) =>
  rows.map((row) => (row.kind === 'user' ? `${row.seq} ${row.body.text}` : `${row.seq} (${row.kind})`));

async function session(...said: readonly string[]): Promise<string> {
  const sessionId = `session-${++count}`;
  await store.createSession({ sessionId, kind: 'chat' });
  await store.appendSessionEvents(sessionId, says(...said));
  return sessionId;
}

describe('a session', () => {
  test('is what it was created as, however often it is created', async () => {
    const plan = {
      sessionId: 'whole',
      kind: 'chat',
      title: 'A talk',
      folder: '/w',
      model: 'openai/x',
      agent: 'plan',
    } as const;
    await store.createSession({ ...plan, policy: { kind: 'reset', thresholdTokens: 5000 } });
    await store.createSession({ sessionId: 'whole', kind: 'agent', title: 'Another' });
    expect(await store.getSession('whole')).toMatchObject({
      ...plan,
      policy: { kind: 'reset', thresholdTokens: 5000 },
      parent: null,
      headSeq: 0,
      deletedAt: null,
    });
    expect(await store.getSession('none')).toBeUndefined();
  });

  test('that is only appended to is a story’s, with the default policy', async () => {
    await store.appendSessionEvents('ralph:x:y:US-1:1', says('a'));
    expect(await store.getSession('ralph:x:y:US-1:1')).toMatchObject({
      kind: 'attempt',
      title: '',
      policy: { kind: 'incremental' },
      headSeq: 1,
    });
  });

  test('changes what is named and nothing else; its last change is that of its rows too', async () => {
    const id = await session('a');
    const before = await store.getSession(id);
    await store.updateSession(id, { model: 'openai/y', policy: { kind: 'off' } });
    await store.appendSessionEvents(id, says('b'));
    const after = await store.getSession(id);
    expect(after).toMatchObject({ kind: 'chat', model: 'openai/y', policy: { kind: 'off' }, headSeq: 2 });
    expect(after?.updatedAt.getTime()).toBeGreaterThanOrEqual(before?.updatedAt.getTime() ?? 0);
    await expect(store.updateSession('none', { model: null })).rejects.toMatchObject({ code: 'not-found' });
  });

  test('is read on from a row, in pages, and from its end', async () => {
    const id = await session('a', 'b', 'c', 'd');
    expect(texts(await store.readSession(id, { afterSeq: 1, limit: 2 }))).toEqual(['2 b', '3 c']);
    expect(texts(await store.readSession(id, { afterSeq: 3 }))).toEqual(['4 d']);
    expect(await store.readSession(id, { afterSeq: 4 })).toEqual([]);
    expect(texts(await store.readSession(id, { last: 2 }))).toEqual(['3 c', '4 d']);
  });

  test('has a new title once for each key, and keeps the row that says so', async () => {
    const id = await session('a');
    await store.renameSession(id, { key: '1', title: 'First' });
    await store.renameSession(id, { key: '2', title: 'Second' });
    await store.renameSession(id, { key: '1', title: 'First' });
    expect((await store.getSession(id))?.title).toBe('Second');
    expect(texts(await store.readSession(id))).toEqual(['1 a', '2 (rename)', '3 (rename)']);
    await expect(store.renameSession('none', { key: '1', title: 'x' })).rejects.toMatchObject({ code: 'not-found' });
    expect(await store.getSession('none')).toBeUndefined();
  });

  test('that was deleted is not listed or found, and has all its rows', async () => {
    const id = await session('a');
    await store.deleteSession(id);
    await store.deleteSession(id);
    expect((await store.getSession(id))?.deletedAt).toBeInstanceOf(Date);
    expect((await store.listSessions({ limit: 100 })).map(({ sessionId }) => sessionId)).not.toContain(id);
    expect(await store.findSessionIds(id)).not.toContain(id);
    expect(texts(await store.readSession(id))).toEqual(['1 a', '2 (delete)']);
  });
});

describe('a list of sessions', () => {
  test('begins with what changed last, and goes on after any of them', async () => {
    const ids = ['p1', 'p2', 'p3', 'p4'];
    for (const sessionId of ids) await store.createSession({ sessionId, kind: 'chat', folder: '/paged' });
    await store.createSession({ sessionId: 'p5', kind: 'agent', folder: '/paged' });
    await store.appendSessionEvents('p2', says('a'));
    const of = { folder: '/paged', kinds: ['chat'] } as const;
    const first = await store.listSessions({ ...of, limit: 2 });
    const before = first.at(-1);
    if (before === undefined) throw new Error('none');
    const second = await store.listSessions({ ...of, limit: 9, before });
    expect([...first, ...second].map(({ sessionId }) => sessionId)).toEqual(['p2', 'p4', 'p3', 'p1']);
    expect(await store.listSessions({ limit: 9, folder: '/elsewhere' })).toEqual([]);
  });

  test('is searched by the beginning of an id; a whole id is found alone', async () => {
    await store.createSession({ sessionId: 'find-a', kind: 'chat' });
    await store.createSession({ sessionId: 'find-ab', kind: 'chat' });
    expect((await store.findSessionIds('find-')).toSorted()).toEqual(['find-a', 'find-ab']);
    expect(await store.findSessionIds('find-a')).toEqual(['find-a']);
    expect(await store.findSessionIds('find-%')).toEqual([]);
    await store.createSession({ sessionId: 'find-ab:agent:scout.1', kind: 'agent' });
    // The agents that it has started do not make its beginning ambiguous.
    expect((await store.findSessionIds('find-')).toSorted()).toEqual(['find-a', 'find-ab']);
    expect(await store.findSessionIds('find-ab:agent:scout')).toEqual(['find-ab:agent:scout.1']);
  });
});

describe('a forked session', () => {
  test('begins with its parent’s rows up to the fork, and neither sees what the other says after it', async () => {
    const parent = await session('a', 'b', 'c');
    await store.updateSession(parent, { model: 'openai/x' });
    const sessionId = `${parent}-fork`;
    await store.forkSession({ sessionId: parent, seq: 2 }, { sessionId, title: 'Other way' });
    await store.forkSession({ sessionId: parent, seq: 1 }, { sessionId, title: 'Twice' });
    await store.appendSessionEvents(sessionId, says('c', 'd'));
    await store.appendSessionEvents(parent, says('e'));
    expect(texts(await store.readSession(sessionId))).toEqual(['1 a', '2 b', '3 (fork)', '4 c', '5 d']);
    expect(texts(await store.readSession(parent))).toEqual(['1 a', '2 b', '3 c', '4 e']);
    expect(await store.getSession(sessionId)).toMatchObject({
      kind: 'chat',
      title: 'Other way',
      model: 'openai/x',
      parent: { sessionId: parent, seq: 2 },
      headSeq: 5,
    });
  });

  test('of a fork, at any row, has the rows that were there', async () => {
    const parent = await session('a', 'b', 'c');
    const [child, grandchild, sibling] = [`${parent}-1`, `${parent}-2`, `${parent}-3`];
    await store.forkSession({ sessionId: parent, seq: 2 }, { sessionId: child });
    await store.appendSessionEvents(child, says('x', 'y'));
    await store.forkSession({ sessionId: child, seq: 4 }, { sessionId: grandchild });
    await store.appendSessionEvents(grandchild, says('z'));
    await store.forkSession({ sessionId: grandchild, seq: 1 }, { sessionId: sibling });
    expect(texts(await store.readSession(grandchild))).toEqual(['1 a', '2 b', '3 (fork)', '4 x', '5 (fork)', '6 z']);
    expect(texts(await store.readSession(sibling))).toEqual(['1 a', '2 (fork)']);
    expect((await store.getSession(sibling))?.parent).toEqual({ sessionId: parent, seq: 1 });
    for (const [page, expected] of [
      [{ last: 3 }, ['4 x', '5 (fork)', '6 z']],
      [{ last: 5 }, ['2 b', '3 (fork)', '4 x', '5 (fork)', '6 z']],
      [{ afterSeq: 1, limit: 3 }, ['2 b', '3 (fork)', '4 x']],
      [{ afterSeq: 5 }, ['6 z']],
    ] as const)
      expect(texts(await store.readSession(grandchild, page))).toEqual(expected);
  });

  test('outlives the deletion of its parent, and an undo in one is none in the other', async () => {
    const parent = await session('a', 'b');
    const sessionId = `${parent}-fork`;
    await store.forkSession({ sessionId: parent, seq: 2 }, { sessionId });
    await store.appendSessionEvents(parent, [{ key: 'undo', kind: 'undo', body: { keepSeq: 1 } }]);
    await store.deleteSession(parent);
    expect(texts(effectiveTranscript(await store.readSession(sessionId)))).toEqual(['1 a', '2 b']);
    expect(texts(effectiveTranscript(await store.readSession(parent)))).toEqual(['1 a']);
  });

  test('of no session, or at a row that is not there, is refused', async () => {
    const parent = await session('a');
    await expect(store.forkSession({ sessionId: 'none', seq: 0 }, { sessionId: 'x' })).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(store.forkSession({ sessionId: parent, seq: 2 }, { sessionId: 'x' })).rejects.toMatchObject({
      code: 'not-found',
    });
    expect(await store.getSession('x')).toBeUndefined();
  });

  test('that is made by two at once is one session', async () => {
    const parent = await session('a');
    const sessionId = `${parent}-race`;
    await Promise.all([1, 2, 3].map(async () => await store.forkSession({ sessionId: parent, seq: 1 }, { sessionId })));
    expect(texts(await store.readSession(sessionId))).toEqual(['1 a', '2 (fork)']);
  });
});

test('watchers of sessions hear of new rows, and not of those of runs', async () => {
  const id = await session('a');
  const heard: (string | null)[] = [];
  const leave = await store.watchSessions((sessionId) => heard.push(sessionId));
  await expect.poll(() => heard).toEqual([null]);
  await store.appendSessionEvents(id, says('a'));
  await store.appendSessionEvents(id, says('b'));
  await expect.poll(() => heard).toEqual([null, id]);
  await leave();
});

test('two tenants have the same session ids and never each other’s sessions or rows', async () => {
  const id = await session('mine');
  const other = createStore({ databaseUrl: database.url, tenant: 'other' });
  try {
    expect(await other.getSession(id)).toBeUndefined();
    expect(await other.listSessions({ limit: 9 })).toEqual([]);
    expect(await other.readSession(id)).toEqual([]);
    await expect(other.forkSession({ sessionId: id, seq: 1 }, { sessionId: 'stolen' })).rejects.toMatchObject({
      code: 'not-found',
    });
    await other.createSession({ sessionId: id, kind: 'chat', title: 'theirs' });
    await other.appendSessionEvents(id, says('theirs'));
    await other.deleteSession(id);
    expect(texts(await store.readSession(id))).toEqual(['1 mine']);
    expect((await store.getSession(id))?.deletedAt).toBeNull();
  } finally {
    await other.close();
  }
});
