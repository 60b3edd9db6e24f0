import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { editText, type EditResult } from '../../activities/tools/edit-text.ts';
import { editableText } from '../../activities/tools/text-file.ts';

const edit = (text: string, oldText: string, newText: string, replaceAll = false) =>
  editText({ text, oldText, newText, replaceAll });

const textOf = (result: EditResult): string | null => (result.kind === 'edited' ? result.text : null);

describe('an exact match', () => {
  test('is replaced once, dollar signs and all', () => {
    expect(edit('let a = 1;\n', '1', "$& $1 $' $$")).toMatchObject({
      kind: 'edited',
      text: "let a = $& $1 $' $$;\n",
      replacements: 1,
      line: 1,
      match: 'exact',
    });
  });

  test('that is there more than once is refused with its lines, unless all are to be replaced', () => {
    expect(edit('a\nb\na\n', 'a', 'c')).toEqual({ kind: 'ambiguous', lines: [1, 3] });
    expect(edit('aaa', 'aa', 'b')).toEqual({ kind: 'ambiguous', lines: [1, 1] });
    expect(edit('a\nb\na\n', 'a', 'c', true)).toMatchObject({ text: 'c\nb\nc\n', replacements: 2 });
  });

  test('says which line changed', () => {
    expect(edit('1\n2\n3\n4\n', '3\n', 'x\ny\n')).toMatchObject({ line: 3 });
  });

  test('nothing to do and nothing to find are told apart', () => {
    expect(edit('abc', 'b', 'b')).toEqual({ kind: 'no-change' });
    expect(edit('abc', '', 'b')).toEqual({ kind: 'empty-old-text' });
    expect(edit('abc', 'x', 'b')).toEqual({ kind: 'not-found', closest: null });
  });

  test('of any unique text does what slicing does', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string({ minLength: 1 }),
        fc.string(),
        fc.string(),
        (before, old, after, replacement) => {
          const text = before + old + after;
          fc.pre(!text.includes('\r') && !old.includes('\r') && !replacement.includes('\r'));
          fc.pre(text.indexOf(old) === before.length && !text.includes(old, before.length + 1) && old !== replacement);
          expect(textOf(edit(text, old, replacement))).toBe(before + replacement + after);
        },
      ),
    );
  });

  test('of any text with replace_all does what split and join do', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '\n', 'é', '😀') });
    fc.assert(
      fc.property(
        letters,
        fc.string({ unit: fc.constantFrom('a', 'b', '😀'), minLength: 1 }),
        letters,
        (text, old, replacement) => {
          fc.pre(text.includes(old) && old !== replacement);
          expect(textOf(edit(text, old, replacement, true))).toBe(text.split(old).join(replacement));
        },
      ),
    );
  });
});

describe('line ends', () => {
  test('a text with CRLF keeps it, whatever the model writes', () => {
    expect(textOf(edit('a\r\nb\r\nc\r\n', 'a\nb', 'x\ny\nz'))).toBe('x\r\ny\r\nz\r\nc\r\n');
    expect(textOf(edit('a\r\nb\r\n', 'b', 'x\r\ny\nz'))).toBe('a\r\nx\r\ny\r\nz\r\n');
  });

  test('no edit of a text with CRLF throughout leaves a bare LF', () => {
    const line = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\t') });
    fc.assert(
      fc.property(fc.array(line, { minLength: 2 }), fc.nat(), fc.array(line), (lines, at, replacement) => {
        const text = lines.join('\r\n');
        const old = lines.slice(at % lines.length, (at % lines.length) + 2).join('\n');
        const result = edit(text, old, replacement.join('\n'), true);
        fc.pre(result.kind === 'edited');
        if (result.kind === 'edited') expect(result.text).not.toMatch(/(?<!\r)\n/);
      }),
    );
  });

  test('a text with both kinds is taken as it is', () => {
    expect(textOf(edit('a\r\nb\nc', 'b\nc', 'x\ny'))).toBe('a\r\nx\ny');
  });
});

