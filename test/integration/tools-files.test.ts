import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { applyChanges } from '../../activities/tools/file-changes.ts';
import { makeToolWorkspace, type ToolWorkspace } from '../support/tool-workspace.ts';

let workspace: ToolWorkspace;
let root: string;

beforeEach(async () => {
  workspace = await makeToolWorkspace();
  root = workspace.root;
});

afterEach(() => {
  expect(workspace.leftovers()).toEqual([]);
  workspace.remove();
});

const run: ToolWorkspace['run'] = (name, given) => workspace.run(name, given);
const write: ToolWorkspace['write'] = (files) => workspace.write(files);
const file: ToolWorkspace['file'] = (name) => workspace.file(name);
const patch = (text: string, preview = false) => run('apply_patch', { patch: text, preview });

describe('edit and multiedit', () => {
  test('a preview shows the diff and changes nothing', async () => {
    write({ 'a.js': 'one\ntwo\n' });
    const edit = { path: 'a.js', old_string: 'two', new_string: 'zwei' };
    expect(await run('edit', { ...edit, preview: true })).toEqual({
      ok: true,
      output: 'preview, nothing was changed\n--- a/a.js\n+++ b/a.js\n@@ -1,2 +1,2 @@\n one\n-two\n+zwei',
    });
    expect(file('a.js')).toBe('one\ntwo\n');
  });

  test('edits of several files are made together, those of one file on top of each other', async () => {
    write({ 'a.js': 'one\ntwo\n', 'b.js': 'x\r\ny\r\n' });
    const outcome = await run('multiedit', {
      edits: [
        { path: 'a.js', old_string: 'two', new_string: 'zwei' },
        { path: 'b.js', old_string: 'x\n', new_string: 'z\nz\n' },
        { path: 'a.js', old_string: 'one\nzwei', new_string: 'eins\ndrei' },
      ],
    });
    expect(outcome).toMatchObject({ ok: true });
    expect(file('a.js')).toBe('eins\ndrei\n');
    expect(file('b.js')).toBe('z\r\nz\r\ny\r\n');
  });

  test('one wrong edit and none is made; every wrong one is named', async () => {
    write({ 'a.js': 'one\n', 'b.js': 'x\nx\n' });
    symlinkSync('/etc', path.join(root, 'out'));
    const outcome = await run('multiedit', {
      edits: [
        { path: 'a.js', old_string: 'one', new_string: 'eins' },
        { path: 'b.js', old_string: 'x', new_string: 'y' },
        { path: 'none.js', old_string: 'x', new_string: 'y' },
        { path: 'out/passwd', old_string: 'root', new_string: 'y' },
      ],
    });
    expect(outcome.ok).toBe(false);
    expect(outcome.output).toContain('nothing was changed:');
    expect(outcome.output).toContain('edit 2: old_string is 2 times in b.js (lines 1, 2)');
    expect(outcome.output).toContain('edit 3: none.js: there is no such file');
    expect(outcome.output).toContain('leads out of the workspace through a link');
    expect([file('a.js'), file('b.js')]).toEqual(['one\n', 'x\nx\n']);
  });

  test('a file that cannot be written takes the written ones back', async () => {
    write({ 'a/1.txt': 'one\n', 'b.txt': 'two\n' });
    chmodSync(path.join(root, 'a/1.txt'), 0o755);
    const place = (name: string) => ({ absolute: path.join(root, name), relative: name });
    const changes = [
      { file: place('a/1.txt'), content: Buffer.from('eins\n'), mode: 0o600 },
      { file: place('b.txt'), content: null },
      { file: place('c/d/new.txt'), content: Buffer.from('x\n') },
      { file: place('src'), content: Buffer.from('a folder is there') },
    ];
    await expect(applyChanges(changes)).rejects.toMatchObject({ code: 'EISDIR' });
    expect([file('a/1.txt'), file('b.txt')]).toEqual(['one\n', 'two\n']);
    expect(statSync(path.join(root, 'a/1.txt')).mode & 0o777).toBe(0o755);
    expect(existsSync(path.join(root, 'c'))).toBe(false);
  });

  test('ignored files are changed alone only: a checkpoint could not put them back', async () => {
    write({ 'a.js': 'one\n', 'ignored/b.js': 'x\n' });
    const ignored = { path: 'ignored/b.js', old_string: 'x', new_string: 'y' };
    const outcome = await run('multiedit', {
      edits: [{ path: 'a.js', old_string: 'one', new_string: 'eins' }, ignored],
    });
    expect(outcome.output).toContain('ignored/b.js is ignored by git');
    expect(file('a.js')).toBe('one\n');
    expect(await run('multiedit', { edits: [ignored] })).toMatchObject({ ok: true });
    expect(file('ignored/b.js')).toBe('y\n');
  });

  test('files that are no text, too large or no files are refused', async () => {
    writeFileSync(path.join(root, 'bin'), Buffer.from([1, 0, 2]));
    write({ big: '' });
    truncateSync(path.join(root, 'big'), 1024 ** 3);
    for (const name of ['bin', 'big', 'src'])
      expect(await run('edit', { path: name, old_string: 'a', new_string: 'b' }), name).toMatchObject({ ok: false });
  });
});

