import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram } from './cli-fake-api.ts';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'codetether-cli-')));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const codetether = (args: readonly string[], environment: { readonly [name: string]: string } = {}) =>
  runProgram(args, {
    cwd: folder,
    environment: { CODETETHER_API_SOCKET: join(folder, 'nobody.sock'), ...environment },
  });
const write = (name: string, content: unknown) =>
  writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
const prd = (change: object = {}) => ({
  project: 'todo-cli',
  feature: 'due dates',
  branch_name: 'feature/due-dates',
  quality_checks: { test: 'npm test' },
  user_stories: [
    { id: 'US-001', title: 'Store due dates', description: 'x', acceptance_criteria: ['y'], depends_on: [] },
    { id: 'US-002', title: 'Parse "fri"', description: 'x', acceptance_criteria: ['y'], depends_on: ['US-001'] },
    {
      id: 'US-003',
      title: 'Overdue in red',
      description: 'x',
      acceptance_criteria: ['y'],
      depends_on: ['US-001'],
      passes: true,
    },
  ],
  ...change,
});
const git = (...args: string[]) => execFileSync('git', args, { cwd: folder });

describe('the command line', () => {
  it.each([
    [
      ['run', '--max-iterations', 'many'],
      "option '--max-iterations <n>' argument 'many' is invalid. It must be a whole number from 1.",
    ],
    [
      ['run', '--max-concurrent', '65'],
      "option '--max-concurrent <n>' argument '65' is invalid. It must be 64 or less.",
    ],
    [
      ['run', '--max-cost', '-1'],
      "option '--max-cost <usd>' argument '-1' is invalid. It must be an amount in US dollars: 2 or 0.50.",
    ],
    [
      ['run', '--max-tokens', '4x'],
      "option '--max-tokens <n>' argument '4x' is invalid. It must be a number of tokens: 400000, 400k or 1.5M.",
    ],
    [
      ['run', '--max-time', 'soon'],
      "option '--max-time <time>' argument 'soon' is invalid. It must be a time such as 2h30m, 45m or 90s.",
    ],
    [
      ['run', '--output-format', 'xml'],
      "option '--output-format <format>' argument 'xml' is invalid. Allowed choices are text, json, stream-json.",
    ],
    [
      ['attach', '--since-seq', '-3'],
      "option '--since-seq <n>' argument '-3' is invalid. It must be a seq of an event, 0 or more.",
    ],
    [['run', '--modle', 'x'], "unknown option '--modle'"],
    [['list', 'a', 'b'], 'too many arguments'],
    [['rnu'], "unknown command 'rnu'"],
  ])('%j is refused with what was expected', async (args, message) => {
    const { code, stdout, stderr } = await codetether(['ralph', ...args]);
    expect(stderr).toContain(message);
    expect(stderr).toContain('[usage]');
    expect([code, stdout]).toEqual([2, '']);
  });

  it('has help with a sentence, examples, exit codes and where to read more', async () => {
    for (const name of [
      'run',
      'attach',
      'status',
      'list',
      'logs',
      'pause',
      'resume',
      'reload',
      'retry',
      'stop',
      'cancel',
      'validate',
      'create-prd',
    ]) {
      const { code, stdout } = await codetether(['ralph', name, '--help']);
      expect(code, name).toBe(0);
      expect(stdout.match(/^ {2}codetether ralph /gm)?.length, name).toBe(3);
      expect(stdout, name).toMatch(/\nExit codes:\n {2}0 /);
      expect(stdout, name).toContain('More: docs/ralph.md');
      expect(Math.max(...stdout.split('\n').map((line) => line.length)), name).toBeLessThanOrEqual(80);
    }
  });
});

describe('run, before anything is started', () => {
  beforeEach(() => write('prd.json', prd()));
  const model = ['--model', 'anthropic/NAME'];

  it('says how to name a model', async () => {
    const { code, stderr } = await codetether(['ralph', 'run']);
    expect(code).toBe(2);
    expect(stderr).toContain('no model is named');
    expect(stderr).toContain('export CODETETHER_DEFAULT_MODEL=anthropic/NAME');
  });

  it('refuses what is not a model', async () => {
    const { code, stderr } = await codetether(['ralph', 'run'], { CODETETHER_DEFAULT_MODEL: 'gpt' });
    expect([code, stderr.includes('"gpt" is not a model'), stderr.includes('[model-unknown]')]).toEqual([
      2,
      true,
      true,
    ]);
  });

  it('refuses a PRD that is not there, not JSON, a folder, or outside of a repository', async () => {
    const told = async (file: string) => {
      const { code, stderr } = await codetether(['ralph', 'run', ...model, '--prd', file]);
      return [code, stderr.split('\n')[0], /\[([a-z-]+)\]/.exec(stderr)?.[1]];
    };
    write('broken.json', '{ "project": ');
    mkdirSync(join(folder, 'plans'));
    expect(await told('nothing.json')).toEqual([
      2,
      `error: There is no PRD file ${join(folder, 'nothing.json')}.`,
      'prd-missing',
    ]);
    expect(await told('broken.json')).toEqual([2, `error: ${join(folder, 'broken.json')} is not JSON.`, 'prd-invalid']);
    expect(await told('plans')).toEqual([2, `error: ${join(folder, 'plans')} is not a file.`, 'prd-missing']);
    expect(await told('prd.json')).toEqual([
      2,
      `error: the PRD is not in a git repository: ${join(folder, 'prd.json')}`,
      'not-a-repository',
    ]);
  });

  it('refuses stories that nothing checks, unless told to accept them', async () => {
    git('init', '--quiet');
    write('prd.json', prd({ quality_checks: {} }));
    const { code, stderr } = await codetether(['ralph', 'run', ...model]);
    expect(code).toBe(2);
    expect(stderr).toContain('no check: US-001, US-002\n');
    expect(stderr).toContain('--allow-unchecked');
  });
});

