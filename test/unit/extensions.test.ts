import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { mayCall, mayUse } from '../../domain/session/agents.ts';
import { isHooked } from '../../domain/session/hook-points.ts';
import { HookSettings, hookPoints, hooksFor } from '../../domain/session/hooks.ts';
import { expandCommand, readCommandLine } from '../../domain/session/extensions.ts';
import { loadConfig } from '../../services/config/config.ts';
import { createExtensionReader } from '../../services/config/extensions.ts';
import { keepTrust, listTrust, readProject, removeTrust } from '../../services/config/trust.ts';
import { projectOf } from '../../services/config/extension-files.ts';

let folder: string;
let project: string;
let dataDir: string;
let config: string;
let read: ReturnType<typeof createExtensionReader>;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'codetether-extensions-')));
  project = join(folder, 'project');
  dataDir = join(folder, 'data');
  config = join(folder, 'config', 'codetether');
  mkdirSync(join(project, '.git'), { recursive: true });
  read = createExtensionReader({ config: { dataDir }, environment: { XDG_CONFIG_HOME: join(folder, 'config') } });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

const agent = (head: string, body = 'Be strict.') => `---\n${head}\n---\n${body}\n`;
const reviewer = agent('name: reviewer\ndescription: looks for defects\ntools: [read, grep]\nreads-only: true');

async function trustIt(): Promise<void> {
  const { digest } = await readProject(dataDir, project);
  await keepTrust(dataDir, { project, digest: digest ?? '', answer: 'trusted' });
}

test("a project's own files count only after they were trusted, and not after they have changed", async () => {
  put(join(project, '.codetether/agents/reviewer.md'), reviewer);
  expect((await readProject(dataDir, project)).trust).toBe('unknown');
  expect((await read(project)).agents).toEqual([]);
  await trustIt();
  expect((await read(join(project))).agents).toEqual([
    {
      name: 'reviewer',
      description: 'looks for defects',
      tools: ['read', 'grep'],
      readsOnly: true,
      maxSteps: 100,
      prompt: 'Be strict.',
    },
  ]);
  put(join(project, '.codetether/agents/reviewer.md'), reviewer.replace('reads-only: true', ''));
  expect((await readProject(dataDir, project)).trust).toBe('changed');
  expect((await read(project)).agents).toEqual([]);
});

test.each([
  '.codetether/config.yaml',
  '.codetether/hooks/guard.sh',
  '.codetether/skills/deploy/SKILL.md',
  '.codetether/skills/deploy/scripts/run.sh',
  '.claude/commands/x.md',
  '.agents/skills/a/SKILL.md',
])('what is written to %s after the answer takes the trust away', async (file) => {
  put(join(project, '.codetether/agents/reviewer.md'), reviewer);
  put(join(project, '.codetether/skills/deploy/SKILL.md'), agent('name: deploy\ndescription: how to'));
  await trustIt();
  expect((await readProject(dataDir, project)).trust).toBe('trusted');
  put(join(project, file), 'hooks: {}\n');
  expect((await readProject(dataDir, project)).trust).toBe('changed');
});

test('answers are kept for the real path, by the user alone, and are forgotten', async () => {
  put(join(project, '.codetether/agents/reviewer.md'), reviewer);
  await trustIt();
  const [file] = await readdir(join(dataDir, 'trust'));
  expect(statSync(join(dataDir, 'trust', file ?? '')).mode & 0o777).toBe(0o600);
  symlinkSync(project, join(folder, 'link'));
  mkdirSync(join(project, 'src'));
  expect(await projectOf(join(folder, 'link', 'src'))).toBe(project);
  expect(await listTrust(dataDir)).toMatchObject([{ project, answer: 'trusted' }]);
  expect([await removeTrust(dataDir, project), await removeTrust(dataDir, project)]).toEqual([true, false]);
  expect((await read(project)).agents).toEqual([]);
});

test("the user's own need no trust; a trusted project's come first", async () => {
  put(join(config, 'commands/review.md'), 'mine');
  put(join(config, 'commands/plan.md'), 'mine');
  put(join(project, '.claude/commands/review.md'), 'of the project');
  const texts = async () => (await read(project)).commands.map(({ name, text }) => `${name} ${text}`).toSorted();
  expect(await texts()).toEqual(['plan mine', 'review mine']);
  await trustIt();
  expect(await texts()).toEqual(['plan mine', 'review of the project']);
});

