import { chmod, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestStack } from '../support/test-stack.ts';
import type { TestStack } from '../support/test-stack.ts';

let stack: TestStack;
let folder: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-extensions-')));
  stack = await createTestStack({ XDG_CONFIG_HOME: join(folder, 'config') });
  const up = await stack.cli(['up']);
  expect(up.code, up.stderr).toBe(0);
}, 900_000);
afterAll(async () => {
  await stack.remove();
  await rm(folder, { recursive: true, force: true });
});

interface Turn {
  readonly text: string;
  readonly tools?: readonly { readonly name: string; readonly args: object }[];
}

let count = 0;

/** A project with these files, and a model that plays these turns: one list for each message. */
async function project(files: Readonly<Record<string, string>>, ...messages: readonly (readonly Turn[])[]) {
  const place = join(folder, `project-${++count}`);
  const path = join(place, 'work');
  await mkdir(join(path, '.git'), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), text);
    if (name.endsWith('.sh')) await chmod(join(path, name), 0o755);
  }
  const script = join(place, 'script.json');
  const stories = { main: { attempts: messages.map((turns) => ({ turns })) } };
  await writeFile(script, JSON.stringify({ version: 1, stories }));
  const run = (...args: readonly string[]) => ['run', ...args, '--model', `scripted/${script}`];
  return { path, run, cli: async (...args: readonly string[]) => await stack.cli(args, { cwd: path }) };
}

const bash = (command: string) => ({ name: 'bash', args: { command } });
const textOf = async (...parts: readonly string[]) => await readFile(join(...parts), 'utf8').catch(() => '');

const guard = `hooks:
  before-tool:
    - command: .codetether/hooks/guard.sh
      tools: [bash]
`;
const guardScript = `#!/bin/sh
grep -q forbidden && { echo "not here"; exit 2; }
exit 0
`;

test("a project's hooks run once it is trusted, ask again when they have changed, and are named where they are ignored", async () => {
  const twoCalls = [{ text: '', tools: [bash('touch forbidden.txt'), bash('touch allowed.txt')] }, { text: 'done' }];
  const { path, run, cli } = await project(
    { '.codetether/config.yaml': guard, '.codetether/hooks/guard.sh': guardScript },
    twoCalls,
    twoCalls,
    twoCalls,
  );
  const untrusted = await cli(...run('go'));
  expect(untrusted.stdout, untrusted.stderr).toBe('done\n');
  expect(untrusted.stderr).toContain(`ignored: settings of ${path}: the project is not trusted`);
  expect(untrusted.stderr).toContain('codetether trust .');
  await rm(join(path, 'forbidden.txt'));

  const trusted = await cli('trust');
  expect(trusted.stdout).toContain('before-tool: .codetether/hooks/guard.sh');
  const guarded = await cli(...run('-c', 'go'));
  expect(guarded.stderr).not.toContain('ignored');
  expect(guarded.stdout, guarded.stderr).toBe('done\n');
  expect(await textOf(path, 'forbidden.txt')).toBe('');
  expect((await cli('sessions', 'show', '-v')).stdout).toContain('guard.sh: not here');
  expect((await cli('trust', '--list')).stdout).toContain(`trusted\t${path}\t`);

  await writeFile(join(path, '.codetether/hooks/guard.sh'), '#!/bin/sh\nexit 0\n');
  const changed = await cli(...run('-c', 'go'));
  expect(changed.stderr).toContain('it has changed since it was trusted');
  expect((await cli('trust', '--remove')).stderr).toContain('is not trusted any more');
}, 120_000);

test('an agent, a command and a skill of the user are there in every project', async () => {
  const own = join(folder, 'config', 'codetether');
  for (const [file, text] of [
    ['agents/reviewer.md', '---\nname: reviewer\ndescription: reads\ntools: [read, skill]\n---\nBe strict.\n'],
    ['commands/review.md', '---\nagent: reviewer\n---\nReview $1 strictly.\n'],
    ['skills/style/SKILL.md', '---\nname: style\ndescription: our style\n---\nShort words.\n'],
  ] as const) {
    await mkdir(dirname(join(own, file)), { recursive: true });
    await writeFile(join(own, file), text);
  }
  const { path, run, cli } = await project({}, [
    { text: '', tools: [bash('touch a.txt'), { name: 'skill', args: { action: 'load', name: 'style' } }] },
    { text: 'reviewed' },
  ]);
  await writeFile(join(own, 'agents/broken.md'), '---\nname: broken\n---\nx\n');
  const reviewed = await cli(...run('/review src now'));
  expect(reviewed.stderr).toContain(`left out: ${own}/agents/broken.md:2: description`);
  expect(reviewed.stdout, reviewed.stderr).toBe('reviewed\n');
  const shown = (await cli('sessions', 'show', '-v')).stdout;
  for (const text of ['Be strict.', 'Review src strictly.', 'this agent has these tools', 'Short words.', 'our style'])
    expect(shown).toContain(text);
  expect(await textOf(path, 'a.txt')).toBe('');
  const unknown = await cli(...run('/reviw'));
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toContain('did you mean /review?');
  const noAgent = await cli(...run('x', '--agent', 'reviewr'));
  expect(noAgent.stderr).toContain('did you mean reviewer?');
  expect(noAgent.code).toBe(2);
}, 120_000);

test('a hook that loses its worker is not run a second time, and the turn goes on to its end', async () => {
  const settings = `hooks:
  before-tool:
    - command: echo ran >> ran.txt; sleep 4
      tools: [bash]
  turn-end:
    - command: test -f enough.txt || { touch enough.txt; echo write more; exit 2; }
`;
  const { path, run, cli } = await project({ '.codetether/config.yaml': settings }, [
    { text: '', tools: [bash('touch made.txt')] },
    { text: 'first' },
    { text: 'second' },
  ]);
  await cli('trust');
  const running = stack.start(run('go'), { cwd: path });
  while ((await textOf(path, 'ran.txt')) === '') await delay(50);
  await stack.kill('worker');
  const ended = await running.result;
  expect(ended.stdout, ended.stderr).toBe('second\n');
  expect(ended.stderr).toContain('asks for one more round');
  expect(await textOf(path, 'ran.txt')).toBe('ran\n');
  expect((await cli('sessions', 'show', '-v')).stdout).toContain('interrupted');
}, 120_000);

test('hooks that cannot be used stop the message, with file and line', async () => {
  const { path, run, cli } = await project({ '.codetether/config.yaml': 'hooks:\n  before-tool: nothing\n' }, [
    { text: 'x' },
  ]);
  const refused = await cli('trust');
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain(`${path}/.codetether/config.yaml:2: hooks.before-tool`);
  expect((await cli('trust', '--list')).stdout).not.toContain(path);
  expect((await cli(...run('go'))).stdout).toBe('x\n');
});
