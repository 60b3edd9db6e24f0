import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TestRepository } from '../support/repository.ts';
import { makeToolWorkspace, type ToolWorkspace } from '../support/tool-workspace.ts';

let workspace: ToolWorkspace;
let repository: TestRepository;
let root: string;
let lines: string[];
let abort: AbortController;

beforeEach(async () => {
  workspace = await makeToolWorkspace();
  ({ repository, root, lines, abort } = workspace);
});

afterEach(() => {
  workspace.remove();
});

const run: ToolWorkspace['run'] = (name, given) => workspace.run(name, given);
const write: ToolWorkspace['write'] = (files) => workspace.write(files);
const file: ToolWorkspace['file'] = (name) => workspace.file(name);
const leftovers: ToolWorkspace['leftovers'] = () => workspace.leftovers();

describe('read', () => {
  test('gives numbered lines', async () => {
    write({ 'a b.txt': '\ufeffone\r\ntwo\r\n\r\nfour' });
    expect(await run('read', { path: 'a b.txt' })).toEqual({
      ok: true,
      output: '   1| one\n   2| two\n   3| \n   4| four',
    });
    expect((await run('read', { path: 'a b.txt', offset: 2, limit: 1 })).output).toBe(
      '   2| two\n[lines 2 to 2 of 4; go on with offset=3]',
    );
    expect((await run('read', { path: 'a b.txt', offset: 4 })).output).toBe('   4| four');
  });

  test('cuts a long file at a whole line and says how to go on, to the last line', async () => {
    const all = Array.from({ length: 5000 }, (_, index) => `line ${index + 1}`);
    write({ 'long.txt': `${all.join('\n')}\n` });
    const seen: string[] = [];
    for (let offset = 1; ;) {
      const { output } = await run('read', { path: 'long.txt', offset });
      expect(output.length).toBeLessThanOrEqual(30_000);
      seen.push(...output.split('\n').filter((line) => !line.startsWith('[')));
      const next = /go on with offset=(\d+)\]$/.exec(output)?.[1];
      if (next === undefined) break;
      offset = Number(next);
    }
    expect(seen.map((line) => line.replace(/^ *\d+\| /, ''))).toEqual(all);
  });

  test('cuts a long line', async () => {
    write({ 'min.js': `${'é'.repeat(300_000)}\nend\n` });
    const { output } = await run('read', { path: 'min.js' });
    expect(output.length).toBeLessThan(3000);
    expect(output).toContain('298000 more characters in this line');
    expect(output.endsWith('\n   2| end')).toBe(true);
  });

  test('reads a part of a file that is too large to read whole', async () => {
    write({ 'big.log': 'x'.repeat(99).concat('\n').repeat(120_000) });
    expect(await run('read', { path: 'big.log' })).toMatchObject({ ok: false });
    expect((await run('read', { path: 'big.log' })).output).toContain('12000000 bytes, which is too much');
    const part = await run('read', { path: 'big.log', offset: 100_000, limit: 2 });
    expect(part.output).toMatch(
      /^100000\| x+\n100001\| x+\n\[lines 100000 to 100001 of more; go on with offset=100002\]$/,
    );
  });

  test.each([
    ['image.png', 'is a binary file of 4 bytes'],
    ['src', 'is a folder; use list'],
    ['fifo', 'is not a regular file'],
    ['none.txt', 'there is no file none.txt'],
    ['src/ad.js', 'there is src/add.js'],
    ['README.md/x', 'a part of the path is a file'],
    ['../../../../outside', 'is not inside the workspace'],
    ['far', 'past its end'],
    ['x'.repeat(300), 'the name is too long'],
  ])('refuses %s', async (name, reason) => {
    writeFileSync(path.join(root, 'image.png'), Buffer.from([0x89, 0, 1, 2]));
    execFileSync('mkfifo', [path.join(root, 'fifo')]);
    write({ far: 'a\n' });
    const outcome = await run('read', { path: name, ...(name === 'far' ? { offset: 5 } : {}) });
    expect(outcome.ok).toBe(false);
    expect(outcome.output).toContain(reason);
  });

  test('shows bytes that are not UTF-8 as such, and an empty file as empty', async () => {
    writeFileSync(path.join(root, 'latin1.txt'), Buffer.from('gr\xf6\xdfe\n', 'latin1'));
    write({ 'empty.txt': '' });
    expect((await run('read', { path: 'latin1.txt' })).output).toBe('   1| gr\ufffd\ufffde');
    expect((await run('read', { path: 'empty.txt' })).output).toBe('(empty.txt is empty)');
  });
});

