import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { preflightRalph, type PreflightDeps } from '../../activities/ralph/preflight.ts';
import { createGit } from '../../activities/workspace/git.ts';
import { StartRunRequest } from '../../domain/contracts/api.ts';
import { asCodetetherError, CodetetherError, type ErrorCode } from '../../domain/errors.ts';
import { bareEnvironment, makeRepository, type TestRepository } from '../support/repository.ts';

let repository: TestRepository;
let deps: PreflightDeps;
let bin: string;

const story = (id: string, more: Record<string, unknown> = {}) => ({
  id,
  title: `Story ${id}`,
  description: 'd',
  acceptance_criteria: ['x'],
  verification_steps: [{ type: 'shell', command: 'true' }],
  ...more,
});
const prd = (more: Record<string, unknown> = {}) => ({
  project: 'todo',
  feature: 'due dates',
  quality_checks: { test: 'sh -c true' },
  user_stories: [story('US-1'), story('US-2', { passes: true, depends_on: ['US-1'] })],
  ...more,
});

beforeEach(() => {
  repository = makeRepository({ name: 'Mein Projekt ü' });
  bin = path.join(repository.scratch, 'bin');
  mkdirSync(bin);
  for (const name of ['sh', 'npm']) symlinkSync('/bin/sh', path.join(bin, name));
  writeFileSync(path.join(bin, 'not-a-program'), 'x');
  deps = {
    hostId: 'tiger',
    checkModel: async () => undefined,
    git: createGit({
      env: bareEnvironment(repository.scratch),
      processDir: path.join(repository.scratch, 'processes'),
    }),
    searchPath: bin,
    freeBytes: async () => 1e12,
  };
  writePrd(prd());
});

afterEach(() => {
  repository.remove();
});

const prdPath = () => path.join(repository.top, 'prd.json');

function writePrd(content: unknown): void {
  writeFileSync(prdPath(), typeof content === 'string' ? content : JSON.stringify(content, null, 2));
}

function request(more: Record<string, unknown> = {}) {
  return StartRunRequest.parse({ kind: 'ralph', prdPath: prdPath(), model: 'scripted/x.yaml', ...more });
}

async function refused(
  code: ErrorCode,
  more: Record<string, unknown> = {},
  own: Partial<PreflightDeps> = {},
): Promise<CodetetherError> {
  try {
    await preflightRalph(request(more), { ...deps, ...own });
  } catch (error) {
    const known = asCodetetherError(error);
    expect(known.code, known.message).toBe(code);
    return known;
  }
  throw new Error('it was taken');
}

const id = async (repoPath: string) => (await preflightRalph(request({ repoPath }), deps)).plan.runId;
const packageFile = (scripts: Record<string, string>) => JSON.stringify({ scripts });

const gate = async (command: string): Promise<string> => {
  writePrd(prd({ quality_checks: { test: command } }));
  try {
    await preflightRalph(request({ allowDirty: true }), deps);
    return 'taken';
  } catch (error) {
    const known = asCodetetherError(error);
    expect(known.code).toBe('gate-command-missing');
    return known.problems.join('\n');
  }
};

const oldGit: PreflightDeps['git'] = async (args, call) =>
  args[0] === 'version' ? { exitCode: 0, stdout: 'git version 2.34.1\n', stderr: '' } : deps.git(args, call);

const noModel = async (model: string) => {
  throw new CodetetherError('model-unknown', `no ${model}`);
};