describe('validate', () => {
  it('prints the stages', async () => {
    write('prd.json', prd());
    const { code, stdout } = await codetether(['ralph', 'validate']);
    expect(code).toBe(0);
    expect(stdout.split('\n').slice(0, 4)).toEqual([
      '✓ prd.json is usable: 3 stories in 2 stages, gates test, branch feature/due-dates',
      '  stage 1   US-001  Store due dates',
      '  stage 2   US-002  Parse "fri"  after US-001',
      '            US-003  Overdue in red  after US-001  (has passed)',
    ]);
    write('prd.json', prd({ quality_checks: {} }));
    expect((await codetether(['ralph', 'validate'])).stdout).toContain('no verification steps, so nothing checks them');
  });

  it('reads YAML', async () => {
    write(
      'login.yaml',
      'project: shop\nfeature: login\nquality_checks: { test: npm test }\nuser_stories:\n  - { id: L-1, title: Sign in, description: x }\n',
    );
    const { code, stdout } = await codetether(['ralph', 'validate', 'login.yaml', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      schema_version: 1,
      valid: true,
      branch: 'feature/login',
      gates: ['test'],
      stages: [['L-1']],
    });
  });

  it('names every problem with its place', async () => {
    write(
      'prd.json',
      prd({
        user_stories: [
          { id: '../../x', title: 'a', description: 'x', depends_on: ['US-0O2'] },
          { id: 'US-002', title: '', description: 'x' },
        ],
      }),
    );
    const text = await codetether(['ralph', 'validate']);
    expect(text.code).toBe(2);
    expect(text.stderr).toContain('user_stories[0].id: "../../x" must be letters, digits, dot, dash, underscore');
    expect(text.stderr).toContain('user_stories[0].depends_on[0]: "US-0O2" is not a story; did you mean US-002?');
    expect(text.stderr).toContain('user_stories[1].title: is empty');
    expect(text.stderr).toContain('[prd-invalid]');
    const json = await codetether(['ralph', 'validate', '--json']);
    expect([json.code, json.stderr]).toEqual([2, '']);
    const told = JSON.parse(json.stdout) as { valid: boolean; code: string; problems: string[] };
    expect([told.valid, told.code, told.problems.length]).toEqual([false, 'prd-invalid', 3]);
  });
});

describe('create-prd', () => {
  const checksFor = async (files: { readonly [name: string]: unknown }, programs: readonly string[] = []) => {
    for (const [name, content] of Object.entries(files)) write(name, content);
    const bin = join(folder, '.bin');
    mkdirSync(bin);
    for (const program of programs) writeFileSync(join(bin, program), '', { mode: 0o755 });
    const { stdout } = await codetether(['ralph', 'create-prd', '--stdout'], { PATH: bin });
    return (JSON.parse(stdout) as { quality_checks: unknown }).quality_checks;
  };

  it('fits a Node repository', async () => {
    const scripts = { test: 'node --test', lint: 'oxlint', build: 'tsc' };
    expect(await checksFor({ 'package.json': { scripts }, 'tsconfig.json': {}, 'pnpm-lock.yaml': '' })).toEqual({
      typecheck: 'npx tsc --noEmit',
      lint: 'pnpm run lint',
      test: 'pnpm test',
      build: 'pnpm run build',
    });
  });

  it('fits a Rust repository', async () => {
    expect(await checksFor({ 'Cargo.toml': '' })).toEqual({
      typecheck: 'cargo check',
      lint: 'cargo clippy -- -D warnings',
      test: 'cargo test',
      build: 'cargo build',
    });
  });

  it('fits a Go repository', async () => {
    expect(await checksFor({ 'go.mod': '' })).toEqual({
      typecheck: 'go vet ./...',
      test: 'go test ./...',
      build: 'go build ./...',
    });
  });

  it('fits a Python repository, by what is installed', async () => {
    expect(await checksFor({ 'pyproject.toml': '' }, ['pytest', 'ruff'])).toEqual({
      lint: 'ruff check .',
      test: 'pytest',
    });
  });

  it('writes a PRD that validates, and overwrites none', async () => {
    git('init', '--quiet');
    write('go.mod', '');
    const made = await codetether(['ralph', 'create-prd', '-f', 'Add due dates']);
    expect([made.code, made.stdout]).toEqual([0, 'prd.json\n']);
    expect(made.stderr).toContain('run     codetether ralph run --prd prd.json\n');
    const written = readFileSync(join(folder, 'prd.json'), 'utf8');
    expect(JSON.parse(written)).toMatchObject({
      project: basename(folder),
      feature: 'Add due dates',
      branch_name: 'feature/add-due-dates',
    });
    expect((await codetether(['ralph', 'validate'])).code).toBe(0);
    const again = await codetether(['ralph', 'create-prd', '-f', 'something else']);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('prd.json is there already');
    expect(readFileSync(join(folder, 'prd.json'), 'utf8')).toBe(written);
    expect((await codetether(['ralph', 'create-prd', '-f', 'something else', '--force'])).code).toBe(0);
    expect(readFileSync(join(folder, 'prd.json'), 'utf8')).toContain('something else');
  });

  it('says where it cannot write', async () => {
    const { code, stderr } = await codetether(['ralph', 'create-prd', '-o', 'plans/prd.json']);
    expect(code).toBe(2);
    expect(stderr).toContain('plans/prd.json cannot be written');
  });
});