test.each<readonly [file: string, text: string, problem: string]>([
  ['agents/a.md', agent('name: a\ndescription: x\nread-only: true'), 'agents/a.md:4: read-only: is not known here'],
  ['agents/a.md', agent('name: ../a\ndescription: x'), 'agents/a.md:2: name: expected lower-case'],
  ['agents/a.md', agent('name: plan\ndescription: x'), 'agents/a.md:2: name: is the name of a built-in agent'],
  [
    'agents/a.md',
    agent('name: a\ndescription: x\nmax-steps: many'),
    'agents/a.md:4: max-steps: expected a whole number',
  ],
  ['agents/a.md', agent('name: a\n  description: x'), 'agents/a.md:2: '],
  ['agents/a.md', '---\nname: a\n', 'agents/a.md:1: there is no ---'],
  ['agents/a.md', agent('name: a\ndescription: x', ''), 'there is no text'],
  ['commands/a b.md', 'text', 'commands/a b.md:1: the name of the file'],
  ['skills/s/SKILL.md', agent('name: s'), 'skills/s/SKILL.md:2: description: expected a text'],
])('%s with an error is left out whole, and the error names file and line', async (file, text, problem) => {
  put(join(config, file), text);
  put(join(config, 'agents/good.md'), agent('name: good\ndescription: x'));
  const found = await read(project);
  expect(found.problems).toHaveLength(1);
  expect(found.problems[0]).toContain(problem);
  expect([found.agents.map(({ name }) => name), found.commands, found.skills]).toEqual([['good'], [], []]);
});

test('files of other programs may hold keys of theirs, but none that would have limited what they say', async () => {
  const head = 'name: NAME\ndescription: x\ncolor: red\ntools: Read, Bash\nmodel: inherit';
  put(join(project, '.claude/agents/a.md'), agent(`${head}\nsomething: else`.replace('NAME', 'a')));
  put(join(project, '.claude/agents/b.md'), agent(`${head}\ndisallowedTools: Bash`.replace('NAME', 'b')));
  await trustIt();
  const { agents, problems } = await read(project);
  expect(agents).toMatchObject([{ name: 'a', tools: ['read', 'bash'] }]);
  expect(agents[0]).not.toHaveProperty('model');
  expect(problems).toEqual([`${project}/.claude/agents/b.md:7: disallowedTools: is not known here`]);
});

test('a link that leads out of the project is not followed', async () => {
  put(join(folder, 'outside', 'x', 'SKILL.md'), agent('name: x\ndescription: x'));
  mkdirSync(join(project, '.claude'), { recursive: true });
  symlinkSync(join(folder, 'outside'), join(project, '.claude', 'skills'));
  put(join(project, '.codetether/commands/a.md'), 'a');
  await trustIt();
  const { skills, problems } = await read(project);
  expect(skills).toEqual([]);
  expect(problems.join()).toContain('leads out of the project');
});

test('hooks that cannot be used stop everything, with file and line; a project can set nothing else', async () => {
  const file = join(config, 'config.yaml');
  put(file, 'workerSlots: 2\nhooks:\n  before-tool:\n    - command: ./x\n      timeout: 3\n');
  await expect(read(project)).rejects.toMatchObject({
    code: 'extension-invalid',
    problems: [`${file}:5: hooks.before-tool.0.timeout: is not known here`],
  });
  expect(loadConfig({ environment: { XDG_CONFIG_HOME: join(folder, 'config') } }).workerSlots).toBe(2);
  rmSync(file);
  const own = join(project, '.codetether/config.yaml');
  put(own, 'defaultModel: x/y\n');
  expect((await read(project)).hooks['before-tool']).toEqual([]);
  await trustIt();
  await expect(read(project)).rejects.toMatchObject({ problems: [`${own}:1: defaultModel: is not known here`] });
  put(own, 'hooks:\n  turn-end:\n    - command: npm test\n');
  await trustIt();
  expect((await read(project)).hooks['turn-end']).toEqual([{ command: 'npm test', timeoutSeconds: 60 }]);
});