describe('a run that can start', () => {
  test('is planned with its defaults', async () => {
    const { plan, warnings } = await preflightRalph(request(), deps);
    expect(plan).toMatchObject({
      repoPath: repository.top,
      prdPath: prdPath(),
      branch: 'feature/due-dates',
      hostId: 'tiger',
      options: {
        model: 'scripted/x.yaml',
        maxIterations: 10,
        maxAttempts: 3,
        maxSteps: 50,
        maxConcurrent: 4,
        maxCostUsd: null,
        maxTokens: null,
        maxTimeMs: null,
      },
    });
    expect(plan.runId).toMatch(/^ralph:mein-projekt-u-[0-9a-f]{6}:due-dates$/);
    expect(plan.prd.stories).toHaveLength(2);
    expect(warnings).toEqual([]);
  });

  test('takes what was asked for, and three iterations for each open story', async () => {
    writePrd(prd({ user_stories: Array.from({ length: 500 }, (_, index) => story(`US-${index}`)) }));
    const more = {
      maxAttempts: 1,
      maxSteps: 2,
      maxConcurrent: 3,
      maxCostUsd: 4.5,
      maxTokens: 6,
      maxTimeMs: 7,
      branch: 'x/y',
    };
    const { plan } = await preflightRalph(request(more), deps);
    expect(plan.options).toMatchObject({
      maxIterations: 1500,
      maxAttempts: 1,
      maxSteps: 2,
      maxConcurrent: 3,
      maxCostUsd: 4.5,
    });
    expect(plan.runId).toMatch(/:x-y$/);
    expect((await preflightRalph(request({ maxIterations: 2 }), deps)).plan.options.maxIterations).toBe(2);
  });

  test('has the same id from every folder and checkout of the repository, another in a clone', async () => {
    repository.commit({ 'sub/x': '1' });
    const tree = path.join(repository.scratch, 'tree');
    const clone = path.join(repository.scratch, 'Mein Projekt ü');
    repository.git(['worktree', 'add', '-q', '--detach', tree]);
    repository.git(['clone', '-q', repository.top, clone]);
    const main = await id(repository.top);
    expect(await id(path.join(repository.top, 'sub'))).toBe(main);
    expect(await id(tree)).toBe(main);
    expect(await id(clone)).not.toBe(main);
    const link = path.join(repository.scratch, 'link');
    symlinkSync(repository.top, link);
    expect(await id(link)).toBe(main);
  });

  test('starts from the main checkout, and says so where another was meant', async () => {
    const tree = path.join(repository.scratch, 'tree');
    repository.git(['worktree', 'add', '-q', '--detach', tree]);
    expect((await preflightRalph(request({ repoPath: tree }), deps)).warnings).toEqual([]);
    repository.commit({ 'more.txt': '1' });
    const { plan, warnings } = await preflightRalph(request({ repoPath: tree }), deps);
    expect(plan.repoPath).toBe(repository.top);
    expect(warnings.join()).toMatch(
      /the run starts from [0-9a-f]{10}, where the main checkout .* is, not from [0-9a-f]{10}/,
    );
  });

  test('may have a detached HEAD, untracked files, and a PRD outside', async () => {
    repository.git(['switch', '-q', '--detach']);
    repository.write({ 'untracked.txt': 'x' });
    const outside = path.join(repository.scratch, 'plan.yaml');
    writeFileSync(
      outside,
      'project: p\nfeature: f\nuser_stories:\n- {id: A, title: t, description: d}\nquality_checks: {test: sh}\n',
    );
    const { plan } = await preflightRalph(request({ prdPath: outside, repoPath: repository.top }), deps);
    expect(plan).toMatchObject({ prdPath: outside, repoPath: repository.top, branch: 'feature/f' });
  });

  test('may have a tracked PRD and progress.txt with changes, and a checkout in the middle of a rebase', async () => {
    repository.commit({ 'prd.json': '{}', 'progress.txt': 'x' });
    writePrd(prd());
    repository.write({ 'progress.txt': 'y' });
    expect((await preflightRalph(request(), deps)).warnings).toEqual([]);
  });

  test('may be in a bare repository’s checkout and in a submodule', async () => {
    const bare = path.join(repository.scratch, 'bare.git');
    const tree = path.join(repository.scratch, 'bare-tree');
    repository.git(['clone', '-q', '--bare', repository.top, bare]);
    repository.git(['worktree', 'add', '-q', '--detach', tree], bare);
    expect((await preflightRalph(request({ repoPath: tree }), deps)).plan.repoPath).toBe(tree);
    repository.git(['-c', 'protocol.file.allow=always', 'submodule', 'add', '-q', bare, 'sub']);
    repository.git(['commit', '-q', '-m', 'sub']);
    const sub = path.join(repository.top, 'sub');
    expect((await preflightRalph(request({ repoPath: sub }), deps)).plan.repoPath).toBe(sub);
  });

  test('changes nothing on disk', async () => {
    repository.write({ 'src/add.js': 'changed' });
    const before = snapshot(repository.top);
    await preflightRalph(request({ allowDirty: true }), deps);
    await refused('repository-dirty');
    expect(snapshot(repository.top)).toEqual(before);
  });
});

