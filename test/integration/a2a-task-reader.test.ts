import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { createTaskReader } from '../../services/api/a2a/task-reader.ts';
import { currentTenant, inTenant } from '../../services/store/current-tenant.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';

let store: PostgresStore;
withTestStore(
  (opened) => {
    store = opened;
  },
  { tenant: currentTenant },
);

async function newTask(tenant: string): Promise<string> {
  const taskId = randomUUID();
  await inTenant(tenant, async () => {
    await store.createTask({
      taskId,
      contextId: randomUUID(),
      principal: 'key:one',
      work: { executor: 'conformance', otherwise: 'completed', longMs: 0 },
      message: { messageId: randomUUID(), role: 'ROLE_USER', parts: [{ text: tenant }] },
    });
  });
  return taskId;
}

/** The reader, and how many tasks each of its queries has asked for. */
function counted() {
  const queries: number[] = [];
  const read = createTaskReader({
    getTasks: async (ids) => {
      queries.push(ids.length);
      return await store.getTasks(ids);
    },
  });
  return { queries, read };
}

test('what many ask for at once is one query for each tenant, and each sees what its tenant has', async () => {
  const [first, second, foreign] = [await newTask('acme'), await newTask('acme'), await newTask('umbrella')];
  const { queries, read } = counted();
  const ask = async (tenant: string, taskId: string) =>
    await inTenant(tenant, async () => (await read(taskId))?.events[0]?.body);
  const told = await Promise.all([
    ask('acme', first),
    ask('umbrella', foreign),
    ask('acme', second),
    ask('acme', first),
    ask('acme', foreign),
    ask('umbrella', first),
    ask('acme', randomUUID()),
  ]);
  const own = (text: string) => ({ message: expect.objectContaining({ parts: [{ text }] }) });
  expect(told).toEqual([own('acme'), own('umbrella'), own('acme'), own('acme'), undefined, undefined, undefined]);
  expect(queries.toSorted((one, other) => one - other)).toEqual([2, 4]);
});

test('what was read is not kept: the next question sees what has happened since', async () => {
  const taskId = await newTask('acme');
  const { read } = counted();
  await inTenant('acme', async () => {
    expect((await read(taskId))?.state).toBe('submitted');
    await store.appendTaskEvents(taskId, [{ key: 'a', kind: 'status', body: { state: 'working' } }]);
    expect((await read(taskId))?.state).toBe('working');
  });
});

test('when the database is away all who ask are told so, and the next are answered', async () => {
  const taskId = await newTask('acme');
  let isAway = true;
  const read = createTaskReader({
    getTasks: async (ids) => {
      if (isAway) throw new Error('away');
      return await store.getTasks(ids);
    },
  });
  await inTenant('acme', async () => {
    const both = await Promise.allSettled([read(taskId), read(randomUUID())]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    isAway = false;
    expect((await read(taskId))?.taskId).toBe(taskId);
  });
});
