import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import createClient from 'openapi-fetch';
import { z } from 'zod';
import type { paths } from '../../openapi.d.ts';
import { createApp } from '../../services/api/app.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { openApiTypes } from '../support/openapi-types.ts';
import { withTestStore } from '../support/store.ts';
import { apiDeps, collectRoutes } from './api-fixtures.ts';

const Operation = z.looseObject({
  operationId: z.string(),
  summary: z.string(),
  security: z.array(z.unknown()),
  'x-permission': z.string().optional(),
  parameters: z.array(z.looseObject({ name: z.string(), in: z.string(), required: z.boolean() })).default([]),
  requestBody: z.unknown().optional(),
  responses: z.record(z.string(), z.unknown()),
});
const Document = z.looseObject({
  openapi: z.string(),
  info: z.looseObject({ version: z.string() }),
  paths: z.record(z.string(), z.record(z.string(), Operation)),
});
type Document = z.infer<typeof Document>;

let store: PostgresStore;
let app: Awaited<ReturnType<typeof createApp>>;
let text: string;
let document: Document;
const { routes, onRoute } = collectRoutes();

withTestStore((opened) => {
  store = opened;
});

beforeAll(async () => {
  app = await createApp({ ...apiDeps(store), onRoute });
  const response = await app.inject({ url: '/openapi.json' });
  expect([response.statusCode, response.headers['content-type']]).toEqual([200, 'application/json; charset=utf-8']);
  text = response.body;
  document = Document.parse(JSON.parse(text));
});
afterAll(async () => {
  await app.close();
});

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );

test('the document is valid OpenAPI 3.1', async () => {
  const result = await new Validator().validate(JSON.parse(text));
  expect(result.errors ?? []).toEqual([]);
  expect(result.valid).toBe(true);
  expect([document.openapi, document.info.version]).toEqual(['3.1.1', '1.2.3']);
});

test('the types that others use are those of the document', async () => {
  await expect(openApiTypes(JSON.parse(text))).toMatchFileSnapshot('../../openapi.d.ts');
});

test('a client that is typed by the document alone names a folder, finds it page by page, and is told what is wrong', async () => {
  const baseUrl = await app.listen({ host: '127.0.0.1', port: 0 });
  const client = createClient<paths>({ baseUrl });
  for (const name of ['shop', 'till']) {
    const headers = { 'Idempotency-Key': `name-${name}` };
    const made = await client.POST('/v1/workspaces', { body: { name, folder: '/tmp' }, params: { header: headers } });
    expect(made.data?.name).toBe(name);
  }
  const found: string[] = [];
  for (let cursor: string | undefined; ;) {
    const query = { limit: 1, ...(cursor === undefined ? {} : { cursor }) };
    const { data } = await client.GET('/v1/workspaces', { params: { query } });
    found.push(...(data?.workspaces ?? []).map(({ name }) => name));
    cursor = data?.nextCursor ?? undefined;
    if (cursor === undefined) break;
  }
  expect(found).toEqual(['shop', 'till']);
  const gone = await client.DELETE('/v1/workspaces/{name}', { params: { path: { name: 'shop' } } });
  expect(gone.data?.folder).toBe('/tmp');
  const { error, response } = await client.GET('/v1/runs/{runId}', { params: { path: { runId: 'none' } } });
  expect([response.status, error?.code]).toEqual([404, 'not-found']);
  // @ts-expect-error: the document says that there is no such role
  const refused = await client.POST('/v1/tokens', { body: { name: 'x', role: 'king' } });
  expect(refused.error?.code).toBe('request-invalid');
});

test('each route of ours is in it once, with its permission, a summary, parameters and answers', () => {
  const expected = routes
    // What speaks a protocol of its own is described there.
    .filter(({ url }) => /^\/(?:v1\/(?!a2a|message:|tasks\/|card)|health|ready|metrics|openapi)/.test(url))
    .map(({ method, url, permission }) => [method, url.replaceAll(/:(\w+)/g, '{$1}'), permission]);
  const found = operations().map(({ method, path, operation }) => [method, path, operation['x-permission']]);
  expect(found).toEqual(expect.arrayContaining(expected));
  expect(found).toHaveLength(expected.length);
  expect(new Set(operations().map(({ operation }) => operation.operationId)).size).toBe(found.length);
  for (const { method, path, operation } of operations()) {
    expect(operation.summary, `${method} ${path} has no summary`).not.toBe('');
    const good = Object.keys(operation.responses).filter((status) => status.startsWith('2'));
    expect(good, `${method} ${path} has no answer`).not.toEqual([]);
    expect(operation.security.length > 0).toBe(operation['x-permission'] !== undefined);
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    expect(operation.parameters.flatMap((each) => (each.in === 'path' ? [each.name] : []))).toEqual(inPath);
  }
});

test('what a body and a query may hold is said as it is checked', () => {
  const start = document.paths['/v1/runs']?.['post'];
  expect(start?.requestBody).toMatchObject({
    required: true,
    content: {
      'application/json': {
        schema: {
          required: ['kind', 'prdPath', 'model'],
          additionalProperties: false,
          properties: { maxConcurrent: { type: 'integer', maximum: 64 } },
        },
      },
    },
  });
  const limit = document.paths['/v1/runs']?.['get']?.parameters.find(({ name }) => name === 'limit');
  expect(limit).toMatchObject({ in: 'query', required: false, schema: { maximum: 500, default: 50 } });
  expect(document.paths['/v1/runs/{runId}/resume']?.['post']?.requestBody).toMatchObject({ required: false });
});
