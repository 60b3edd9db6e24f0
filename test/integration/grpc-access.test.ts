import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, connect } from 'node:http2';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { StreamResponse } from '@a2a-js/sdk';
import { ServerCallContext } from '@a2a-js/sdk/server';
import type { A2ARequestHandler } from '@a2a-js/sdk/server';
import { Client, Metadata, Server, ServerCredentials, credentials, status } from '@grpc/grpc-js';
import type { ChannelCredentials, ServiceError } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { FileDescriptorProto } from 'protobufjs/ext/descriptor.js';
import type { IFileDescriptorProto } from 'protobufjs/ext/descriptor.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { permissions } from '../../domain/access/permissions.ts';
import type { Permission } from '../../domain/access/permissions.ts';
import { createCards } from '../../services/api/a2a/cards.ts';
import { createApp } from '../../services/api/app.ts';
import { authenticateByToken } from '../../services/api/authenticate.ts';
import { createLimits } from '../../services/api/limits.ts';
import { currentTenant } from '../../services/store/current-tenant.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { a2aServices } from '../../services/grpc/a2a-service.ts';
import { serveBindings, somebody } from './a2a-fixtures.ts';
import type { TestBindings } from './a2a-fixtures.ts';
import { apiDeps, createToken } from './api-fixtures.ts';

const tlsFolder = new URL('../support/tls/', import.meta.url);
const tls = { cert: readFileSync(new URL('cert.pem', tlsFolder)), key: readFileSync(new URL('key.pem', tlsFolder)) };
const reflectionFile = join(
  createRequire(import.meta.url).resolve('@grpc/reflection'),
  '../../proto/grpc/reflection/v1/reflection.proto',
);
const getTask = '/lf.a2a.v1.A2AService/GetTask';
const answerMs = 5_000;

let store: PostgresStore;
let local: Awaited<ReturnType<typeof createApp>>;
let served: TestBindings;
let folder: string;
const clients: Client[] = [];

withTestStore(
  (opened) => {
    store = opened;
  },
  { tenant: currentTenant },
);

beforeAll(async () => {
  local = await createApp(apiDeps(store));
  served = await serveBindings(store, { authenticate: authenticateByToken(store) });
  folder = mkdtempSync(join(tmpdir(), 'codetether-mtls-'));
});
afterAll(async () => {
  clients.forEach((client) => client.close());
  await Promise.all([served.close(), local.close()]);
  rmSync(folder, { recursive: true, force: true });
});

async function token(wanted: readonly Permission[], expiresInMs?: number): Promise<string> {
  const body = { name: 'matrix', permissions: wanted, ...(expiresInMs === undefined ? {} : { expiresInMs }) };
  return (await createToken(local, body)).token;
}

function clientOf(port: number, channel: ChannelCredentials = credentials.createInsecure()): Client {
  const client = new Client(`127.0.0.1:${port}`, channel);
  clients.push(client);
  return client;
}

interface Told {
  readonly code: status;
  readonly details: string;
  readonly messages: readonly Buffer[];
}

/** A call with an empty message, whatever kind it is of. */
async function call(
  client: Client,
  path: string,
  headers: Record<string, string> = {},
  sent = Buffer.alloc(0),
): Promise<Told> {
  return await new Promise((resolve) => {
    const messages: Buffer[] = [];
    const stream = client.makeServerStreamRequest(
      path,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      sent,
      Metadata.fromHttp2Headers(headers),
      { deadline: Date.now() + answerMs },
    );
    stream.on('data', (bytes: Buffer) => messages.push(bytes));
    stream.on('error', ({ code, details }: ServiceError) => resolve({ code, details, messages }));
    stream.on('end', () => resolve({ code: status.OK, details: '', messages }));
  });
}

test('each call needs a permission, but for the question whether it serves', () => {
  const { permissions: declared } = served.grpc;
  expect(declared.size).toBeGreaterThan(30);
  expect([...declared].filter(([, needs]) => needs === 'public').map(([path]) => path)).toEqual([
    '/grpc.health.v1.Health/Check',
    '/grpc.health.v1.Health/List',
  ]);
  const writing = [...declared].filter(([, needs]) => needs === 'runs:write').map(([path]) => path.split('/').at(-1));
  expect(new Set(writing)).toEqual(
    expect.objectContaining(new Set(['SendMessage', 'SendStreamingMessage', 'CancelTask'])),
  );
});

