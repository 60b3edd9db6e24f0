import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CodetetherError } from '../../domain/errors.ts';
import { apiSocketPath, controlSocketPath } from '../../services/config/paths.ts';
import { stackPaths } from '../../services/stack/paths.ts';
import type { Progress } from '../../services/stack/progress.ts';
import { readStatus } from '../../services/stack/status.ts';
import { embeddedServers } from '../../services/stack/server-environment.ts';
import { stopStack } from '../../services/stack/stop-stack.ts';
import { freePort } from '../../services/stack/ports.ts';
import { prepareTemporalCli, testStack } from './stack-fixtures.ts';
import type { TestStack } from './stack-fixtures.ts';

const stacks: TestStack[] = [];
const listeners: Server[] = [];
beforeAll(prepareTemporalCli, 600_000);
afterEach(async () => {
  for (const listener of listeners.splice(0)) listener.close();
  for (const stack of stacks.splice(0)) {
    await stack.remove();
    expect(await stack.processes()).toEqual([]);
  }
});

async function newStack(options: { readonly folder?: string } = {}): Promise<TestStack> {
  const stack = await testStack(options);
  stacks.push(stack);
  return stack;
}

async function listen(port: number): Promise<number> {
  const server = createServer();
  listeners.push(server);
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('the settings of a running stack', () => {
  let stack: TestStack;
  beforeEach(async () => {
    stack = await newStack();
  });

  it('reach worker and API with the next command that starts work, and only then', async () => {
    await stack.ensure({ environment: { ...stack.environment, OPENAI_API_KEY: 'one' } });
    const before = await stack.pids();
    const withKey = { ...stack.environment, ANTHROPIC_API_KEY: 'two', CODETETHER_WORKER_SLOTS: '3' };

    await stack.ensure({ environment: withKey, settings: 'keep' });
    expect(await stack.pids()).toEqual(before);

    const progress: Progress[] = [];
    await stack.ensure({ environment: withKey, onProgress: (each) => progress.push(each) });
    expect(progress.map(({ text }) => text)).toContain(
      "worker and API were started again with this shell's ANTHROPIC_API_KEY, CODETETHER_WORKER_SLOTS",
    );
    const after = await stack.pids();
    expect(after.get('worker')).not.toBe(before.get('worker'));
    expect(after.get('postgres')).toBe(before.get('postgres'));
    expect(after.get('temporal')).toBe(before.get('temporal'));
    const settings = { OPENAI_API_KEY: 'one', ANTHROPIC_API_KEY: 'two', CODETETHER_WORKER_SLOTS: '3' };
    expect(await stack.apiEnvironment()).toMatchObject(settings);
    const { processes } = await readStatus(stack.dataDir);
    expect(processes.map(({ restarts }) => restarts)).toEqual([0, 0, 0, 0, 0]);

    // A shell without the keys takes none away, also not after the supervisor was lost.
    await stack.ensure();
    expect(await stack.pids()).toEqual(after);
    process.kill(after.get('supervisor') ?? 0, 'SIGKILL');
    await stack.ensure({ environment: withKey });
    expect(await stack.pid('worker')).toBe(after.get('worker'));
    process.kill(await stack.pid('api'), 'SIGKILL');
    await stack.untilRestarted('api', after.get('api') ?? 0);
    await stack.ensure();
    expect(await stack.apiEnvironment()).toMatchObject(settings);
  });

  it('cannot name other servers than it runs on', async () => {
    await stack.ensure();
    const other = { ...stack.environment, DATABASE_URL: 'postgresql://me:secret@127.0.0.1:1/mine' };
    await expect(stack.ensure({ environment: other })).rejects.toMatchObject({
      code: 'config-invalid',
      problems: ['DATABASE_URL (environment): differs from what the stack was started with'],
    });
    expect(await stack.ensure({ environment: other, settings: 'keep' })).toMatchObject({ started: false });
  });

  it('are in no file of the data dir', async () => {
    await stack.ensure({ environment: { ...stack.environment, ANTHROPIC_API_KEY: 'sk-very-secret' } });
    const found = spawnSync('grep', ['-rlsa', 'sk-very-secret', stack.dataDir]);
    expect(found.stdout.toString()).toBe('');
    const { stateFile, postgresDir } = stackPaths(stack.dataDir);
    for (const file of [stateFile, `${postgresDir}/password`, controlSocketPath(stack.dataDir)]) {
      expect((await stat(file)).mode & 0o777).toBe(0o600);
    }
    expect((await stat(stack.dataDir)).mode & 0o777).toBe(0o700);
  });
});

describe('ports', () => {
  it('are remembered, and given up to whoever has taken them meanwhile', async () => {
    const stack = await newStack();
    await stack.ensure();
    const ports = await portsOf(stack);
    await stopStack(stack.dataDir);
    await stack.ensure();
    expect(await portsOf(stack)).toEqual(ports);

    await stopStack(stack.dataDir);
    await listen(ports.postgres);
    await stack.ensure();
    const others = await portsOf(stack);
    expect(others.temporal).toBe(ports.temporal);
    expect(others.postgres).not.toBe(ports.postgres);
    expect(String((await stack.apiEnvironment())['DATABASE_URL'])).toContain(`:${others.postgres}/`);
  });

  it('that the user fixed are where the stack says that its servers are', async () => {
    const stack = await newStack();
    const [postgres, temporal] = [await freePort(), await freePort()];
    const fixed = { CODETETHER_POSTGRES_PORT: String(postgres), CODETETHER_TEMPORAL_PORT: String(temporal) };
    await stack.ensure({ environment: { ...stack.environment, ...fixed } });
    const servers = await embeddedServers(stack.dataDir);
    expect(servers.DATABASE_URL).toContain(`:${postgres}/`);
    expect(servers.TEMPORAL_ADDRESS).toBe(`127.0.0.1:${temporal}`);
    expect(await stack.apiEnvironment()).toMatchObject(servers);
  });

  it('that the user fixed and somebody has are an error that names them, and nothing is left running', async () => {
    const stack = await newStack();
    const port = await listen(0);
    const environment = { ...stack.environment, CODETETHER_POSTGRES_PORT: String(port) };
    await expect(stack.ensure({ environment })).rejects.toMatchObject({
      code: 'port-taken',
      problems: [`CODETETHER_POSTGRES_PORT says ${port}, and another program listens on it`],
    });
    expect(await stack.processes()).toEqual([]);
  });
});

describe('a stack', () => {
  it('lives beside another one', async () => {
    const [one, two] = [await newStack(), await newStack()];
    const [first, second] = await Promise.all([one.ensure(), two.ensure()]);
    expect(first.temporalAddress).not.toBe(second.temporalAddress);
    const pids = await two.pids();
    await stopStack(one.dataDir);
    await two.ensure();
    expect(await two.pids()).toEqual(pids);
  });

  it('consists of worker and API only where the user has the servers', async () => {
    const servers = await newStack();
    await servers.ensure();
    const theirs = await servers.apiEnvironment();
    const stack = await newStack();
    const names = ['DATABASE_URL', 'TEMPORAL_ADDRESS'];
    const own = Object.fromEntries(names.map((name) => [name, String(theirs[name])]));
    const access = await stack.ensure({ environment: { ...stack.environment, ...own } });
    expect([...(await stack.pids()).keys()]).toEqual(['supervisor', 'worker', 'api']);
    expect(access).toMatchObject({ temporalAddress: own['TEMPORAL_ADDRESS'], temporalUiUrl: null });
    expect(await stack.apiEnvironment()).toMatchObject(own);
    expect(await embeddedServers(stack.dataDir)).toEqual({ CODETETHER_SECRET_KEYS: expect.any(String) });
  });

  it('names the server of the user that does not answer, and leaves nothing running', async () => {
    const stack = await newStack();
    const own = { DATABASE_URL: 'postgresql://me:secret@127.0.0.1:1/mine' };
    const failure = await stack
      .ensure({ environment: { ...stack.environment, ...own } })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'database-unreachable',
      problems: ['DATABASE_URL: that PostgreSQL does not answer, or refuses the user'],
    });
    expect(await stack.processes()).toEqual([]);
  });

  it('has its sockets in a private folder when the name of its data dir is too long for one', async () => {
    const stack = await newStack({ folder: `${'long '.repeat(15)}/${'ü'.repeat(20)}` });
    const access = await stack.ensure();
    expect(access.apiSocket).toBe(apiSocketPath(stack.dataDir));
    expect(access.apiSocket).toMatch(/^\/tmp\/codetether-\d+\/[0-9a-f]{16}-api\.sock$/);
    expect((await stat(dirname(access.apiSocket))).mode & 0o777).toBe(0o700);
    await stopStack(stack.dataDir);
    for (const path of [access.apiSocket, controlSocketPath(stack.dataDir)]) expect(existsSync(path)).toBe(false);
  });

  it('that cannot come up says why with the last lines of what failed, and leaves nothing running', async () => {
    const stack = await newStack();
    const environment = { ...stack.environment, CODETETHER_FAKE_WORKER: 'broken' };
    const failure = await stack.ensure({ environment }).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'stack-failed',
      message: 'the local stack did not come up: worker does not stay up',
    });
    const { problems } = failure as CodetetherError;
    expect(problems[0]).toBe('worker ended with status 1');
    expect(problems).toContain('worker | the fake worker is broken on purpose');
    expect(await stack.processes()).toEqual([]);
  });
});

async function portsOf(stack: TestStack): Promise<{ readonly postgres: number; readonly temporal: number }> {
  const { processes } = await readStatus(stack.dataDir);
  const port = (name: string): number => processes.find((each) => each.name === name)?.port ?? 0;
  return { postgres: port('postgres'), temporal: port('temporal') };
}
