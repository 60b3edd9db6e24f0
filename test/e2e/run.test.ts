import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { longestMessage } from '../../domain/session/limits.ts';
import { createTestStack, program } from '../support/test-stack.ts';
import type { StackProcess, TestStack } from '../support/test-stack.ts';

let stack: TestStack;
const folders: string[] = [];

beforeAll(async () => {
  stack = await createTestStack();
  const up = await stack.cli(['up']);
  expect(up.code, up.stderr).toBe(0);
}, 900_000);
afterAll(async () => {
  await stack.remove();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

interface Turn {
  readonly text: string;
  readonly tools?: readonly { readonly name: string; readonly args: object }[];
  readonly delayMs?: number;
}

/** A folder to work in, and a model that plays these turns: one list for each message. */
async function workplace(...messages: readonly (readonly Turn[])[]): Promise<{ path: string; model: string }> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-run-')));
  folders.push(folder);
  const path = join(folder, 'work');
  await mkdir(path);
  const script = join(folder, 'script.json');
  await writeFile(
    script,
    JSON.stringify({ version: 1, stories: { main: { attempts: messages.map((turns) => ({ turns })) } } }),
  );
  return { path, model: `scripted/${script}` };
}

const write = (path: string, content: string) => ({ name: 'write', args: { path, content } });
const bash = (command: string) => ({ name: 'bash', args: { command } });

/** Two files, with a slow model call and a slow command. */
const multiFile: readonly Turn[] = [
  { text: 'First the library.', tools: [write('src/add.js', 'export const add = (a, b) => a + b;\n')] },
  { text: 'Then the test.', delayMs: 3_000, tools: [write('test/add.test.js', 'import "../src/add.js";\n')] },
  { text: 'I check it.', tools: [bash('echo checked >> log.txt; sleep 4; echo done')] },
  { text: 'Wrote src/add.js and test/add.test.js.' },
];

const textOf = async (path: string, file: string) => await readFile(join(path, file), 'utf8').catch(() => '');

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await delay(50)) if (await isSo()) return;
  throw new Error(`${what}: not within a minute`);
}

test.each<readonly [string, (path: string) => Promise<boolean>, readonly StackProcess[]]>([
  ['the worker in a model call', async (path) => (await textOf(path, 'src/add.js')) !== '', ['worker']],
  ['the worker in a command', async (path) => (await textOf(path, 'log.txt')) !== '', ['worker']],
  [
    'everything at once in a command',
    async (path) => (await textOf(path, 'log.txt')) !== '',
    ['supervisor', 'worker', 'api', 'temporal', 'postgres'],
  ],
])(
  'a turn that loses %s goes on to its end, and no command is silently run again',
  async (_what, isThere, victims) => {
    const { path, model } = await workplace(multiFile);
    const run = stack.start(['run', 'add a library', '--model', model], { cwd: path });
    await until('the point', async () => await isThere(path));
    await stack.kill(...victims);
    const ended = await run.result;
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout).toBe('Wrote src/add.js and test/add.test.js.\n');
    expect(await textOf(path, 'src/add.js')).toContain('a + b');
    expect(await textOf(path, 'test/add.test.js')).not.toBe('');
    expect(await textOf(path, 'log.txt')).toBe('checked\n');
  },
  180_000,
);

test('a command line that is killed loses nothing: the turn goes on, and is attached to', async () => {
  const { path, model } = await workplace(multiFile);
  const run = stack.start(['run', 'add a library', '--model', model], { cwd: path });
  await until('the command', async () => (await textOf(path, 'log.txt')) !== '');
  process.kill(run.pid, 'SIGKILL');
  const attached = await stack.cli(['sessions', 'attach'], { cwd: path });
  expect(attached.code, attached.stderr).toBe(0);
  expect(attached.stdout).toBe('Wrote src/add.js and test/add.test.js.\n');
}, 120_000);