describe('apply_patch', () => {
  const numbers = Array.from({ length: 30 }, (_, index) => `line ${index + 1}`);

  test('makes what git diff shows: changed, new, deleted and renamed files, modes, names that are not plain', async () => {
    write({
      'old.txt': `${numbers.join('\n')}\n`,
      'größe.txt': 'a\n',
      'gone.txt': 'x\n',
      'run.sh': 'x\n',
      'end.txt': 'a',
    });
    const git = (...args: string[]) => execFileSync('git', ['-C', root, ...args], { encoding: 'utf8' });
    git('add', '-A');
    git('-c', 'user.name=x', '-c', 'user.email=x@x', 'commit', '-qm', 'before');
    git('mv', 'old.txt', 'new.txt');
    git('rm', '-q', 'gone.txt');
    write({
      'new.txt': `${numbers.with(4, 'line five').toSpliced(20, 1).join('\n')}\n`,
      'größe.txt': 'b\n-- c\n',
      'added/x.txt': 'x\n',
      'end.txt': 'a\nb\n',
    });
    chmodSync(path.join(root, 'run.sh'), 0o755);
    git('add', '-A');
    const diff = git('diff', '--cached', '-M', 'HEAD');
    const after = git('write-tree');
    git('reset', '-q', '--hard', 'HEAD');
    expect(await patch(diff)).toMatchObject({ ok: true });
    git('add', '-A');
    expect(git('write-tree')).toBe(after);
  });

  test('honours line numbers where the same lines are in several places', async () => {
    write({ 'a.txt': 'x\nsame\ny\nsame\nz\nsame\n' });
    expect(await patch('--- a/a.txt\n+++ b/a.txt\n@@ -4,1 +4,1 @@\n-same\n+other\n')).toMatchObject({ ok: true });
    expect(file('a.txt')).toBe('x\nsame\ny\nother\nz\nsame\n');
  });

  test('says where a hunk was made that was written for other lines', async () => {
    write({ 'a.txt': `${numbers.join('\n')}\n` });
    const outcome = await patch('--- a.txt\n+++ a.txt\n@@ -3,2 +3,2 @@\n line 10\n-line 11\n+line eleven\n');
    expect(outcome.output).toBe('changed a.txt (1 hunks)\n  the hunk was made at line 10, not at 3');
    expect(file('a.txt')).toContain('line 10\nline eleven\nline 12\n');
  });

  test('all or nothing: a hunk that does not fit leaves all files alone and is shown', async () => {
    write({ 'a.txt': 'a\n', 'b.txt': 'b\n' });
    const text = '--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a\n+x\n--- a/b.txt\n+++ b/b.txt\n@@ -1 +1 @@\n-c\n+x\n';
    expect(await patch(text)).toEqual({
      ok: false,
      output:
        'error: nothing was changed:\nb.txt: the hunk does not fit: the patch expects at line 1\n    "c"\nand the file has\n    "b"',
    });
    expect([file('a.txt'), file('b.txt')]).toEqual(['a\n', 'b\n']);
  });

  test('the second of two file headers is not taken for a removed line, also when the counts are wrong', async () => {
    write({ 'a.txt': 'a\n', 'b.txt': 'b\n' });
    const text = '--- a/a.txt\n+++ b/a.txt\n@@ -1,9 +1,9 @@\n-a\n+x\n--- a/b.txt\n+++ b/b.txt\n@@ -1 +1 @@\n-b\n+y\n';
    expect(await patch(text)).toMatchObject({ ok: true });
    expect([file('a.txt'), file('b.txt')]).toEqual(['x\n', 'y\n']);
  });

  test('line ends stay: none at the end, CRLF', async () => {
    write({ 'a.txt': 'a\nb', 'dos.txt': 'a\r\nb\r\n' });
    await patch('--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n-a\n+x\n b\n\\ No newline at end of file\n');
    expect(file('a.txt')).toBe('x\nb');
    await patch('--- a/dos.txt\n+++ b/dos.txt\n@@ -1,2 +1,3 @@\n a\n+x\n b\n');
    expect(file('dos.txt')).toBe('a\r\nx\r\nb\r\n');
  });

  test('takes the envelope: add, delete, move, hunks without numbers, found below a line', async () => {
    write({ 'src/a.js': 'function a() {\n  go();\n}\nfunction b() {\n  go();\n}\n', 'old.txt': 'x\n' });
    const outcome = await patch(
      [
        '*** Begin Patch',
        '*** Add File: docs/new.md',
        '+# New',
        '+',
        '*** Delete File: old.txt',
        '*** Update File: src/a.js',
        '*** Move to: src/b.js',
        '@@ function b() {',
        '-  go();',
        '+  stop();',
        ' }',
        '*** End Patch',
      ].join('\n'),
    );
    expect(outcome.output).toBe('added docs/new.md\ndeleted old.txt\nmoved src/a.js to src/b.js (1 hunks)');
    expect(file('src/b.js')).toBe('function a() {\n  go();\n}\nfunction b() {\n  stop();\n}\n');
    expect(file('docs/new.md')).toBe('# New\n\n');
    expect(existsSync(path.join(root, 'old.txt'))).toBe(false);
    expect(existsSync(path.join(root, 'src/a.js'))).toBe(false);
  });

  test('a hunk of the envelope that fits in two places is refused', async () => {
    write({ 'a.txt': 'x\ny\nx\n' });
    const outcome = await patch('*** Begin Patch\n*** Update File: a.txt\n@@\n-x\n+z\n*** End Patch');
    expect(outcome.output).toContain('fits at lines 1, 3');
    expect(file('a.txt')).toBe('x\ny\nx\n');
  });

  test.each([
    ['nonsense', 'there is no file header'],
    ['*** Begin Patch\n*** Update File: a.txt\n@@\n-a\n+b\n', '*** End Patch is missing'],
    ['--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\nwrong\n', 'at its line 4: each line of a hunk begins'],
    [
      'diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+/etc\n',
      'links and submodules',
    ],
    ['--- /dev/null\n+++ b/../x\n@@ -0,0 +1 @@\n+x\n', 'is not inside the workspace'],
    ['--- /dev/null\n+++ b/.git/hooks/x\n@@ -0,0 +1 @@\n+x\n', 'which tools do not write'],
    ['--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1 @@\n+x\n', 'is there already'],
    ['--- a/none.txt\n+++ b/none.txt\n@@ -1 +1 @@\n-a\n+x\n', 'there is no such file'],
    ['--- a/a.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n', 'it has more than the patch takes away'],
  ])('refuses %j', async (text, reason) => {
    write({ 'a.txt': 'a\nb\n' });
    const outcome = await patch(text);
    expect(outcome.ok).toBe(false);
    expect(outcome.output).toContain(reason);
    expect(file('a.txt')).toBe('a\nb\n');
  });

  test('a preview shows what would become of the files', async () => {
    write({ 'a.txt': 'a\n' });
    const text = '*** Begin Patch\n*** Update File: a.txt\n@@\n-a\n+b\n*** Add File: c.txt\n+c\n*** End Patch';
    expect((await patch(text, true)).output).toBe(
      'preview, nothing was changed\nchanged a.txt (1 hunks)\nadded c.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a\n+b\n--- /dev/null\n+++ b/c.txt\n@@ -0,0 +1 @@\n+c',
    );
    expect(file('a.txt')).toBe('a\n');
    expect(existsSync(path.join(root, 'c.txt'))).toBe(false);
  });
});

