import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { startApi } from './api-fixtures.ts';
import type { TestApi } from './api-fixtures.ts';
import { plan, warning } from './store-fixtures.ts';

let store: PostgresStore;
let api: TestApi;

withTestStore((opened) => {
  store = opened;
});

beforeAll(async () => {
  api = await startApi(store);
});
afterAll(async () => {
  await api.close();
});

async function metrics(): Promise<(line: string) => number | undefined> {
  const response = await api.app.inject({ url: '/metrics' });
  expect([response.statusCode, response.headers['content-type']]).toEqual([200, expect.stringContaining('text/plain')]);
  const lines = response.body.split('\n');
  return (name) => {
    const found = lines.find((line) => line.startsWith(`${name} `));
    return found === undefined ? undefined : Number(found.slice(name.length + 1));
  };
}

test('requests are counted by route, with what they took, and no id is in a label', async () => {
  await api.app.inject({ url: '/v1/runs' });
  for (const id of ['one', 'two', 'three']) await api.app.inject({ url: `/v1/runs/${id}` });
  await api.app.inject({ url: '/nowhere' });
  const value = await metrics();
  expect(value('codetether_api_requests_total{method="GET",route="/v1/runs",status="200"}')).toBe(1);
  expect(value('codetether_api_requests_total{method="GET",route="/v1/runs/:runId",status="404"}')).toBe(3);
  expect(value('codetether_api_requests_total{method="GET",route="none",status="404"}')).toBe(1);
  expect(value('codetether_api_request_seconds_count{method="GET",route="/v1/runs/:runId"}')).toBe(3);
  expect(value('codetether_api_database_connections{state="idle"}')).toBeGreaterThan(0);
  expect(value('codetether_api_database_connections{state="waiting"}')).toBe(0);
  expect(value('process_resident_memory_bytes')).toBeGreaterThan(1e7);
});

test('streams that are open and the lag of what they waited for are told', async () => {
  const run = plan();
  await store.openRun(run);
  const seen: string[] = [];
  const leaving = new AbortController();
  const reading = (async () => {
    for await (const event of api.client.events(run.runId, { signal: leaving.signal })) seen.push(event.kind);
  })();
  await expect.poll(async () => (await metrics())('codetether_api_streams')).toBe(1);
  expect((await metrics())('codetether_api_event_lag_seconds_count')).toBe(0);
  await store.appendRunEvents(run.runId, [warning('p')]);
  await expect.poll(() => seen.length).toBe(1);
  await expect.poll(async () => (await metrics())('codetether_api_event_lag_seconds_count')).toBe(1);
  expect((await metrics())('codetether_api_event_lag_seconds_sum')).toBeLessThan(5);
  leaving.abort();
  await reading.catch(() => undefined);
  await expect.poll(async () => (await metrics())('codetether_api_streams')).toBe(0);
});