test('no call is answered without a credential, with a wrong one, or with one that ended', async () => {
  const expired = await token(['runs:read'], 1);
  const wrong = `${(await token([...permissions])).slice(0, -4)}AAAA`;
  const client = clientOf(served.grpc.port);
  for (const credential of [undefined, wrong, expired, 'nonsense']) {
    for (const [path, needs] of served.grpc.permissions) {
      const told = await call(client, path, credential === undefined ? {} : { authorization: `Bearer ${credential}` });
      expect(told.code === status.UNAUTHENTICATED, `${path}: ${told.code} ${told.details}`).toBe(needs !== 'public');
    }
  }
});

test('each call refuses a credential that has every permission but the one it needs, which stands in the audit', async () => {
  const client = clientOf(served.grpc.port);
  const others = new Map<string, string>();
  for (const needs of ['runs:read', 'runs:write'] as const)
    others.set(needs, await token(permissions.filter((permission) => permission !== needs)));
  for (const [path, needs] of served.grpc.permissions) {
    if (needs === 'public') continue;
    const told = await call(client, path, { authorization: `Bearer ${others.get(needs) ?? ''}` });
    expect(told.code, `${path}: ${told.details}`).toBe(status.PERMISSION_DENIED);
  }
  const audit = await local.inject({ method: 'GET', url: '/v1/audit' });
  expect(audit.body).toContain('gRPC lf.a2a.v1.A2AService/SendMessage');
});

test('each call lets the permission that it needs through, by either header, and breaks on nothing', async () => {
  const client = clientOf(served.grpc.port);
  const own = new Map<string, string>();
  for (const needs of ['runs:read', 'runs:write'] as const) own.set(needs, await token([needs]));
  for (const [path, needs] of served.grpc.permissions) {
    if (path.endsWith('/Watch')) continue;
    const told = await call(client, path, needs === 'public' ? {} : { 'x-api-key': own.get(needs) ?? '' });
    const broken: readonly status[] = [
      status.UNAUTHENTICATED,
      status.PERMISSION_DENIED,
      status.INTERNAL,
      status.UNKNOWN,
    ];
    expect(broken.includes(told.code), `${path}: ${told.code} ${told.details}`).toBe(false);
  }
});

test('who asks too often, or has too many streams open, is told to wait', async () => {
  const limited = await serveBindings(store, {
    authenticate: authenticateByToken(store),
    limits: createLimits({ requestsPerSecond: 1, streams: 1 }),
  });
  const authorization = `Bearer ${await token(['runs:read'])}`;
  const client = clientOf(limited.grpc.port);
  const codes: status[] = [];
  // Ten may come at once, and one more in each second that it takes.
  for (let count = 0; count < 100 && codes.at(-1) !== status.RESOURCE_EXHAUSTED; count++)
    codes.push((await call(client, getTask, { authorization })).code);
  expect(codes.at(0)).toBe(status.INVALID_ARGUMENT);
  expect(codes.at(-1)).toBe(status.RESOURCE_EXHAUSTED);
  await limited.close();
});

test('streams that are reset by the hundred harm nobody else', async () => {
  const authorization = `Bearer ${await token(['runs:read'])}`;
  const session = connect(`http://127.0.0.1:${served.grpc.port}`);
  session.on('error', () => undefined);
  for (let count = 0; count < 500; count++) {
    const stream = session.request({
      ':method': 'POST',
      ':path': getTask,
      'content-type': 'application/grpc',
      authorization,
    });
    stream.on('error', () => undefined);
    stream.close(constants.NGHTTP2_CANCEL);
  }
  const told = await call(clientOf(served.grpc.port), getTask, { authorization });
  expect(told.code).toBe(status.INVALID_ARGUMENT);
  session.destroy();
});

test('a client that knows nothing learns by reflection what is served, and its descriptors hold together', async () => {
  const authorization = `Bearer ${await token(['runs:read'])}`;
  const root = new protobuf.Root();
  root.loadSync(reflectionFile);
  const [asking, answering] = ['Request', 'Response'].map((kind) =>
    root.lookupType(`grpc.reflection.v1.ServerReflection${kind}`),
  );
  const client = clientOf(served.grpc.port);
  for (const version of ['v1', 'v1alpha']) {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    const ask = async (question: object): Promise<ReflectionAnswer> => {
      const bytes = Buffer.from(asking?.encode(asking.fromObject(question)).finish() ?? []);
      const { messages, details } = await call(client, path, { authorization }, bytes);
      expect(messages, details).toHaveLength(1);
      return answering?.decode(messages[0] ?? bytes) as unknown as ReflectionAnswer;
    };
    const { listServicesResponse } = await ask({ listServices: '' });
    const names = listServicesResponse?.service.map(({ name }) => name) ?? [];
    expect(names.toSorted()).toEqual([
      'a2a.v1.A2AService',
      'a2a.v1.A2aService',
      'grpc.health.v1.Health',
      'lf.a2a.v1.A2AService',
    ]);
    for (const name of names) {
      const { fileDescriptorResponse } = await ask({ fileContainingSymbol: name });
      const file = (fileDescriptorResponse?.fileDescriptorProto ?? []).map(
        (bytes) => FileDescriptorProto.decode(bytes) as IFileDescriptorProto,
      );
      const names = new Set(file.map((each) => each.name));
      for (const { dependency } of file) for (const imported of dependency ?? []) expect(names).toContain(imported);
      const learned = protobuf.Root.fromDescriptor({ file }).resolveAll();
      const { methodsArray } = learned.lookupService(name);
      expect(methodsArray.length, name).toBeGreaterThan(1);
      for (const { resolvedRequestType, resolvedResponseType } of methodsArray)
        expect([resolvedRequestType, resolvedResponseType]).not.toContain(null);
    }
  }
});

