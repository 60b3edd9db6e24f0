import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { isInside } from '../tools/workspace-path.ts';

export interface GateCommand {
  /** A shell command line. */
  readonly command: string;
  /** The repository's top folder, where gates run. */
  readonly folder: string;
  /** The search path that gates get. */
  readonly searchPath: string;
}

/**
 * Why the command line cannot run here, as far as that shows without running it: its first program is not on the search
 * path or not in the repository, or its npm script does not exist. Null when nothing speaks against it, also where the
 * line is too clever to tell. Changes nothing.
 */
export async function gateProblem(gate: GateCommand): Promise<string | null> {
  const words = splitWords(gate.command);
  let folder = gate.folder;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (/^[A-Za-z_]\w*=/.test(word) || leadingWords.has(word)) continue;
    if (word === 'cd') {
      const [target, joint] = words.slice(at + 1, at + 3);
      if (target === undefined || isDynamic(target) || (joint !== '&&' && joint !== ';')) return null;
      folder = resolve(folder, target);
      if (!(await isFolder(folder))) return `there is no folder ${target}`;
      at += 2;
      continue;
    }
    if (isDynamic(word) || builtins.has(word) || isOperator(word)) return null;
    return (
      (await programProblem(word, { ...gate, folder })) ?? (await scriptProblem(words.slice(at), folder, gate.folder))
    );
  }
  return 'it is empty';
}

const leadingWords = new Set(['(', '{', '!']);

const builtins = new Set(
  (
    '. : [ [[ alias case command echo eval exec exit export false for function if printf pushd read return set shift ' +
    'source test time times trap true type ulimit umask unset until wait while'
  ).split(' '),
);

/** Words and operators of a command line; quotes are taken off. Good enough for the beginning of one. */
function splitWords(line: string): string[] {
  const parts = line.match(/(?:&&|\|\||[;|&(){}\n])|(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s;|&(){}"'\\])+/g) ?? [];
  return parts.map((part) => part.replace(/"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/g, '$1$2$3'));
}

function isOperator(word: string): boolean {
  return /^(?:&&|\|\||[;|&(){}\n])$/.test(word);
}

function isDynamic(word: string): boolean {
  return /[$`*?~<>#]/.test(word);
}

async function programProblem(word: string, gate: GateCommand): Promise<string | null> {
  if (word.includes('/')) {
    const path = resolve(gate.folder, word);
    if (!(await exists(path))) return `there is no ${word}`;
    if (await isFolder(path)) return `${word} is a folder`;
    return (await isProgram(path)) ? null : `${word} is not executable (chmod +x ${word})`;
  }
  for (const folder of gate.searchPath.split(delimiter))
    if (folder !== '' && (await isProgram(join(folder, word)))) return null;
  const local = join('node_modules', '.bin', word);
  const hint = (await exists(join(gate.folder, local))) ? `; it is in node_modules, so write npx ${word}` : '';
  return `there is no command ${word} on the PATH${hint}`;
}

const PackageFile = z.looseObject({ scripts: z.record(z.string(), z.unknown()).nullish() });

async function scriptProblem(words: readonly string[], folder: string, top: string): Promise<string | null> {
  const script = scriptOf(words);
  if (script === null) return null;
  const file = await nearestPackageFile(folder, top);
  if (file === null) return 'there is no package.json';
  const parsed = PackageFile.safeParse(await readJson(file));
  if (!parsed.success) return `${file} is not a package.json`;
  return Object.hasOwn(parsed.data.scripts ?? {}, script) ? null : `package.json has no script ${script}`;
}

/** The script of `npm run x`, `npm test` and their like; null when it is another command or chosen by further options. */
function scriptOf([program, verb, ...others]: readonly string[]): string | null {
  if (program !== 'npm' && program !== 'pnpm') return null;
  const rest = others.slice(0, others.findIndex(isOperator) === -1 ? undefined : others.findIndex(isOperator));
  const options = rest.slice(0, rest.indexOf('--') === -1 ? undefined : rest.indexOf('--'));
  if (
    options.some((word) =>
      /^(?:--prefix|--workspaces?|-w|-ws|-C|--dir|-r|--recursive|--filter|-F|--if-present)/.test(word),
    )
  )
    return null;
  if (verb === 'test' || verb === 't' || verb === 'tst') return 'test';
  if (verb !== 'run' && verb !== 'run-script') return null;
  return options.find((word) => !word.startsWith('-')) ?? null;
}

async function nearestPackageFile(folder: string, top: string): Promise<string | null> {
  for (let current = folder; isInside(top, current); current = dirname(current)) {
    const file = join(current, 'package.json');
    if (await exists(file)) return file;
    if (current === top) break;
  }
  return null;
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse((await readFile(file, 'utf8')).replace(/^\ufeff/, ''));
  } catch {
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

async function isProgram(path: string): Promise<boolean> {
  if ((await stat(path).catch(() => undefined))?.isFile() !== true) return false;
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
