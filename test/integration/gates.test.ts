import { createServer, type Server } from 'node:http';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { createGateActivities } from '../../activities/gates/create-gate-activities.ts';
import { createRunCommand } from '../../activities/process/run-command.ts';
import { createWorkspaceActivities } from '../../activities/workspace/create-workspace-activities.ts';
import { createRepositories } from '../../activities/workspace/repository.ts';
import { VerificationStep } from '../../domain/ralph/prd.ts';
import {
  bareEnvironment,
  makeRepository,
  memoryStore,
  type Files,
  type TestRepository,
} from '../support/repository.ts';

const made: TestRepository[] = [];
const servers: Server[] = [];
afterEach(() => {
  for (const repository of made.splice(0)) repository.remove();
  for (const server of servers.splice(0)) server.close();
});

async function makeWorld(options: {
  readonly gates?: Readonly<Record<string, string>>;
  readonly steps?: readonly unknown[];
  readonly files?: Files;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}) {
  const repository = makeRepository(options.files === undefined ? {} : { files: options.files });
  made.push(repository);
  const verificationSteps = (options.steps ?? []).map((step) => VerificationStep.parse(step));
  const store = memoryStore({
    repoPath: repository.top,
    stories: [{ id: 'US-001', verificationSteps }],
    qualityChecks: options.gates ?? {},
  });
  const env = { ...bareEnvironment(repository.scratch), ANTHROPIC_API_KEY: 'secret' };
  const processes = { env, processDir: path.join(repository.scratch, 'processes') };
  const repositories = createRepositories(processes);
  const workspace = createWorkspaceActivities({ store, hostId: 'host-1', repositories });
  const gates = createGateActivities({
    store,
    repositories,
    runCommand: createRunCommand(processes),
    cancellationSignal: () => options.signal ?? new AbortController().signal,
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  });
  const runId = store.run.runId;
  const opened = await workspace.openRepository({ runId });
  store.run = { ...store.run, base: opened.base };
  const story = { runId, storyId: 'US-001', attempt: 1 };
  const { path: folder } = await workspace.prepareWorkspace({ ...story, start: { kind: 'tip' } });
  const verify = () => gates.runVerification({ ...story, where: 'workspace' });
  const gate = (name: string, where: 'workspace' | 'merged' = 'workspace', commit?: string) =>
    gates.runGate({ ...story, gate: name, where, commit });
  return { repository, store, workspace, gates, story, folder, verify, gate };
}