interface ReflectionAnswer {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Uint8Array[] };
}

/** A certificate of a new authority, and that authority. */
function clientCertificate(name: string) {
  const file = (kind: string): string => join(folder, `${name}-${kind}.pem`);
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { stdio: 'ignore' });
  };
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '1',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    file('ca-key'),
    '-out',
    file('ca'),
  );
  openssl(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-subj',
    `/CN=${name}-client`,
    '-keyout',
    file('key'),
    '-out',
    file('request'),
  );
  openssl(
    'x509',
    '-req',
    '-days',
    '1',
    '-in',
    file('request'),
    '-CA',
    file('ca'),
    '-CAkey',
    file('ca-key'),
    '-CAcreateserial',
    '-out',
    file('cert'),
  );
  return { ca: readFileSync(file('ca')), key: readFileSync(file('key')), cert: readFileSync(file('cert')) };
}

test('with an authority for clients, who connects needs a certificate of it and a credential', async () => {
  const right = clientCertificate('right');
  const wrong = clientCertificate('wrong');
  const mutual = await serveBindings(store, { authenticate: authenticateByToken(store) }, { tls, clientCa: right.ca });
  const authorization = `Bearer ${await token(['runs:read'])}`;
  const ask = async (channel: ChannelCredentials, headers: Record<string, string> = { authorization }) =>
    (await call(clientOf(mutual.grpc.port, channel), getTask, headers)).code;
  const known = credentials.createSsl(tls.cert, right.key, right.cert);
  expect(await ask(known)).toBe(status.INVALID_ARGUMENT);
  expect(await ask(known, {})).toBe(status.UNAUTHENTICATED);
  expect(await ask(credentials.createSsl(tls.cert))).toBe(status.UNAVAILABLE);
  expect(await ask(credentials.createSsl(tls.cert, wrong.key, wrong.cert))).toBe(status.UNAVAILABLE);
  expect(await ask(credentials.createInsecure())).toBe(status.UNAVAILABLE);
  await mutual.close();
});

test('for a reader that does not read, no more events are fetched than it has room for', async () => {
  let fetched = 0;
  const handler = {
    async *resubscribe() {
      for (; fetched < 10_000; fetched++)
        yield StreamResponse.fromJSON({
          artifactUpdate: { taskId: 'x', artifact: { parts: [{ text: 'x'.repeat(100_000) }] } },
        });
    },
  } as unknown as A2ARequestHandler;
  const server = new Server();
  const [service] = a2aServices({
    calls: { cards: createCards(apiDeps(store)), open: () => ({ handler, context: new ServerCallContext() }) },
    principalOf: () => somebody('key:one'),
    addresses: () => ({ origin: 'http://127.0.0.1' }),
    closing: new AbortController().signal,
  });
  server.addService(service?.definition ?? {}, service?.implementation ?? {});
  const port = await promisify(server.bindAsync.bind(server))('127.0.0.1:0', ServerCredentials.createInsecure());
  const session = connect(`http://127.0.0.1:${port}`);
  const stream = session.request({
    ':method': 'POST',
    ':path': '/lf.a2a.v1.A2AService/SubscribeToTask',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  // Its field 2: the id.
  stream.on('error', () => undefined).end(Buffer.from([0, 0, 0, 0, 3, 0x12, 1, 0x78]));
  await expect.poll(() => fetched).toBeGreaterThan(1);
  await delay(500);
  const held = fetched;
  expect(held).toBeLessThan(100);
  await delay(300);
  expect(fetched).toBe(held);
  session.destroy();
  server.forceShutdown();
});