describe('write', () => {
  test('makes folders and files, replaces what is there, keeps its mode, leaves nothing beside it', async () => {
    expect((await run('write', { path: 'new/größe/a.txt', content: 'a\nb\n' })).output).toBe(
      'created new/größe/a.txt (2 lines, 4 bytes)',
    );
    write({ 'run.sh': 'old' });
    chmodSync(path.join(root, 'run.sh'), 0o775);
    expect((await run('write', { path: 'run.sh', content: 'new' })).output).toBe('replaced run.sh (1 lines, 3 bytes)');
    expect(file('run.sh')).toBe('new');
    expect(statSync(path.join(root, 'run.sh')).mode & 0o777).toBe(0o775);
    expect((await run('write', { path: 'run.sh', content: 'new' })).output).toBe('run.sh has this content already');
    expect(leftovers()).toEqual([]);
  });

  test('writes through a link inside the workspace, never out of it', async () => {
    symlinkSync('src/add.js', path.join(root, 'inner.js'));
    symlinkSync(repository.top, path.join(root, 'outer'));
    expect(await run('write', { path: 'inner.js', content: 'x' })).toMatchObject({ ok: true });
    expect(file('src/add.js')).toBe('x');
    expect(await run('write', { path: 'outer/README.md', content: 'x' })).toEqual({
      ok: false,
      output: 'error: "outer/README.md" leads out of the workspace through a link',
    });
    expect(readFileSync(path.join(repository.top, 'README.md'), 'utf8')).toBe('# sums\n');
  });

  test('refuses folders, the git file and linked dependencies, and leaves no temporary file', async () => {
    mkdirSync(path.join(repository.top, 'node_modules'));
    writeFileSync(path.join(repository.top, 'node_modules', 'x.js'), 'dep');
    symlinkSync(path.join(repository.top, 'node_modules'), path.join(root, 'node_modules'));
    for (const target of ['src', '.git', '.git/config', 'node_modules/x.js', 'README.md/x'])
      expect(await run('write', { path: target, content: 'x' }), target).toMatchObject({ ok: false });
    expect((await run('read', { path: 'node_modules/x.js' })).output).toBe('   1| dep');
    expect(readFileSync(path.join(repository.top, 'node_modules', 'x.js'), 'utf8')).toBe('dep');
    expect(leftovers()).toEqual([]);
  });
});

describe('edit', () => {
  test('replaces one place and shows it', async () => {
    write({ 'a.js': 'one\ntwo\nthree\nfour\nfive\nsix\n' });
    chmodSync(path.join(root, 'a.js'), 0o700);
    expect(await run('edit', { path: 'a.js', old_string: 'four', new_string: 'vier' })).toMatchObject({
      ok: true,
      output: 'edited a.js\n   1| one\n   2| two\n   3| three\n   4| vier\n   5| five\n   6| six\n   7| ',
      changedFiles: [{ relative: 'a.js', change: 'changed' }],
    });
    expect(statSync(path.join(root, 'a.js')).mode & 0o777).toBe(0o700);
    expect(leftovers()).toEqual([]);
  });

  test('keeps CRLF and bytes that it does not understand', async () => {
    writeFileSync(path.join(root, 'dos.txt'), Buffer.from('gr\xf6\xdfe\r\nb\r\nc\r\n', 'latin1'));
    await run('edit', { path: 'dos.txt', old_string: 'b\nc', new_string: 'x\ny\nz' });
    expect(readFileSync(path.join(root, 'dos.txt'))).toEqual(Buffer.from('gr\xf6\xdfe\r\nx\r\ny\r\nz\r\n', 'latin1'));
  });

  test('says that it took a block that differs in blanks', async () => {
    write({ 'a.py': 'def f():\n    if x:\n        go()\n' });
    const outcome = await run('edit', { path: 'a.py', old_string: 'if x:\n    go()', new_string: 'if y:\n    stop()' });
    expect(outcome.output).toContain(
      'edited a.py (match: indentation; the block differed from old_string in the indentation of the whole block; check it)',
    );
    expect(file('a.py')).toBe('def f():\n    if y:\n        stop()\n');
  });

  test('changes nothing when it cannot be sure', async () => {
    write({ 'a.js': 'const total = sum(items);\nx\nx\n' });
    expect((await run('edit', { path: 'a.js', old_string: 'x', new_string: 'y' })).output).toBe(
      'error: old_string is 2 times in a.js (lines 2, 3); give more of the text around it, or set replace_all. Nothing was changed.',
    );
    expect((await run('edit', { path: 'a.js', old_string: 'const total = add(items);', new_string: 'y' })).output).toBe(
      'error: old_string is not in a.js. Nothing was changed. The closest is at line 1:\nconst total = sum(items);',
    );
    expect((await run('edit', { path: 'none.js', old_string: 'x', new_string: 'y' })).output).toContain(
      'there is no such file or folder',
    );
    expect((await run('edit', { path: 'a.js', old_string: 'x', new_string: 'x' })).output).toContain('nothing to do');
    expect(file('a.js')).toBe('const total = sum(items);\nx\nx\n');
    expect((await run('edit', { path: 'a.js', old_string: 'x', new_string: 'z', replace_all: true })).output).toContain(
      'replaced 2 places in a.js',
    );
  });
});