/** Every file with its content, and times of git's own. */
function snapshot(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => `${file} ${statSync(file).mtimeMs} ${readFileSync(file).toString('latin1')}`)
    .toSorted();
}

describe('the PRD', () => {
  test.each<[string, string | Buffer | null, ErrorCode, string]>([
    ['is missing', null, 'prd-missing', 'There is no PRD file'],
    ['is no JSON', '{\n  "a": 1,,\n}', 'prd-invalid', '2:10: expected a key in double quotes, found ",'],
    ['has wrong types', '{"project": 5}', 'prd-invalid', 'project: must be text, is 5'],
    ['is empty', '', 'prd-invalid', '1:1: the file is empty'],
    ['is UTF-16', Buffer.from('\ufeff{}', 'utf16le'), 'prd-invalid', 'is UTF-16'],
    [
      'is not UTF-8',
      Buffer.from('{\n"a":\n"gr\xf6\xdfe"}', 'latin1'),
      'prd-invalid',
      'line 3: bytes that are not UTF-8',
    ],
  ])('%s', async (_, content, code, message) => {
    rmSync(prdPath());
    if (content !== null) writeFileSync(prdPath(), content);
    const error = await refused(code);
    expect([error.message, ...error.problems].join('\n')).toContain(message);
  });

  test('is a folder', async () => {
    expect((await refused('prd-missing', { prdPath: repository.top })).message).toContain('is not a file');
    expect((await refused('request-invalid', { prdPath: 'prd.json' })).problems).toEqual([
      'prdPath: must be an absolute path',
    ]);
  });

  test('with a byte order mark and warnings is taken', async () => {
    writePrd(`\ufeff${JSON.stringify(prd({ user_stories: [story('A', { complexity: 7 })] }))}`);
    expect((await preflightRalph(request(), deps)).warnings).toEqual(['user_stories: A: complexity is outside 1 to 5']);
  });

  test('that checks nothing must be accepted', async () => {
    const bare = story('US-1', { verification_steps: [] });
    writePrd(prd({ quality_checks: {}, user_stories: [bare, story('US-2'), { ...bare, id: 'US-3', passes: true }] }));
    expect((await refused('prd-unchecked')).problems).toEqual(['nothing checks US-1']);
    const { warnings } = await preflightRalph(request({ allowUnchecked: true }), deps);
    expect(warnings).toContain("nothing checks US-1: they pass on the agent's word alone");
  });
});

