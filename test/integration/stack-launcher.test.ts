import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const bin = fileURLToPath(new URL('../../bin', import.meta.url));
/** As on a fresh machine: another, older Node and no Node of ours. */
const path = '/usr/bin:/bin';
let base: string;
let root: string;
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'codetether-launcher-')));
  root = join(base, 'a clone');
  mkdirSync(root);
  cpSync(bin, join(root, 'bin'), { recursive: true });
});
afterEach(async () => {
  await rm(base, { recursive: true, force: true });
});

function script(file: string, text: string): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, 0o755);
  return file;
}

function run(
  command: string,
  args: readonly string[] = [],
  options: { readonly PATH?: string; readonly cwd?: string } = {},
) {
  const { stdout, stderr, status } = spawnSync(command, [...args], {
    cwd: options.cwd ?? '/',
    env: { PATH: options.PATH ?? path, HOME: base },
    encoding: 'utf8',
  });
  return { stdout, stderr, status };
}

function installNode(folder: string): void {
  mkdirSync(join(folder, 'node_modules/node/bin'), { recursive: true });
  symlinkSync(process.execPath, join(folder, 'node_modules/node/bin/node'));
}

describe('bin/codetether', () => {
  beforeEach(() => {
    script(
      join(root, 'dist/cli/main.js'),
      'console.log(JSON.stringify([process.versions.node, ...process.argv.slice(2)])); process.exitCode = 7;',
    );
  });
  const said = JSON.stringify([process.versions.node, 'one arg', '--flag']);

  it("runs the program with the project's own Node, its arguments and its exit status", () => {
    installNode(root);
    expect(run(join(root, 'bin/codetether'), ['one arg', '--flag'])).toEqual({
      stdout: `${said}\n`,
      stderr: '',
      status: 7,
    });
  });

  it('finds itself through links, relative ones too, and by a relative name', () => {
    installNode(root);
    mkdirSync(join(base, 'links'));
    symlinkSync('../a clone/bin/codetether', join(base, 'links/first'));
    symlinkSync(join(base, 'links/first'), join(base, 'second'));
    expect(run(join(base, 'second'), ['one arg', '--flag']).stdout).toBe(`${said}\n`);
    expect(run('bin/codetether', ['one arg', '--flag'], { cwd: root }).stdout).toBe(`${said}\n`);
    expect(run('second', ['one arg', '--flag'], { PATH: `${base}:${path}` }).stdout).toBe(`${said}\n`);
  });

  it('takes the Node that npm has put into a folder above the package', () => {
    const installed = join(base, 'lib/node_modules/codetether');
    mkdirSync(dirname(installed), { recursive: true });
    cpSync(root, installed, { recursive: true });
    installNode(join(base, 'lib'));
    expect(run(join(installed, 'bin/codetether'), ['one arg', '--flag']).stdout).toBe(`${said}\n`);
  });

  it('takes a Node on PATH only when that is new enough', () => {
    const folder = dirname(process.execPath);
    expect(run(join(root, 'bin/codetether'), ['one arg', '--flag'], { PATH: `${folder}:${path}` }).stdout).toBe(
      `${said}\n`,
    );
    script(join(base, 'old/node'), '#!/bin/sh\necho false\n');
    const failure = run(join(root, 'bin/codetether'), [], { PATH: `${base}/old:${path}` });
    expect(failure).toMatchObject({ stdout: '', status: 1 });
    expect(failure.stderr).toContain('error: codetether needs Node 24 or newer');
  });

  it('says what to run when there is no build', async () => {
    await rm(join(root, 'dist'), { recursive: true });
    const failure = run(join(root, 'bin/codetether'));
    expect(failure).toEqual({
      stdout: '',
      stderr: `error: codetether is not built yet\nRun: cd ${root} && npm run setup\n`,
      status: 1,
    });
  });
});

describe('bin/setup', () => {
  const calls = (): string => readFileSync(join(base, 'calls'), 'utf8');
  beforeEach(() => {
    writeFileSync(join(base, 'calls'), '');
    writeFileSync(join(root, 'package-lock.json'), '{}');
    // Stands in for npm: "installs" our Node, and says on which PATH it was run.
    script(
      join(base, 'tools/npm'),
      `#!/bin/sh
echo "npm $* PATH=$PATH" >> '${base}/calls'
mkdir -p node_modules/node/bin node_modules/.bin
ln -sf '${process.execPath}' node_modules/node/bin/node
`,
    );
    writeFileSync(
      join(root, 'bin/build.mjs'),
      `import fs from 'node:fs'; fs.appendFileSync('${base}/calls', 'build\\n');`,
    );
  });
  const setup = () => run('sh', ['bin/setup'], { cwd: root, PATH: `${root}/node_modules/.bin:${base}/tools:${path}` });

  it('installs the packages once, again when the lock file has changed, and is quiet otherwise', () => {
    expect(setup()).toEqual({
      stdout: '',
      stderr: 'setup: installing packages (about a minute the first time)\n',
      status: 0,
    });
    // npm must not run on the Node that it replaces.
    expect(calls()).toBe(
      `npm install --no-save --no-audit --no-fund --no-update-notifier --loglevel=error PATH=${base}/tools:${path}\nbuild\n`,
    );
    expect(setup()).toEqual({ stdout: '', stderr: '', status: 0 });
    expect(calls().split('\n')).toHaveLength(4);
    appendFileSync(join(root, 'package-lock.json'), '\n');
    expect(setup().stderr).toContain('installing packages');
  });

  it('takes packages that were installed by hand as they are', () => {
    installNode(root);
    writeFileSync(join(root, 'node_modules/.package-lock.json'), '{}');
    utimesSync(join(root, 'package-lock.json'), 1, 1);
    expect(setup()).toEqual({ stdout: '', stderr: '', status: 0 });
    expect(calls()).toBe('build\n');
  });

  it('says what to do when npm was not allowed to put the Node program in place', () => {
    script(join(base, 'tools/npm'), '#!/bin/sh\nmkdir -p node_modules\n');
    const failure = setup();
    expect(failure.status).toBe(1);
    expect(failure.stderr).toContain('npm rebuild node');
  });
});