describe('looking at files', () => {
  test('fileinfo says what a file is', async () => {
    write({ 'a.txt': 'a\r\nb\r\nc' });
    chmodSync(path.join(root, 'a.txt'), 0o640);
    symlinkSync('a.txt', path.join(root, 'link'));
    writeFileSync(path.join(root, 'bin'), Buffer.from([1, 0, 2]));
    expect((await run('fileinfo', { path: 'a.txt' })).output).toMatch(
      /^a\.txt: file\nmode 0640\nchanged \d{4}-.*Z\n7 bytes\ntext, 3 lines\nlines end in CRLF\nthe last line has no end$/,
    );
    expect((await run('fileinfo', { path: 'link' })).output).toContain('a.txt: file\nreached through a link to a.txt');
    expect((await run('fileinfo', { path: 'bin' })).output).toMatch(/3 bytes\nbinary$/);
    expect((await run('fileinfo', { path: 'src' })).output).toContain('src: folder');
    expect(await run('fileinfo', { path: 'none' })).toMatchObject({ ok: false });
  });

  test('headtail shows both ends, also of a file of 1 TB, of which it reads no more', async () => {
    const line = `${'0123456789'.repeat(5)}\n`;
    write({
      'a.txt': `${Array.from({ length: 100 }, (_, index) => `l${index + 1}`).join('\n')}\n`,
      big: `first\n${line.repeat(1_000)}`,
    });
    expect((await run('headtail', { path: 'a.txt', head: 2, tail: 2 })).output).toBe(
      'first lines of a.txt (392 bytes):\nl1\nl2\nlast lines:\nl99\nl100',
    );
    // The disk holds nothing of its middle.
    truncateSync(path.join(root, 'big'), 1e12);
    appendFileSync(path.join(root, 'big'), `\n${line}`);
    expect((await run('headtail', { path: 'big', head: 1, tail: 1 })).output).toMatch(
      /^first lines of big \(1000000000052 bytes\):\nfirst\nlast lines:\n0123/,
    );
    expect((await run('read', { path: 'big', offset: 2, limit: 1 })).output).toContain('   2| 0123456789');
    expect(await run('read', { path: 'big' })).toMatchObject({ ok: false });
    expect((await run('grep', { pattern: '0123' })).output).toContain('larger than 1 MiB');
  });

  test('tree shows what git does not ignore', async () => {
    write({ 'src/deep/er/x.js': 'x', 'src/deep/er/y.js': '', 'ignored/z.js': '' });
    mkdirSync(path.join(root, 'empty'));
    expect((await run('tree', {})).output).toBe('.gitignore\nREADME.md\nsrc/\n  add.js\n  deep/\n    er/ (2 files)');
    expect((await run('tree', { path: 'src/deep', show_size: true })).output).toBe('er/\n  x.js  1\n  y.js  0');
    expect((await run('tree', { path: 'README.md' })).output).toContain('is a file');
  });

  test('diff compares files, or the workspace with its last commit', async () => {
    write({ 'a.txt': 'a\n', 'b.txt': 'b\n', 'README.md': '# other\n' });
    expect((await run('diff', { file1: 'a.txt', file2: 'b.txt' })).output).toContain('-a\n+b');
    expect((await run('diff', { file1: 'a.txt', file2: 'a.txt' })).output).toBe('the files are the same');
    const all = (await run('diff', {})).output;
    expect(all).toContain('-# sums\n+# other');
    expect(all).toContain('new files, not staged: a.txt, b.txt');
    expect((await run('diff', { file1: 'src/add.js' })).output).toBe('no changes since the last commit');
    expect((await run('diff', { file1: '/etc/passwd', file2: 'a.txt' })).output).toContain('is not inside');
  });

  test('todoread shows what todowrite left', async () => {
    expect((await run('todoread', {})).output).toContain('there is no list yet');
    workspace.transcript.push(
      { seq: 1, kind: 'tool-result', body: { callId: 'a', tool: 'todowrite', ok: true, output: '[x] a' } },
      { seq: 2, kind: 'tool-result', body: { callId: 'b', tool: 'todowrite', ok: false, output: 'error' } },
    );
    expect((await run('todoread', {})).output).toBe('[x] a');
  });
});