test('a session is gone on with: by the folder, by the beginning of its id, and two at once one after the other', async () => {
  const { path, model } = await workplace(
    [{ text: 'one' }],
    [{ text: 'two', delayMs: 3_000 }],
    [{ text: 'three' }],
    [{ text: 'four' }],
  );
  const first = await stack.cli(['run', 'a', '--model', model, '--json'], { cwd: path });
  const { session_id: sessionId } = JSON.parse(first.stdout) as { readonly session_id: string };
  const second = stack.start(['run', '-c', 'b'], { cwd: path });
  await until('the second turn', async () =>
    (await stack.cli(['sessions', 'list', '--json'], { cwd: path })).stdout.includes('"turns":2'),
  );
  const third = stack.start(['run', '-c', 'c'], { cwd: path });
  expect((await second.result).stdout).toBe('two\n');
  const ended = await third.result;
  expect(ended.stdout, ended.stderr).toBe('three\n');
  const fourth = await stack.cli(['run', '--resume', sessionId.slice('session:'.length, -8), 'd'], { cwd: tmpdir() });
  expect(fourth.stdout, fourth.stderr).toBe('four\n');
  expect(fourth.stderr).toContain(`works in ${path}, the session's folder`);
  const elsewhere = await stack.cli(['run', '-r', sessionId, 'e', '--cwd', tmpdir()], { cwd: path });
  expect(elsewhere.code).toBe(2);
  expect(elsewhere.stderr).toContain(`works in ${path}`);
  const { stdout } = await stack.cli(['sessions', 'list', '--json'], { cwd: path });
  expect(JSON.parse(stdout)).toMatchObject({ sessions: [{ session_id: sessionId, turns: 4, status: 'completed' }] });
  const shown = await stack.cli(['sessions', 'show'], { cwd: path });
  expect(shown.stdout.match(/> you/g)).toHaveLength(4);
}, 120_000);

test('stream-json is one object a line, from init to result, and can be read on', async () => {
  const { path, model } = await workplace([
    { text: 'I look.', tools: [{ name: 'list', args: { path: '.' } }] },
    { text: 'Nothing there.' },
  ]);
  const run = await stack.cli(['run', 'look', '--model', model, '--output-format', 'stream-json'], { cwd: path });
  const objects = run.stdout
    .trim()
    .split('\n')
    .map(
      (line) => JSON.parse(line) as { readonly type: string; readonly seq: number; readonly schema_version: number },
    );
  expect(objects.map(({ type }) => type)).toEqual([
    'init',
    'message',
    'message',
    'tool_use',
    'tool_result',
    'message',
    'result',
  ]);
  expect(objects.at(-1)).toMatchObject({ outcome: 'completed', text: 'Nothing there.', steps: 2, schema_version: 1 });
  const seqs = objects.map(({ seq }) => seq);
  expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
});

test('an agent that plans cannot change anything, also when it tries', async () => {
  const { path, model } = await workplace([
    { text: '', tools: [write('a.txt', 'a'), bash('touch b.txt')] },
    { text: 'A plan.' },
  ]);
  const run = await stack.cli(['run', 'plan it', '--agent', 'plan', '--model', model], { cwd: path });
  expect(run.stdout).toBe('A plan.\n');
  expect(await textOf(path, 'a.txt')).toBe('');
  expect((await stack.cli(['sessions', 'show'], { cwd: path })).stdout).toContain('this agent only reads');
});

test('an answer follows its schema, after one repair; else the turn has failed with a code', async () => {
  const good = await workplace([{ text: 'It is 3.' }, { text: '```json\n{"answer": 3}\n```' }]);
  const schema = join(good.path, 'schema.json');
  await writeFile(
    schema,
    JSON.stringify({ type: 'object', properties: { answer: { type: 'number' } }, required: ['answer'] }),
  );
  const asked = ['run', 'how many', '--output-schema', schema, '--json'];
  const repaired = await stack.cli([...asked, '--model', good.model], { cwd: good.path });
  expect(repaired.code, repaired.stderr).toBe(0);
  const bad = await workplace([{ text: 'It is 3.' }, { text: '{"answer": "three"}' }]);
  const failed = await stack.cli([...asked, '--model', bad.model], { cwd: bad.path });
  expect(failed.code).toBe(1);
  expect(JSON.parse(failed.stdout)).toMatchObject({ outcome: 'error', code: 'output-schema-mismatch' });
});