describe('bash', () => {
  test('gives the output, what the exit code was, and the lines as they come', async () => {
    const ran = async (command: string) => {
      const { commands, ...outcome } = await run('bash', { command });
      return { ...outcome, exitCodes: commands?.map(({ exitCode }) => exitCode) };
    };
    expect(await ran('echo out; echo err >&2')).toEqual({ ok: true, output: 'out\nerr', exitCodes: [0] });
    expect(await ran('echo no; exit 3')).toEqual({ ok: false, output: 'no\n[exit code 3]', exitCodes: [3] });
    expect(await ran('true')).toEqual({ ok: true, output: '(no output)', exitCodes: [0] });
    expect(await ran('kill -9 $$')).toEqual({ ok: false, output: '[ended by SIGKILL]', exitCodes: [null] });
    expect(lines).toEqual(['out', 'err', 'no']);
  });

  test('runs in the workspace or a folder of it, without secrets, input or terminal', async () => {
    expect((await run('bash', { command: 'pwd -P' })).output).toBe(root);
    expect((await run('bash', { command: 'ls', cwd: 'src' })).output).toBe('add.js');
    expect((await run('bash', { command: 'ls', cwd: '..' })).output).toContain('is not inside the workspace');
    expect((await run('bash', { command: 'ls', cwd: 'README.md' })).output).toContain('is not a folder');
    expect((await run('bash', { command: 'echo "$OPENAI_API_KEY|$CI|$TERM"; cat; tty' })).output).toBe(
      '|1|dumb\nnot a tty\n[exit code 1]',
    );
  });

  test('cuts long output in the middle', async () => {
    const { output } = await run('bash', { command: 'seq 1 100000' });
    expect(output.length).toBeLessThan(30_300);
    expect(output.startsWith('1\n2\n')).toBe(true);
    expect(output.endsWith('\n100000')).toBe(true);
    expect(output).toMatch(/\[… \d{6} characters cut here; to see them, run it again into a file/);
  });

  test('ends with its time, and all that it started with it', async () => {
    const outcome = await run('bash', { command: '(sleep 60; touch late) & echo started; sleep 60', timeout: 1 });
    expect(outcome.ok).toBe(false);
    expect(outcome.output).toBe(
      'started\n[ended after 1 s, with all it had started; a larger timeout may be given, up to 600]',
    );
    expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain('touch late');
  });

  test('ends at once when it is cancelled, without an outcome', async () => {
    const running = run('bash', { command: 'sleep 60' });
    setTimeout(() => abort.abort(new Error('the run was cancelled')), 100);
    await expect(running).rejects.toThrow('the run was cancelled');
  });
});

describe('glob, grep and list', () => {
  test('see tracked and new files, not ignored or deleted ones', async () => {
    write({ 'new.js': 'x', 'ignored/x.js': 'x', '.hidden/a.js': 'x', 'README.md': null });
    expect((await run('glob', { pattern: '*.js' })).output).toBe('.hidden/a.js\nnew.js\nsrc/add.js');
    expect((await run('glob', { pattern: '*.md' })).output).toBe('no file matches *.md');
    expect((await run('glob', { pattern: '**/*.js', limit: 2 })).output).toBe(
      '.hidden/a.js\nnew.js\n[1 more; narrow the pattern or raise limit]',
    );
    expect((await run('glob', { pattern: '{a,b}'.repeat(20) })).output).toContain('too many alternatives');
  });

  test('grep finds plain text, with context, in a folder, by name', async () => {
    write({ 'a.txt': 'one\ntwo.\nthree\nfour\ntwo.five\n', 'src/b.js': 'two.\n' });
    expect((await run('grep', { pattern: 'two.' })).output).toBe('a.txt:2: two.\na.txt:5: two.five\nsrc/b.js:1: two.');
    expect((await run('grep', { pattern: 'two.', path: 'src' })).output).toBe('src/b.js:1: two.');
    expect((await run('grep', { pattern: 'two.', path: 'a.txt', limit: 1 })).output).toBe(
      'a.txt:2: two.\n[the first 1 matching lines; narrow the search or raise limit]',
    );
    expect((await run('grep', { pattern: 'two.', include: '*.js' })).output).toBe('src/b.js:1: two.');
    expect((await run('grep', { pattern: 'two.', path: 'a.txt', context: 1 })).output).toBe(
      'a.txt-1- one\na.txt:2: two.\na.txt-3- three\na.txt-4- four\na.txt:5: two.five',
    );
    expect((await run('grep', { pattern: 'TWO' })).output).toBe('no match in 5 files');
  });

  test('grep takes regular expressions, also when they were not announced, and survives bad ones', async () => {
    write({ 'a.txt': `${'a'.repeat(60)}\nfoo1\nbar\n` });
    expect((await run('grep', { pattern: '^foo\\d$', is_regex: true })).output).toBe('a.txt:2: foo1');
    expect((await run('grep', { pattern: 'foo|bar' })).output).toBe(
      '[as plain text there is no match; these match it as a regular expression]\na.txt:2: foo1\na.txt:3: bar',
    );
    expect((await run('grep', { pattern: '(', is_regex: true })).output).toContain('is not right');
    expect((await run('grep', { pattern: '(' })).output).toContain('src/add.js:1:');
  });

  test('grep shows nothing of binary, large and linked files and says so', async () => {
    writeFileSync(path.join(root, 'bin.dat'), Buffer.from('needle\0'));
    write({ 'large.txt': 'needle\n'.repeat(200_000) });
    symlinkSync('/etc/passwd', path.join(root, 'passwd'));
    expect((await run('grep', { pattern: 'needle' })).output).toMatch(
      /^no match in \d files\n\[1 binary file matches\]\n\[files skipped: 1 larger than 1 MiB\]$/,
    );
    expect((await run('grep', { pattern: 'root:' })).output).toContain('no match');
  });

  test('an expression that takes for ever is ended, and the process goes on meanwhile', async () => {
    write({ 'a.txt': `${'a'.repeat(40)}!\n` });
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1), 50);
    const running = run('grep', { pattern: '^(a+)+$', is_regex: true });
    setTimeout(() => abort.abort(new Error('enough')), 1000);
    await expect(running).rejects.toThrow('enough');
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
  });

  test('list shows one folder', async () => {
    symlinkSync('src', path.join(root, 'link'));
    write({ 'z.txt': '' });
    expect((await run('list', {})).output).toBe('.gitignore\nREADME.md\nlink@ -> src\nsrc/\nz.txt');
    expect((await run('list', { path: 'src' })).output).toBe('add.js');
    expect((await run('list', { path: 'z.txt' })).output).toContain('is a file; use read');
    expect((await run('list', { path: 'none' })).output).toContain('there is no such file or folder');
    mkdirSync(path.join(root, 'empty'));
    expect((await run('list', { path: 'empty' })).output).toBe('(empty is empty)');
    expect(existsSync(path.join(root, '.git'))).toBe(true);
  });
});
