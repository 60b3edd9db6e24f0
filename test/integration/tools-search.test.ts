import { writeFileSync } from 'node:fs';
import path from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCodeSearchTool, createGrepTool } from '../../activities/tools/grep.ts';
import { requiredTexts } from '../../activities/tools/required-text.ts';
import { filesWithText, findRipgrep } from '../../activities/tools/ripgrep.ts';
import { makeToolWorkspace, type ToolWorkspace } from '../support/tool-workspace.ts';

let workspace: ToolWorkspace;

beforeAll(async () => {
  workspace = await makeToolWorkspace();
  const words = ['needle', 'Needle', 'foo.bar', 'größe', 'naïve k', 'if (a) {', 'x\ty', '😀 face', '-e', 'a{2}'];
  const files = words.map((word, index) => [`src/f${index}.txt`, `first\n  ${word} ${index}\r\nlast ${word}`]);
  workspace.write({
    ...Object.fromEntries(files),
    'ignored/x.txt': 'needle',
    '-n': 'needle\n',
    'big.txt': 'needle\n'.repeat(200_000),
  });
  writeFileSync(path.join(workspace.root, 'bin.dat'), Buffer.from('needle\0\nfoo'));
  writeFileSync(path.join(workspace.root, 'latin1.txt'), Buffer.from('gr\xf6\xdfe needle\n', 'latin1'));
  writeFileSync(path.join(workspace.root, 'utf16.txt'), Buffer.from('\ufeffneedle\n', 'utf16le'));
});

afterAll(() => {
  workspace.remove();
});

const withRipgrep = { ripgrepFromFiles: 0 };
const without = { ripgrepFromFiles: Number.POSITIVE_INFINITY };

async function both(given: Record<string, unknown>, create = createGrepTool): Promise<string> {
  const [found, expected] = await Promise.all(
    [withRipgrep, without].map((options) => create(options).call(given, workspace.context)),
  );
  expect(found).toEqual(expected);
  return found?.output ?? '';
}

describe('with ripgrep and without it', () => {
  test('ripgrep is there, and says which files hold a text', async () => {
    const { root: _root, ...rest } = { root: workspace.root, files: await workspace.context.listFiles() };
    const found = await filesWithText(
      { ...rest, root: workspace.root, texts: ['größe'], ignoreCase: false },
      { ...workspace.context, ripgrep: await findRipgrep() },
    );
    expect(found).toEqual(['src/f3.txt']);
  });

  test.each([
    ['needle', false],
    ['größe', false],
    ['😀', false],
    ['-e', false],
    ['first\nneedle', false],
    ['needle|foo', true],
    ['^last .*e$', true],
    ['a\\{2\\}', true],
    ['(?<!N)eedle', true],
    ['x\\ty', true],
    ['nee?d', true],
    ['.', true],
  ])('%j finds the same', async (pattern, is_regex) => {
    await both({ pattern, is_regex, context: 1 });
  });

  test('names binary and large files the same', async () => {
    const output = await both({ pattern: 'needle' });
    expect(output).toContain('-n:1: needle');
    expect(output).toContain('latin1.txt:1: gr');
    expect(output).toContain('[1 binary file matches]\n[files skipped: 1 larger than 1 MiB]');
    expect(output).not.toContain('ignored');
  });

  test('codesearch takes expressions, whatever the case, with lines around', async () => {
    const output = await both({ pattern: 'NEEDLE 1$' }, createCodeSearchTool);
    expect(output).toBe(
      'src/f1.txt-1- first\nsrc/f1.txt:2:   Needle 1\nsrc/f1.txt-3- last Needle\n[files skipped: 1 larger than 1 MiB]',
    );
    const exact = await both({ pattern: 'NEEDLE', case_sensitive: true }, createCodeSearchTool);
    expect(exact).toContain('no match');
  });

  test('a search goes on without ripgrep when it is not there', async () => {
    const search = {
      root: workspace.root,
      files: await workspace.context.listFiles(),
      texts: ['x'],
      ignoreCase: false,
    };
    expect(await filesWithText(search, { ...workspace.context, ripgrep: '/nowhere/rg' })).toBe(null);
  });
});

describe('the texts that a match holds', () => {
  const required = (pattern: string, ignoreCase = false) => requiredTexts({ pattern, isRegex: true, ignoreCase });

  test.each<[string, readonly string[] | null]>([
    ['function\\s+parse', ['function']],
    ['foo|barbar', ['foo', 'barbar']],
    ['colou?r', ['colo']],
    ['ab{0,2}cde', ['cde']],
    ['ab+c', ['ab']],
    ['(foo)?barbaz', ['barbaz']],
    ['\\.test\\.ts$', ['.test.ts']],
    ['[^]]x]yz', [']x]yz']],
    ['foo {bar', ['foo {bar']],
    ['foo|.', null],
    ['\\u0041bc', null],
    ['(a|b)', null],
  ])('%j: %j', (pattern, texts) => {
    expect(required(pattern)).toEqual(texts);
  });

  test('letters that have other cases elsewhere are not looked for whatever their case', () => {
    expect(required('größe', true)).toBe(null);
    expect(required('größe')).toEqual(['größe']);
  });

  test('whatever matches holds one of them', () => {
    const piece = fc.constantFrom(
      'ab',
      'c',
      '.',
      'a*',
      'b?',
      'c+',
      '(ab)',
      '(?:a|b)?',
      '[ab]',
      '\\w',
      '|',
      '^',
      'd{2}',
      'e{0,1}',
      '\\.',
      '*?',
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 8 }),
        fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd', 'e', '.') }),
        (pieces, line) => {
          const pattern = pieces.join('');
          let expression: RegExp;
          try {
            expression = new RegExp(pattern);
          } catch {
            return;
          }
          const texts = required(pattern);
          if (texts === null || !expression.test(line)) return;
          expect(
            texts.some((text) => line.includes(text)),
            `${pattern} in ${line}: ${texts.join()}`,
          ).toBe(true);
        },
      ),
      { numRuns: 5000 },
    );
  });
});