test('what cannot be worked on is said before anything is started', async () => {
  const { path, model } = await workplace([{ text: 'x' }]);
  const notSchema = join(path, 'list.json');
  await writeFile(notSchema, '["a"]');
  const badSchema = join(path, 'banana.json');
  await writeFile(badSchema, '{"type":"banana"}');
  const cases: readonly (readonly [readonly string[], string])[] = [
    [['run', '--model', model], 'there is no message'],
    [['run', '-c', 'go on', '--model', model], 'there is no session of'],
    [['run', '-r', 'nobody', 'x'], 'there is no session nobody'],
    [['run', 'x', '--model', model, '--cwd', '/not/there'], 'folder'],
    [['run', 'x', '--model', model, '--output-schema', notSchema], 'is not a JSON schema'],
    [['run', 'x', '--model', model, '--output-schema', badSchema], 'type'],
    [['run', 'x', '--model', 'nonsense'], 'is not a model'],
    [['sessions', 'interrupt'], 'there is no session of'],
  ];
  for (const [args, message] of cases) {
    const refused = await stack.cli(args, { cwd: path });
    expect(refused.code, `${args.join(' ')}: ${refused.stderr}`).toBe(2);
    expect(refused.stderr).toContain(message);
  }
  const { stdout } = await stack.cli(['sessions', 'list', '--json'], { cwd: path });
  expect(JSON.parse(stdout)).toMatchObject({ sessions: [] });
});

test('a deleted folder ends the turn with its reason', async () => {
  const { path, model } = await workplace([{ text: 'one' }], [{ text: 'two' }]);
  const first = await stack.cli(['run', 'a', '--model', model, '--json'], { cwd: path });
  const { session_id: sessionId } = JSON.parse(first.stdout) as { readonly session_id: string };
  await rm(path, { recursive: true });
  const gone = await stack.cli(['run', '-r', sessionId, 'b'], { cwd: tmpdir() });
  expect(gone.code).toBe(2);
  expect(gone.stderr).toContain('is not there (any more)');
});

test('what is piped in is context, and must be a text', async () => {
  const { path, model } = await workplace([{ text: 'read' }]);
  const piped = async (input: Buffer): Promise<{ readonly code: number; readonly stderr: string }> =>
    await new Promise((resolve) => {
      const args = ['run', 'what is this', '--model', model];
      const child = execFile(program, args, { cwd: path, env: stack.env }, (error, _stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stderr });
      });
      // The program may refuse what it has not read to the end.
      child.stdin?.on('error', () => {}).end(input);
    });
  expect(await piped(Buffer.from('a diff'))).toMatchObject({ code: 0 });
  expect((await stack.cli(['sessions', 'show'], { cwd: path })).stdout).toContain('<stdin>\na diff\n</stdin>');
  const tooMuch = await piped(Buffer.from('é'.repeat(3 * longestMessage)));
  expect(tooMuch.code).toBe(2);
  expect(tooMuch.stderr).toContain(`${longestMessage} are allowed`);
  const broken = await piped(Buffer.from([0xff, 0xfe, 0x00]));
  expect(broken.code).toBe(2);
  expect(broken.stderr).toContain('not a text in UTF-8');
});

test('a conversation off a terminal: each line a message, answered in order', async () => {
  const { path, model } = await workplace([{ text: 'one', delayMs: 300 }], [{ text: 'two' }]);
  const { code, stdout, stderr } = await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const args = ['chat', '--model', model];
    const child = execFile(program, args, { cwd: path, env: stack.env }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout: out, stderr: err });
    });
    child.stdin?.end('first\n/nonsense\nsecond\n');
  });
  expect(code, stderr).toBe(0);
  expect(stdout).toBe('one\ntwo\n');
  expect(stderr).toContain('/nonsense is not known');
  expect(stderr).toMatch(/go on {2}codetether chat --resume/);
});