test.each<readonly [text: string, message: string, expanded: string]>([
  ['Review $ARGUMENTS now.', '/c src and test', 'Review src and test now.'],
  ['From $2 to $1$3.', '/c a "b c"', 'From b c to a.'],
  ['$1', "/c '$2' x", '$2'],
  ['Review.', '/c src', 'Review.\n\nsrc'],
  ['Costs $10 or $ARGUMENTSX.', '/c', 'Costs $10 or $ARGUMENTSX.'],
  ['Review $1.', '/c src\n\n<stdin>\na\n</stdin>', 'Review src.\n\n<stdin>\na\n</stdin>'],
])('%j with %j is %j', (text, message, expanded) => {
  const called = readCommandLine(message);
  expect(called?.name).toBe('c');
  if (called !== undefined) expect(expandCommand({ text }, called)).toBe(expanded);
});

test.each(['/usr/bin is full', 'no /command', '//x', '/', '/ x'])('%j calls no command', (text) => {
  expect(readCommandLine(text)).toBeUndefined();
});

test('an agent may use the tools that it has and, where it only reads, that read', () => {
  const bash = { name: 'bash', risk: 'shell' } as const;
  const read = { name: 'read', risk: 'read' } as const;
  const of = (rules: Parameters<typeof mayUse>[0]) => [mayUse(rules, read), mayUse(rules, bash)];
  expect(of({})).toEqual([true, true]);
  expect(of({ readsOnly: true })).toEqual([true, false]);
  expect(of({ tools: ['bash'] })).toEqual([false, true]);
  expect(of({ tools: ['bash'], readsOnly: true })).toEqual([false, false]);
});

test('what comes in a batch is looked at as if it came alone', () => {
  const batch = (...tools: readonly string[]) => ({
    name: 'batch',
    risk: 'shell' as const,
    args: { calls: tools.map((tool) => ({ tool })) },
  });
  const rules = { tools: ['batch', 'read'] };
  expect([mayCall(rules, batch('read')), mayCall(rules, batch('read', 'bash'))]).toEqual([true, false]);
  expect([mayCall({}, batch('bash')), mayCall({ tools: ['read'] }, batch('read'))]).toEqual([true, false]);
  const asText = { ...batch('read'), args: JSON.stringify(batch('bash').args) };
  expect(mayCall(rules, asText)).toBe(false);
  const settings = HookSettings.parse({ 'before-tool': [{ command: 'a', tools: ['bash'] }] });
  const points = hookPoints(settings);
  const hooked = (tool: string) => [
    isHooked(points, 'before-tool', tool),
    hooksFor(settings, 'before-tool', tool).length,
  ];
  expect(['bash', 'batch', 'read'].map(hooked)).toEqual([
    [true, 1],
    [true, 1],
    [false, 0],
  ]);
});

test('YAML that grows without end is an error of its file', async () => {
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefg'.split('').map((key, index) => `${key}: &${key} [${`*${'abcdef'[index]},`.repeat(9)}]`),
  ];
  put(join(config, 'agents/a.md'), agent(bomb.join('\n')));
  expect((await read(project)).problems[0]).toContain('agents/a.md:2: ');
});

test('the examples of docs/extensions.md can be used as they are', async () => {
  const page = readFileSync(new URL('../../docs/extensions.md', import.meta.url), 'utf8');
  const blocks = (language: string) =>
    [...page.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm'))].map(([, text]) => text ?? '');
  const [agentText = '', commandText = '', skillText = ''] = blocks('markdown');
  const [, guard = ''] = blocks('sh');
  put(join(project, '.codetether/agents/reviewer.md'), agentText);
  put(join(project, '.codetether/commands/review.md'), commandText);
  put(join(project, '.codetether/skills/release/SKILL.md'), skillText);
  put(join(project, '.codetether/config.yaml'), blocks('yaml')[0] ?? '');
  put(join(project, '.codetether/hooks/guard.sh'), guard);
  await trustIt();
  const { agents, commands, hooks, problems, skills } = await read(project);
  expect(problems).toEqual([]);
  expect([agents, commands, skills].map(([first]) => first?.name)).toEqual(['reviewer', 'review', 'release']);
  expect(Object.values(hooks).map((each) => each.length)).toEqual([1, 1, 1, 1]);
  const denied = (json: string) =>
    spawnSync('/bin/sh', [join(project, '.codetether/hooks/guard.sh')], { input: json }).status;
  expect([denied(blocks('json')[0] ?? ''), denied('{}')]).toEqual([2, 0]);
});