describe('a gate', () => {
  test('runs in the workspace; its result, output and event are kept', async () => {
    const world = await makeWorld({
      gates: { test: 'pwd; echo "$ANTHROPIC_API_KEY."; printf "\\033[31mred\\033[0m\\n"; exit 4' },
    });
    const result = await world.gate('test');
    expect(result).toEqual({ ok: false, verdict: 'red', exitCode: 4, durationMs: expect.any(Number), summary: 'red' });
    const [check] = world.store.checks;
    expect(check).toMatchObject({
      storyId: 'US-001',
      attempt: 1,
      where: 'workspace',
      name: 'test',
      ok: false,
      tree: world.repository.git(['rev-parse', 'HEAD^{tree}']),
    });
    expect(world.store.blobs.get(check?.log ?? '')).toBe(`${world.folder}\n.\nred\n`);
    expect(world.store.events).toEqual([
      expect.objectContaining({
        kind: 'gate-ended',
        storyId: 'US-001',
        attempt: 1,
        body: { gate: 'test', where: 'workspace', ...result },
      }),
    ]);
  });

  test('that was run twice on the same files shows once', async () => {
    const world = await makeWorld({ gates: { test: 'true' } });
    await world.gate('test');
    await world.gate('test');
    expect(new Set(world.store.events.map((event) => event.key)).size).toBe(1);
  });

  test('of the baseline runs on the base, whatever the branch and the checkout are', async () => {
    const world = await makeWorld({ gates: { test: 'ls' } });
    world.repository.write({ 'user.txt': 'u' });
    writeFileSync(path.join(world.folder, 'story.txt'), 's');
    const result = await world.gates.runGate({ runId: world.story.runId, gate: 'test', where: 'baseline' });
    expect(result).toMatchObject({ ok: true, summary: '' });
    const [check] = world.store.checks;
    expect(world.store.blobs.get(check?.log ?? '')).toBe('README.md\nsrc\n');
    expect(world.store.events[0]).toMatchObject({ kind: 'baseline-gate-ended', body: { gate: 'test', ok: true } });
    expect(world.store.events[0]).not.toHaveProperty('storyId');
  });

  test('on the merged tree sees the other stories’ files', async () => {
    const world = await makeWorld({ gates: { test: 'cat a.txt' } });
    writeFileSync(path.join(world.folder, 'a.txt'), 'merged\n');
    const commit = await world.workspace.commitStory(world.story);
    if (commit.kind !== 'committed') throw new Error(commit.kind);
    await expect(world.gate('test', 'merged')).rejects.toMatchObject({ code: 'workspace-failed' });
    await world.workspace.mergeStory({ ...world.story, commit: commit.commit });
    expect(await world.gate('test', 'merged', commit.commit)).toMatchObject({ ok: true });
    expect(world.store.checks[0]?.tree).toBe(world.repository.git(['rev-parse', `${commit.commit}^{tree}`]));
  });

  test('on the merged tree sees nothing of what the checks before it have left or checked out', async () => {
    const world = await makeWorld({
      gates: { lint: 'echo x > left.txt; echo > a.txt; git checkout -q --force HEAD^; true', test: 'ls; cat a.txt' },
    });
    writeFileSync(path.join(world.folder, 'a.txt'), 'merged\n');
    const commit = await world.workspace.commitStory(world.story);
    if (commit.kind !== 'committed') throw new Error(commit.kind);
    await world.workspace.mergeStory({ ...world.story, commit: commit.commit });
    await world.gate('lint', 'merged', commit.commit);
    await world.gate('test', 'merged', commit.commit);
    expect(world.store.blobs.get(world.store.checks[1]?.log ?? '')).toBe('README.md\na.txt\nsrc\nmerged\n');
    expect(world.store.checks.map((check) => check.commit)).toEqual([commit.commit, commit.commit]);
  });

  test('with node --test inside a test runner reports what failed', async () => {
    const world = await makeWorld({
      gates: { test: `${process.execPath} --test` },
      files: {
        'parse.test.js': `const test = require('node:test');\ntest('ok', () => {});\ntest('"fri" is Friday', () => { throw new Error('no'); });\n`,
      },
    });
    expect(await world.gate('test')).toMatchObject({
      ok: false,
      summary: '1 of 2 tests: parse.test.js: "fri" is Friday',
    });
  });

  test('that takes too long is red, and says so', async () => {
    const world = await makeWorld({ gates: { test: 'echo waiting; sleep 60' }, timeoutMs: 200 });
    expect(await world.gate('test')).toMatchObject({
      ok: false,
      exitCode: null,
      summary: 'took longer than 0 s; waiting',
    });
  });

  test('that is cancelled throws the reason and its processes end', async () => {
    const controller = new AbortController();
    const world = await makeWorld({ gates: { test: 'echo $$ > pid; sleep 60' }, signal: controller.signal });
    const running = world.gate('test');
    while (!existsSync(path.join(world.folder, 'pid'))) await delay(5);
    await delay(20);
    controller.abort(new Error('cancelled by the test'));
    await expect(running).rejects.toThrow('cancelled by the test');
    const pid = Number(readFileSync(path.join(world.folder, 'pid'), 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    expect(world.store.checks).toEqual([]);
  });

  test('shows its newest line while it runs, not oftener than four times a second', async () => {
    const world = await makeWorld({ gates: { test: 'for i in $(seq 60); do echo "line $i"; sleep 0.01; done' } });
    const from = Date.now();
    await world.gate('test');
    const most = (Date.now() - from) / 250 + 1;
    const lines = world.store.events.filter((event) => event.kind === 'step-output');
    expect(lines.length).toBeGreaterThanOrEqual(1);
    expect(lines.length).toBeLessThanOrEqual(most);
    expect(lines[0]).toMatchObject({
      storyId: 'US-001',
      attempt: 1,
      body: { line: expect.stringMatching(/^line \d+$/) },
    });
  });

  test('does not reach the repository around a worktree that lost its .git', async () => {
    const world = await makeWorld({ gates: { test: 'rm .git; git rev-parse --show-toplevel' } });
    expect(await world.gate('test')).toMatchObject({ ok: false, exitCode: 128 });
  });

  test('that was taken out of the PRD stops nothing; one that there cannot be is an error', async () => {
    const world = await makeWorld({});
    expect(await world.gate('test')).toMatchObject({ verdict: 'ok', summary: 'the PRD has this gate no more' });
    expect(world.store.checks).toEqual([]);
    await expect(world.gate('toString')).rejects.toMatchObject({ code: 'prd-invalid' });
  });
});

describe('a red gate', () => {
  test('is run again: red and then green on the same files is flaky', async () => {
    const world = await makeWorld({
      gates: { test: 'echo "run $(echo x >> "$HOME/runs"; wc -l < "$HOME/runs")"; [ $(wc -l < "$HOME/runs") -gt 1 ]' },
    });
    const result = await world.gate('test');
    expect(result).toMatchObject({ ok: false, verdict: 'flaky', exitCode: 1 });
    expect(result.summary).toBe('red, then green on the same files: run 1');
    expect(world.store.checks).toMatchObject([{ ok: false, verdict: 'flaky' }]);
    expect(world.store.events.at(-1)?.body).toMatchObject({ gate: 'test', ok: false, verdict: 'flaky' });
    expect(world.store.blobs.get(world.store.checks[0]?.log ?? '')).toMatch(
      /^── first run: red\nrun 1\n── second run .*\nrun 2\n$/,
    );
    expect(await world.gate('test')).toMatchObject({ ok: true, verdict: 'ok' });
  });

  test('is not run again when it has changed the files', async () => {
    const world = await makeWorld({ gates: { test: '[ -e left.txt ] || { touch left.txt; exit 1; }' } });
    expect(await world.gate('test')).toMatchObject({ verdict: 'red' });
  });

  test('is run twice at most', async () => {
    const world = await makeWorld({ gates: { test: 'echo x >> "$HOME/runs"; exit 1' } });
    expect(await world.gate('test')).toMatchObject({ verdict: 'red' });
    expect(readFileSync(path.join(world.repository.scratch, 'runs'), 'utf8')).toBe('x\nx\n');
  });

  const failing = (...names: readonly string[]) =>
    `# Subtest\n${names.map((name) => `not ok 1 - ${name}`).join('\n')}\n`;

  async function withBaseline(before: string, gate = 'cat result.txt; exit 1') {
    const world = await makeWorld({ gates: { test: gate }, files: { 'result.txt': before } });
    const baseline = () => world.gates.runGate({ runId: world.story.runId, gate: 'test', where: 'baseline' });
    const after = (text: string) => {
      writeFileSync(path.join(world.folder, 'result.txt'), text);
      return world.gate('test');
    };
    return { world, baseline, after };
  }

  test('that was red before the run stops a story only when it is worse', async () => {
    const { baseline, after } = await withBaseline(failing('old', 'older'));
    expect(await after(failing('old'))).toMatchObject({ verdict: 'red' });
    expect(await baseline()).toMatchObject({ ok: false, verdict: 'red' });
    const same = await after(failing('old', 'older'));
    expect(same).toMatchObject({ ok: false, verdict: 'red-as-before' });
    expect(same.summary).toMatch(/^no worse than before the story: 2 tests: /);
    expect(await after(failing('old'))).toMatchObject({ verdict: 'red-as-before' });
    expect(await after(failing('old', 'new'))).toMatchObject({ verdict: 'red' });
    expect(await after(failing('old', 'older', 'new'))).toMatchObject({ verdict: 'red' });
    expect(await after('Segmentation fault\n')).toMatchObject({ verdict: 'red' });
  });

  test('whose failures have no names is no worse with the same exit code and as many lines of failure', async () => {
    const { world, baseline, after } = await withBaseline(
      'it cannot work\n',
      'cat result.txt; exit $(wc -l < result.txt)',
    );
    await baseline();
    expect(await after('now it cannot work\n')).toMatchObject({ verdict: 'red-as-before' });
    expect(await after('it cannot work\nother\n')).toMatchObject({ verdict: 'red' });
    expect(world.store.checks.map((check) => check.verdict)).toEqual(['red', 'red-as-before', 'red']);
  });

  test('is the same diagnostic when it has moved to another line', async () => {
    const { baseline, after } = await withBaseline('src/a.ts(7,1): error TS2304: Cannot find name.\n');
    await baseline();
    expect(await after('src/a.ts(19,1): error TS2304: Cannot find name.\n')).toMatchObject({
      verdict: 'red-as-before',
    });
    expect(await after('src/b.ts(7,1): error TS2304: Cannot find name.\n')).toMatchObject({ verdict: 'red' });
  });

  test('that a merged story has mended is held against the branch, not against the baseline', async () => {
    const world = await makeWorld({ gates: { test: '[ -e mended.txt ]' } });
    expect(await world.gates.runGate({ runId: world.story.runId, gate: 'test', where: 'baseline' })).toMatchObject({
      verdict: 'red',
    });
    writeFileSync(path.join(world.folder, 'mended.txt'), '');
    const commit = await world.workspace.commitStory(world.story);
    if (commit.kind !== 'committed') throw new Error(commit.kind);
    const merged = await world.workspace.mergeStory({ ...world.story, commit: commit.commit });
    if (merged.kind !== 'merged') throw new Error(merged.kind);
    expect(await world.gate('test', 'merged', merged.commit)).toMatchObject({ verdict: 'ok' });
    const story = world.store.stories.get('US-001');
    if (story === undefined) throw new Error('no story');
    world.store.stories.set('US-001', { ...story, status: 'passed', commit: merged.commit });
    expect(await world.store.referenceCheck('', 'test', 'merged')).toMatchObject({
      verdict: 'ok',
      commit: merged.commit,
    });
    expect(await world.store.referenceCheck('', 'test', 'workspace')).toMatchObject({ verdict: 'red' });
  });
});

describe('an inspection', () => {
  const files = {
    'package.json': '{"scripts":{"test":"node --test"}}',
    'test/a.test.js': "test('a', () => { assert.equal(a(), 1); });\n",
    '.gitignore': 'dist\n',
  };
  const gates = { test: 'npm test' };

  test('names each file that weakens the checks, and keeps what has changed', async () => {
    const world = await makeWorld({ files, gates });
    world.repository.write(
      { 'package.json': '{"scripts":{"test":"true"}}', 'test/a.test.js': null, 'src/new.js': '1' },
      world.folder,
    );
    const inspect = () => world.gates.inspectChange({ ...world.story, where: 'workspace' });
    const result = await inspect();
    expect(result).toEqual({
      ok: false,
      message:
        'package.json: the script "test", which the gate test runs, was changed; test/a.test.js: a test file was deleted',
    });
    const [check] = world.store.checks;
    expect(check).toMatchObject({ name: 'change', ok: false, verdict: 'red', where: 'workspace' });
    expect(world.store.blobs.get(check?.log ?? '')).toMatch(
      /^M package.json\nA src\/new.js\nD test\/a.test.js\ntampered: /,
    );
    await inspect();
    expect(new Set(world.store.checks.map(({ tree }) => tree)).size).toBe(1);
  });

  test('finds nothing in ordinary work, and follows a renamed test', async () => {
    const world = await makeWorld({ files, gates });
    world.repository.write(
      {
        'package.json': '{"scripts":{"test":"node --test","dev":"x"},"dependencies":{"yaml":"2"}}',
        'test/a.test.js': null,
        'test/b.test.js': files['test/a.test.js'],
        'test/c.test.js': "test('c', () => {});\n",
        '.gitignore': 'dist\ncoverage\n',
      },
      world.folder,
    );
    expect(await world.gates.inspectChange({ ...world.story, where: 'workspace' })).toEqual({ ok: true });
    expect(world.store.checks[0]?.summary).toBe('4 files changed');
  });

  test('sees what a changed .gitignore hides', async () => {
    const world = await makeWorld({ files, gates });
    world.repository.write({ '.gitignore': 'dist\n*.test.js\n' }, world.folder);
    expect(await world.gates.inspectChange({ ...world.story, where: 'workspace' })).toEqual({
      ok: false,
      message: '.gitignore: it now ignores test/a.test.js',
    });
  });

  test('lets a story change what its allowed_changes list', async () => {
    const world = await makeWorld({ files, gates });
    const story = world.store.stories.get('US-001');
    if (story === undefined) throw new Error('no story');
    const allow = (...allowedChanges: readonly string[]) =>
      world.store.stories.set('US-001', { ...story, story: { ...story.story, allowedChanges: [...allowedChanges] } });
    world.repository.write({ 'package.json': '{"scripts":{"test":"jest"}}', 'test/a.test.js': null }, world.folder);
    const inspect = () => world.gates.inspectChange({ ...world.story, where: 'workspace' });
    allow('package.json', 'test/');
    expect(await inspect()).toEqual({ ok: true });
    allow('test/**/*.test.js');
    expect(await inspect()).toMatchObject({ ok: false, message: expect.stringMatching(/^package\.json: [^;]+$/) });
  });

  test('looks at the merged commit against the branch', async () => {
    const world = await makeWorld({ files, gates });
    world.repository.write({ 'test/a.test.js': null, 'src/new.js': '1' }, world.folder);
    const commit = await world.workspace.commitStory(world.story);
    if (commit.kind !== 'committed') throw new Error(commit.kind);
    await world.workspace.mergeStory({ ...world.story, commit: commit.commit });
    expect(await world.gates.inspectChange({ ...world.story, where: 'merged', commit: commit.commit })).toEqual({
      ok: false,
      message: 'test/a.test.js: a test file was deleted',
    });
    expect(world.store.checks[0]?.commit).toBe(commit.commit);
  });
});

describe('verification', () => {
  async function serve(): Promise<string> {
    const server = createServer((request, response) => {
      if (request.url === '/slow') return;
      response.statusCode = request.url === '/missing' ? 404 : 200;
      response.end(`${request.method} hello`);
    });
    servers.push(server);
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return `http://127.0.0.1:${address.port}`;
  }

  test('passes when every step of every kind does', async () => {
    const url = await serve();
    const world = await makeWorld({
      files: { 'docs/ü.md': 'x', 'docs/deep/b.md': 'x' },
      steps: [
        {
          type: 'shell',
          command: 'echo built; mkdir -p out/x; echo 1 > out/x/a.js',
          expectOutputContains: ['built'],
          expectFilesGlob: ['out/**/*.js'],
        },
        { type: 'shell', command: 'ls', cwd: 'docs/deep', expectOutputContains: ['b.md'], expectFilesGlob: ['*.md'] },
        { type: 'file_exists', path: 'docs/ü.md' },
        { type: 'file_exists', path: 'docs' },
        { type: 'file_exists', path: 'docs/**/*.md', glob: true },
        { type: 'url', url, expectBodyContains: ['GET hello'] },
        { type: 'url', url: `${url}/missing`, method: 'POST', expectStatus: 404, expectBodyContains: ['POST'] },
      ],
    });
    expect(await world.verify()).toEqual({
      ok: true,
      verdict: 'ok',
      exitCode: 0,
      durationMs: expect.any(Number),
      summary: '',
    });
    expect(world.store.checks[0]).toMatchObject({ name: 'verification', ok: true });
    expect(world.store.events[0]).toMatchObject({ kind: 'gate-ended', body: { gate: 'verification', ok: true } });
  });

  test('runs all steps and joins what failed', async () => {
    const url = await serve();
    const world = await makeWorld({
      steps: [
        { type: 'shell', command: 'echo oops; exit 2' },
        { type: 'shell', command: 'echo a', expectOutputContains: ['b'] },
        { type: 'shell', command: 'true', expectFilesGlob: ['*.js'] },
        { type: 'file_exists', path: 'README.md' },
        { type: 'file_exists', path: 'gone.txt' },
        { type: 'url', url: `${url}/missing` },
      ],
    });
    expect(await world.verify()).toMatchObject({
      ok: false,
      exitCode: 1,
      summary: `step 1: echo oops; exit 2: oops; step 2: the output does not contain "b"; step 3: no file matches *.js; step 5: there is no file gone.txt; step 6: GET ${url}/missing answered 404, not 200`,
    });
    const log = world.store.blobs.get(world.store.checks[0]?.log ?? '');
    expect(log).toContain('── step 1\n$ echo oops; exit 2\noops\nfailed: echo oops; exit 2: oops\n');
    expect(log).toContain('── step 4\nREADME.md exists\nok\n');
  });

  test('a server that does not answer is a failed step', async () => {
    const url = await serve();
    const world = await makeWorld({
      steps: [
        { type: 'url', url: `${url}/slow`, timeoutSecs: 0.2 },
        { type: 'url', url: 'http://127.0.0.1:1/' },
        { type: 'url', url: 'not a url' },
      ],
    });
    const { summary } = await world.verify();
    expect(summary).toMatch(
      /^step 1: GET \S+: no answer within 0\.2 s; step 2: GET \S+: .+; step 3: GET not a url: .+/,
    );
  });

  test('looks at nothing outside the workspace', async () => {
    const world = await makeWorld({
      steps: [
        { type: 'file_exists', path: '../../../README.md' },
        { type: 'file_exists', path: '/etc/hostname' },
        { type: 'file_exists', path: '../../../*.md', glob: true },
        { type: 'file_exists', path: 'out/hosts', glob: false },
        { type: 'file_exists', path: 'out/*', glob: true },
        { type: 'shell', command: 'pwd', cwd: '../..' },
      ],
    });
    symlinkSync('/etc', path.join(world.folder, 'out'));
    mkdirSync(path.join(world.folder, 'in'));
    const { ok, summary } = await world.verify();
    expect(ok).toBe(false);
    expect(summary.match(/step \d/g)).toEqual(['step 1', 'step 2', 'step 3', 'step 4', 'step 5', 'step 6']);
  });

  test('of many failed steps all are named within 300 characters', async () => {
    const world = await makeWorld({
      steps: Array.from({ length: 5 }, (_, index) => ({ type: 'file_exists', path: `${'long/'.repeat(30)}${index}` })),
    });
    const { summary } = await world.verify();
    expect(summary.length).toBeLessThanOrEqual(300);
    expect(summary.match(/step \d/g)).toHaveLength(5);
  });
});