test('a session is forked, undone, redone, renamed and deleted, and no row is lost', async () => {
  const { path, model } = await workplace([{ text: 'one' }], [{ text: 'two' }], [{ text: 'three' }]);
  const first = await stack.cli(['run', 'first', '--model', model, '--json'], { cwd: path });
  const { session_id: sessionId } = JSON.parse(first.stdout) as { readonly session_id: string };
  await stack.cli(['run', '-c', 'second'], { cwd: path });
  const tooFar = await stack.cli(['sessions', 'fork', sessionId, '--drop', '99'], { cwd: path });
  expect(tooFar.code).toBe(2);
  expect(tooFar.stderr).toContain('has no 99 turns, but 2');
  const forked = await stack.cli(['sessions', 'fork', sessionId, '--drop', '1'], { cwd: path });
  expect(forked.code, forked.stderr).toBe(0);
  const fork = forked.stdout.trim();
  const shown = await stack.cli(['sessions', 'show', fork], { cwd: path });
  expect(shown.stdout).toContain('one');
  expect(shown.stdout).not.toContain('two');
  expect((await stack.cli(['run', '-r', fork, 'another way'], { cwd: path })).stdout).toBe('one\n');
  expect((await stack.cli(['sessions', 'undo', sessionId, '-n', '3'], { cwd: path })).code).toBe(2);
  expect((await stack.cli(['sessions', 'undo', sessionId], { cwd: path })).code).toBe(0);
  expect((await stack.cli(['sessions', 'redo', sessionId], { cwd: path })).code).toBe(0);
  expect((await stack.cli(['sessions', 'rename', sessionId, 'a title'], { cwd: path })).code).toBe(0);
  const both = JSON.parse((await stack.cli(['sessions', 'list', '--json'], { cwd: path })).stdout);
  expect(both).toMatchObject({ sessions: [{ title: 'a title' }, { parent: { session_id: sessionId } }] });
  expect((await stack.cli(['sessions', 'delete', sessionId], { cwd: path })).code).toBe(0);
  expect((await stack.cli(['run', '-r', sessionId, 'x'], { cwd: path })).code).toBe(2);
  expect((await stack.cli(['sessions', 'show', fork], { cwd: path })).stdout).toContain('one');
  const forkedAgain = await stack.cli(['run', '--fork', fork, 'once more'], { cwd: path });
  expect(forkedAgain.code, forkedAgain.stderr).toBe(0);
});

test('an agent starts others, whose worker is lost, and goes on with their answers', async () => {
  const { path } = await workplace([]);
  const script = join(path, '..', 'agents.json');
  const agent = (task: string) => ({ name: 'agent', args: { task, agent: 'explore' } });
  const turns = [{ text: '', tools: [agent('look at a'), agent('look at b')] }, { text: 'Both have looked.' }];
  const own = [
    { text: '', delayMs: 3_000, tools: [{ name: 'list', args: { path: '.' } }] },
    { text: 'Nothing there.' },
  ];
  const stories = { main: { attempts: [{ turns }] }, 'main:agent': { attempts: [{ turns: own }] } };
  await writeFile(script, JSON.stringify({ version: 1, stories }));
  const run = stack.start(['run', 'look', '--model', `scripted/${script}`], { cwd: path });
  await delay(1_500);
  await stack.kill('worker');
  const ended = await run.result;
  expect(ended.code, ended.stderr).toBe(0);
  expect(ended.stdout).toBe('Both have looked.\n');
  const { stdout } = await stack.cli(['sessions', 'show', '--json'], { cwd: path });
  expect(stdout.match(/"output":"Nothing there\."/g)).toHaveLength(2);
}, 120_000);