describe('a block that differs only in blanks', () => {
  test('is found by its dedented lines and gets the indentation of the file', () => {
    const text = 'class A {\n    run() {\n        go();   \n    }\n}\n';
    expect(edit(text, 'run() {\n    go();\n}', 'run() {\n    stop();\n\n}')).toMatchObject({
      kind: 'edited',
      match: 'indentation',
      text: 'class A {\n    run() {\n        stop();\n\n    }\n}\n',
      line: 2,
    });
  });

  test('takes tabs of the file', () => {
    expect(textOf(edit('\tif (a) {\n\t\tb();\n\t}\n', 'if (a) {\n\tb();\n}\n', 'if (c) {\n\tb();\n}\n'))).toBe(
      '\tif (c) {\n\t\tb();\n\t}\n',
    );
  });

  test('is taken by the strictest comparison that finds it, and the result names it', () => {
    expect(edit('  a  \n  b\n', '  a\n  b', '  c')).toMatchObject({ match: 'trailing-blanks', text: '  c\n' });
    expect(edit('  f(a,  b)\n', 'f(a, b)\n', 'g()\n')).toMatchObject({ match: 'blanks', text: '  g()\n' });
    expect(edit('a  b\na  b\n', 'a b\n', 'c\n')).toEqual({ kind: 'ambiguous', lines: [1, 2] });
    expect(edit('f(ab)\n', 'f(a b)', 'g()')).toMatchObject({ kind: 'not-found' });
  });

  test('is found without the line numbers that read shows', () => {
    expect(edit('one\n  two\nthree\n', '   2|   two\n   3| three\n', '   2|   deux\n')).toMatchObject({
      match: 'exact',
      hadLineNumbers: true,
      text: 'one\n  deux\n',
    });
    expect(edit('   2| x\n', '   2| x', 'y')).toMatchObject({ hadLineNumbers: false, text: 'y\n' });
  });

  test('can be removed, also at the end without a line end', () => {
    expect(textOf(edit('a\n  b\n  c\n', 'b\nc', ''))).toBe('a\n');
    expect(textOf(edit('a\n  b  \n  c', 'b\nc', 'd\ne'))).toBe('a\n  d\n  e');
  });

  test('is not taken when its lines are shifted against each other', () => {
    expect(edit('if a:\n    b\n    c\n', 'if a:\n    b\nc', 'x')).toMatchObject({ kind: 'not-found' });
  });

  test('is refused when there are two', () => {
    expect(edit('  a\n  b\nx\n    a\n    b\n', 'a\nb', 'c\nd')).toEqual({ kind: 'ambiguous', lines: [1, 4] });
  });

  test('keeps CRLF', () => {
    expect(textOf(edit('  a \r\n  b\r\nc\r\n', 'a\nb', 'd\ne'))).toBe('  d\r\n  e\r\nc\r\n');
  });

  test('leaves all other lines alone', () => {
    const line = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ') });
    fc.assert(
      fc.property(fc.array(line), fc.array(line), (before, after) => {
        fc.pre(![...before, ...after].some((given) => given.trim() === 'needle'));
        const text = [...before, '  needle  ', '    more', ...after].join('\n');
        expect(textOf(edit(text, 'needle\n  more', 'x\n  y'))).toBe([...before, '  x', '    y', ...after].join('\n'));
      }),
    );
  });
});

test('what is not there is answered with the closest lines', () => {
  const text = 'import a\n\nfunction parseDate(text) {\n  return new Date(text);\n}\n\nfunction other() {}\n';
  expect(edit(text, 'function parseDate(input) {\n  return new Date(input);\n}', 'x')).toEqual({
    kind: 'not-found',
    closest: { line: 3, text: 'function parseDate(text) {\n  return new Date(text);\n}' },
  });
});

test('bytes that are not UTF-8 survive an edit of the rest', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (before, after) => {
      const bytes = Buffer.concat([before, Buffer.from('größe'), after]);
      const source = editableText(bytes);
      fc.pre(Buffer.from(before).indexOf('größe') === -1 && Buffer.from(after).indexOf('größe') === -1);
      fc.pre(!source.text.includes('\r'));
      const result = edit(source.text, source.asInFile('größe'), source.asInFile('länge'));
      fc.pre(result.kind === 'edited');
      if (result.kind === 'edited')
        expect(source.encode(result.text)).toEqual(Buffer.concat([before, Buffer.from('länge'), after]));
    }),
  );
});

test('a byte order mark survives', () => {
  const source = editableText(Buffer.from('\ufeffabc'));
  const result = edit(source.text, 'b', 'x');
  expect(result.kind === 'edited' ? source.encode(result.text) : null).toEqual(Buffer.from('\ufeffaxc'));
});