describe('the repository', () => {
  test('is none', async () => {
    const error = await refused('not-a-repository', { repoPath: repository.scratch });
    expect(error.message).toBe(`${repository.scratch} is not in a git repository.`);
    expect((await refused('not-a-repository', { repoPath: '/no/such/folder' })).message).toContain(
      'There is no folder',
    );
  });

  test('is bare, or its .git is meant', async () => {
    const bare = path.join(repository.scratch, 'bare.git');
    repository.git(['init', '-q', '--bare', bare]);
    expect((await refused('not-a-repository', { repoPath: bare })).message).toContain('is a bare repository');
    const inside = path.join(repository.top, '.git', 'refs');
    expect((await refused('not-a-repository', { repoPath: inside })).message).toContain('is inside .git');
  });

  test('has no commit yet', async () => {
    const empty = path.join(repository.scratch, 'empty');
    repository.git(['init', '-q', empty]);
    expect((await refused('repository-empty', { repoPath: empty })).message).toContain('has no commit yet');
  });

  test('is dirty: up to five files are named', async () => {
    repository.commit(Object.fromEntries(Array.from({ length: 7 }, (_, index) => [`f ${index}ü.txt`, 'a'])));
    repository.write(Object.fromEntries(Array.from({ length: 7 }, (_, index) => [`f ${index}ü.txt`, 'b'])));
    expect((await refused('repository-dirty')).problems).toEqual([
      'f 0ü.txt, f 1ü.txt, f 2ü.txt, f 3ü.txt, f 4ü.txt and 2 more',
    ]);
    const { warnings } = await preflightRalph(request({ allowDirty: true }), deps);
    expect(warnings[0]).toContain('uncommitted changes are not part of the run');
  });

  test('has staged or deleted files', async () => {
    repository.git(['mv', 'README.md', 'LIESMICH.md']);
    expect((await refused('repository-dirty')).problems).toEqual(['LIESMICH.md, README.md']);
  });

  test('cannot be had for want of git', async () => {
    expect((await refused('git-unusable', {}, { git: oldGit })).message).toBe(
      'This is git version 2.34.1; 2.38 or newer is needed.',
    );
    const none = createGit({ env: { PATH: '/nowhere' }, processDir: path.join(repository.scratch, 'processes') });
    expect((await refused('git-unusable', {}, { git: none })).message).toBe('git cannot be started.');
  });

  test('belongs to somebody else, as git sees it', async () => {
    const env = { ...bareEnvironment(repository.scratch), GIT_TEST_ASSUME_DIFFERENT_OWNER: '1' };
    const git = createGit({ env, processDir: path.join(repository.scratch, 'processes') });
    const error = await refused('not-a-repository', {}, { git });
    expect(error.problems.join('\n')).toContain('safe.directory');
  });
});

describe('the run branch', () => {
  test('is no name for a branch', async () => {
    for (const branch of ['a b', '-x', 'a..b', 'x.lock', '@{-1}', 'HEAD', 'a//b', 'x^'])
      expect((await refused('request-invalid', { branch })).problems[0], branch).toContain('branch: ');
    writePrd(prd({ branch_name: 'feature/a b' }));
    expect((await refused('prd-invalid')).problems).toEqual([
      'branch_name: "feature/a b" is not a name that git allows for a branch',
    ]);
  });

  test('cannot stand beside another branch', async () => {
    repository.git(['branch', 'feature']);
    expect((await refused('prd-invalid')).problems).toEqual([
      'branch_name: "feature/due-dates" cannot be made beside the branch "feature"',
    ]);
    expect((await refused('request-invalid', { branch: 'main/x' })).problems[0]).toContain('beside the branch "main"');
  });

  test('is checked out: here, in another checkout, in the middle of a rebase', async () => {
    repository.git(['switch', '-q', '-c', 'feature/due-dates']);
    const error = await refused('branch-checked-out');
    expect(error.message).toBe(`feature/due-dates is checked out at ${repository.top}.`);
    expect(error.next).toBe(
      `Switch to another branch there (git -C '${repository.top}' switch --detach), or name another run branch with --branch.`,
    );
    repository.git(['switch', '-q', 'main']);
    const tree = path.join(repository.scratch, 'tree');
    repository.git(['worktree', 'add', '-q', tree, 'feature/due-dates']);
    expect((await refused('branch-checked-out')).details).toEqual({ branch: 'feature/due-dates', path: tree });
    rmSync(tree, { recursive: true });
    expect((await preflightRalph(request(), deps)).plan.branch).toBe('feature/due-dates');
  });

  test('exists already: the run goes on with it', async () => {
    repository.git(['branch', 'feature/due-dates']);
    expect((await preflightRalph(request(), deps)).plan.branch).toBe('feature/due-dates');
  });
});

