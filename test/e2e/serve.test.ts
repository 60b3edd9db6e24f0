import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createToken, startServe } from '../support/serving.ts';
import type { Serving } from '../support/serving.ts';
import { createTestStack } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

const cert = fileURLToPath(new URL('../support/tls/cert.pem', import.meta.url));
const key = fileURLToPath(new URL('../support/tls/key.pem', import.meta.url));

let stack: TestStack;
let server: Serving;
let folder: string;
let path: string;
let token: string;

const remote = (credential = token): NodeJS.ProcessEnv => ({
  CODETETHER_SERVER: server.url,
  CODETETHER_TOKEN: credential,
  NODE_EXTRA_CA_CERTS: cert,
  // Nothing of the stack's own user.
  CODETETHER_DATA_DIR: join(folder, 'elsewhere'),
});

const elsewhere = async (args: readonly string[], credential?: string) =>
  await stack.start(args, { cwd: path, env: remote(credential) }).result;

beforeAll(async () => {
  stack = await createTestStack();
  folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-serve-')));
  path = join(folder, 'work');
  await mkdir(path);
  token = await createToken(stack, 'operator');
  // TLS, so that the whole way is the one of another machine.
  setDefaultCACertificates([...getCACertificates(), await readFile(cert, 'utf8')]);
  server = await startServe(stack, { args: ['--no-grpc', '--tls-cert', cert, '--tls-key', key] });
}, 120_000);
afterAll(async () => {
  await stack.remove();
  await rm(folder, { recursive: true, force: true });
});

async function script(turns: readonly object[]): Promise<string> {
  const file = join(path, 'script.json');
  await writeFile(file, JSON.stringify({ version: 1, stories: { main: { attempts: [{ turns }] } } }));
  return `scripted/${file}`;
}

test('a turn that is asked for with a token goes on while the address is lost, and its answer comes once', async () => {
  const bash = { name: 'bash', args: { command: 'echo ran >> log.txt; sleep 4' } };
  const model = await script([{ text: 'I look.', tools: [bash] }, { text: 'Looked.' }]);
  const before = await elsewhere(['run', 'look', '--model', model]);
  expect(before.code).toBe(2);
  expect(before.stderr).toContain('is in no workspace that you may use');
  expect((await stack.cli(['workspaces', 'add', path])).code).toBe(0);
  const run = stack.start(['run', 'look', '--model', model], { cwd: path, env: remote() });
  for (const deadline = Date.now() + 60_000; ; await delay(50)) {
    if ((await readFile(join(path, 'log.txt'), 'utf8').catch(() => '')) !== '') break;
    if (Date.now() > deadline) throw new Error((await run.result).stderr);
  }
  await server.kill();
  await delay(500);
  await server.restart();
  const ended = await run.result;
  expect(ended.code, ended.stderr).toBe(0);
  expect(ended.stdout).toBe('Looked.\n');
  expect(await readFile(join(path, 'log.txt'), 'utf8')).toBe('ran\n');
}, 120_000);

test('a session of another tenant is worked on beside those of the first, and seen by its own only', async () => {
  const acme = { CODETETHER_TENANT: 'acme' };
  const file = join(folder, 'acme.json');
  const read = { name: 'memory', args: { action: 'save', content: 'acme keeps bees' } };
  const turns = [{ text: 'I note it.', tools: [read] }, { text: 'Noted.' }];
  await writeFile(file, JSON.stringify({ version: 1, stories: { main: { attempts: [{ turns }] } } }));
  const own = await stack.start(['run', 'note it', '--model', `scripted/${file}`], { cwd: path, env: acme }).result;
  expect([own.code, own.stdout, own.stderr]).toEqual([0, 'Noted.\n', expect.anything()]);
  const listed = await stack.start(['sessions', 'list', '--all', '--json'], { env: acme }).result;
  const { sessions } = JSON.parse(listed.stdout) as { readonly sessions: readonly { readonly session_id: string }[] };
  expect(sessions.map(({ session_id: id }) => id)).toEqual([expect.stringMatching(/^session:@acme:/)]);
  expect((await stack.cli(['sessions', 'list', '--all', '--json'])).stdout).not.toContain('@acme');
  const foreign = await stack.cli(['sessions', 'show', sessions[0]?.session_id ?? '']);
  expect([foreign.code, foreign.stderr]).toEqual([2, expect.stringContaining('there is no session')]);
});

test('a revoked token, and none, are told as what they are', async () => {
  const [tokenId = ''] = (await stack.cli(['token', 'list'])).stdout.split('\t');
  expect((await elsewhere(['sessions', 'list'])).code).toBe(0);
  expect((await stack.cli(['token', 'revoke', tokenId])).code).toBe(0);
  for (const credential of [token, 'nonsense']) {
    const refused = await elsewhere(['sessions', 'list'], credential);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('[unauthenticated]');
    expect(refused.stderr).not.toContain(credential);
  }
  const { stdout } = await stack.cli(['audit']);
  expect(stdout).toContain('tokens revoke');
  expect((await stack.cli(['audit', '--check'])).stdout).toBe('every entry is as it was written\n');
});

test('what would serve or send a token in clear to other machines is refused', async () => {
  const open = await stack.cli(['serve', '--host', '0.0.0.0', '--port', '0', '--no-grpc']);
  expect([open.code, open.stderr]).toEqual([2, expect.stringContaining('--tls-cert')]);
  const half = await stack.cli(['serve', '--port', '0', '--no-grpc', '--tls-cert', cert]);
  expect(half.code).toBe(2);
  const clear = await stack.cli(['serve', '--port', '0', '--grpc-client-ca', cert]);
  expect([clear.code, clear.stderr]).toEqual([2, expect.stringContaining('--grpc-client-ca needs --tls-cert')]);
  const taken = await stack.cli(['serve', '--port', new URL(server.url).port, '--no-grpc']);
  expect([taken.code, taken.stderr]).toEqual([75, expect.stringContaining('[port-taken]')]);
  const plain = await stack.start(['sessions', 'list'], {
    env: { ...remote(), CODETETHER_SERVER: 'http://192.0.2.1:8000' },
  }).result;
  expect([plain.code, plain.stderr]).toEqual([2, expect.stringContaining('CODETETHER_SERVER')]);
});