describe('gate commands', () => {
  beforeEach(() => {
    repository.commit({
      'package.json': packageFile({ test: 'node --test', lint: 'x' }),
      'web/package.json': packageFile({ build: 'x' }),
      'gradlew.sh': '#!/bin/sh\n',
      'plain.txt': 'x',
    });
    chmodSync(path.join(repository.top, 'gradlew.sh'), 0o755);
    mkdirSync(path.join(repository.top, 'node_modules', '.bin'), { recursive: true });
    writeFileSync(path.join(repository.top, 'node_modules', '.bin', 'tsc'), '');
  });

  test.each([
    'sh -c true',
    'CI=1 FOO="a b" sh -c x',
    'npm test',
    'npm t -- --watch=false',
    'npm run lint -- --fix',
    'npm run -s lint && echo done',
    'npm run build --prefix web',
    'npm run build -w web',
    'npm run deploy --if-present',
    'cd web && npm run build',
    'cd web; npm run build',
    './gradlew.sh check',
    '"./gradlew.sh" check',
    '(cd web && npm run build)',
    '! sh x',
    'test -f x',
    '[ -f x ] || exit 1',
    'if true; then sh; fi',
    '$RUNNER test',
    '~/bin/x',
    'exec sh',
    'npm ci',
  ])('%s is taken', async (command) => {
    expect(await gate(command)).toBe('taken');
  });

  test.each([
    ['pytest -q', 'there is no command pytest on the PATH'],
    ['not-a-program', 'there is no command not-a-program on the PATH'],
    ['tsc --noEmit', 'there is no command tsc on the PATH; it is in node_modules, so write npx tsc'],
    ['npm run typecheck', 'package.json has no script typecheck'],
    ['npm run test:unit && sh', 'package.json has no script test:unit'],
    ['cd web && npm test', 'package.json has no script test'],
    ['cd nowhere && npm test', 'there is no folder nowhere'],
    ['./missing.sh', 'there is no ./missing.sh'],
    ['./plain.txt', './plain.txt is not executable (chmod +x ./plain.txt)'],
    ['./web', './web is a folder'],
    ['FOO=1', 'it is empty'],
  ])('%s is refused', async (command, problem) => {
    expect(await gate(command)).toBe(`quality_checks.test (${command}): ${problem}`);
  });

  test('that are missing are all named, in the order they run', async () => {
    writePrd(prd({ quality_checks: { test: 'pytest', typecheck: 'mypy .', lint: 'sh' } }));
    expect((await refused('gate-command-missing', { allowDirty: true })).problems).toEqual([
      'quality_checks.typecheck (mypy .): there is no command mypy on the PATH',
      'quality_checks.test (pytest): there is no command pytest on the PATH',
    ]);
  });
});

test('a model that cannot be used ends the check', async () => {
  expect((await refused('model-unknown', {}, { checkModel: noModel })).message).toBe('no scripted/x.yaml');
});

test('a full disk ends the check', async () => {
  const error = await refused('disk-full', {}, { freeBytes: async () => 123_456_789 });
  expect(error.message).toBe(`Only 123 MB are free for ${repository.top}; 200 MB are needed.`);
  const { freeBytes: _, ...real } = deps;
  await expect(preflightRalph(request(), real)).resolves.toBeDefined();
});

describe('a shared remote', () => {
  test('that answers and may be written to is taken, and is not touched', async () => {
    const remote = path.join(repository.scratch, 'shared.git');
    repository.git(['init', '--quiet', '--bare', remote]);
    const { plan } = await preflightRalph(request({ remote }), deps);
    expect(plan.options.remote).toBe(remote);
    expect(repository.git(['for-each-ref'], remote)).toBe('');
  });

  test('that does not answer, or holds a secret, is refused', async () => {
    const away = await refused('remote-unavailable', { remote: '/nowhere/shared.git' });
    expect(away.message).toContain('/nowhere/shared.git');
    const secret = await refused('request-invalid', { remote: 'https://ada:hunter2@example.com/app.git' });
    expect(JSON.stringify([secret.message, secret.problems])).not.toContain('hunter2');
  });
});
