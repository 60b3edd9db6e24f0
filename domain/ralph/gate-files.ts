/** What defines the gates: the scripts and files that their commands reach, and the settings of the tools that they run. */

export interface GateCommand {
  readonly gate: string;
  readonly command: string;
}

export type PackageScripts = { readonly [name: string]: string };

export interface Reached {
  /** Scripts of package.json with the gate that runs them, hooks (`pretest`) too whether they exist or not. */
  readonly scripts: ReadonlyMap<string, string>;
  /** Files that are run or read as settings, with the gate. */
  readonly files: ReadonlyMap<string, string>;
}

const runners: readonly string[] = ['npm', 'pnpm', 'yarn', 'bun'];
const interpreters = /^(?:node|nodejs|deno|bun|tsx|ts-node|sh|bash|zsh|dash|python[\d.]*|ruby|perl|php)$/;
const wrappers: readonly string[] = [
  'npx',
  'bunx',
  'pnpx',
  'cross-env',
  'env',
  'time',
  'exec',
  'command',
  'nice',
  'c8',
  'nyc',
  '!',
];
const optionsWithFile = /^(?:--config|--project|--rcfile|--import|--require|--loader|--setup-?file|-c|-p|-r)$/i;
const makers: { readonly [program: string]: readonly string[] } = {
  make: ['Makefile', 'makefile', 'GNUmakefile'],
  gmake: ['Makefile', 'makefile', 'GNUmakefile'],
  just: ['justfile', 'Justfile', '.justfile'],
  task: ['Taskfile.yml', 'Taskfile.yaml'],
};

/** Follows the commands through the scripts of a package.json. */
export function reachOf(commands: readonly GateCommand[], scripts: PackageScripts): Reached {
  const reached = { scripts: new Map<string, string>(), files: new Map<string, string>() };
  const todo = [...commands];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { gate } = next;
    for (const words of simpleCommands(next.command)) {
      const [program = '', ...rest] = words;
      for (const file of filesOf(program, rest)) reached.files.set(file, gate);
      for (const inner of rest.filter((word) => word.includes(' '))) todo.push({ gate, command: inner });
      for (const script of scriptsOf(program, rest, scripts)) {
        if (reached.scripts.has(script)) continue;
        for (const name of [script, `pre${script}`, `post${script}`]) {
          reached.scripts.set(name, gate);
          const command = Object.hasOwn(scripts, name) ? scripts[name] : undefined;
          if (command !== undefined) todo.push({ gate, command });
        }
      }
    }
  }
  return reached;
}

/** The words of each command in a command line, without assignments and wrappers. */
function simpleCommands(line: string): string[][] {
  const tokens = line.match(/&&|\|\||[;|&(){}\n]|(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s;|&(){}"'\\])+/g) ?? [];
  const commands: string[][] = [[]];
  for (const token of tokens) {
    if (/^(?:&&|\|\||[;|&(){}\n])$/.test(token)) commands.push([]);
    else commands.at(-1)?.push(token.replace(/"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/g, '$1$2$3'));
  }
  return commands.map((words) => {
    const start = words.findIndex((word) => !/^\w+=/.test(word) && !wrappers.includes(word) && !word.startsWith('-'));
    return start < 0 ? [] : words.slice(start);
  });
}

function scriptsOf(program: string, words: readonly string[], scripts: PackageScripts): readonly string[] {
  if (program === 'node') {
    const at = words.findIndex((word) => word === '--run');
    return at < 0 ? [] : words.slice(at + 1, at + 2);
  }
  if (/^(?:npm-run-all2?|run-[sp])$/.test(program)) {
    return words.filter((word) => !word.startsWith('-')).flatMap((pattern) => namesLike(pattern, scripts));
  }
  if (program === 'concurrently') {
    return words.flatMap((word) => (word.startsWith('npm:') ? namesLike(word.slice(4), scripts) : []));
  }
  if (!runners.includes(program)) return [];
  const own = words.includes('--') ? words.slice(0, words.indexOf('--')) : words;
  const plain = own.filter(
    (word, index) =>
      !word.startsWith('-') && !/^(?:--prefix|-C|--dir|--cwd|-w|--workspace|--filter|-F)$/.test(own[index - 1] ?? ''),
  );
  const [verb = '', name] = plain;
  if (verb === 'run' || verb === 'run-script') return name === undefined ? [] : [name];
  if (verb === 't' || verb === 'tst') return ['test'];
  return verb === 'test' || verb === 'start' || (program !== 'npm' && Object.hasOwn(scripts, verb)) ? [verb] : [];
}

function namesLike(pattern: string, scripts: PackageScripts): readonly string[] {
  if (!pattern.includes('*')) return [pattern];
  const start = pattern.slice(0, pattern.indexOf('*'));
  return Object.keys(scripts).filter((name) => name.startsWith(start));
}

function filesOf(program: string, words: readonly string[]): readonly string[] {
  const files: string[] = [...(makers[program] ?? [])];
  if (program.includes('/')) files.push(program);
  let script: string | undefined;
  for (const [index, word] of words.entries()) {
    const [option = '', value] = word.startsWith('--') ? word.split('=', 2) : [word];
    if (value !== undefined && optionsWithFile.test(option)) files.push(value);
    if (word.startsWith('-')) {
      if (interpreters.test(program) && /^-[cem]$/.test(word)) script ??= '';
      continue;
    }
    if (optionsWithFile.test(words[index - 1] ?? '')) files.push(word);
    else if (interpreters.test(program) && word !== 'run') script ??= word;
  }
  if (script !== undefined && script !== '') files.push(script);
  return files.map((file) => file.replace(/^(?:\.\/)+/, ''));
}

/** Keys of package.json that are settings of tools which gates run. */
export const packageSettings =
  'jest mocha ava tap nyc c8 vitest eslintConfig eslintIgnore prettier stylelint xo standard'.split(' ');

const settingsNames: readonly RegExp[] = [
  /^(?:vitest|jest|ava|playwright|cypress|wdio|eslint|prettier|oxlint|stylelint)\.(?:config|workspace)\.[\w.]+$/,
  /^karma\.conf\.\w+$/,
  /^\.(?:mocharc|nycrc|c8rc|taprc|eslintrc|prettierrc|oxlintrc|oxfmtrc|stylelintrc|swcrc|jestrc)(?:\.\w+)?$/,
  /^(?:biome|dprint)\.jsonc?$/,
  /^[tj]sconfig(?:\.[\w.-]+)?\.json$/,
  /^(?:pytest|tox|mypy)\.ini$/,
  /^\.(?:flake8|pylintrc|coveragerc|rspec|rubocop\.yml|golangci\.ya?ml)$/,
  /^\.?(?:ruff|clippy|rustfmt)\.toml$/,
  /^noxfile\.py$/,
  /^(?:phpunit|checkstyle)\.xml(?:\.dist)?$/,
];

/** The settings of a file that a gate's tools read, without the rest of it; null when it holds none. */
export function gateSettings(path: string, text: string): string | null {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (settingsNames.some((pattern) => pattern.test(name))) return text;
  switch (name) {
    case 'pyproject.toml':
      return sections(
        text,
        /^tool\.(?:pytest|ruff|mypy|pyright|basedpyright|coverage|pylint|black|isort|tox|flake8)\b/,
      );
    case 'setup.cfg':
      return sections(text, /^(?:tool:pytest|flake8|mypy|coverage|pylint|isort|tox)\b/);
    case 'Cargo.toml':
      return sections(text, /^(?:workspace\.)?(?:lints|profile)\b/);
    case 'conftest.py':
      return linesLike(
        text,
        /\bpytest_\w+|\bcollect_ignore\w*|\bpytest\.(?:skip|xfail|exit)|\bautouse\b|\b(?:sys\.exit|os\._exit)\b/,
      );
    default:
      return /^vite\.config\.\w+$/.test(name) && /\btest\s*:/.test(text) ? text : null;
  }
}

/** Files that tell continuous integration what to check. */
export function isContinuousIntegration(path: string): boolean {
  return /^(?:\.github\/(?:workflows|actions)\/|\.circleci\/|\.buildkite\/|\.gitlab-ci[^/]*\.ya?ml$|\.(?:travis|drone|woodpecker|appveyor)\.ya?ml$|(?:azure|bitbucket)-pipelines\.ya?ml$|appveyor\.yml$|Jenkinsfile$)/.test(
    path,
  );
}

/** Lists of files that a check leaves out. */
export function isIgnoreList(path: string): boolean {
  return /(?:^|\/)\.(?:eslint|prettier|oxlint|oxfmt|stylelint|biome|vitest|jest|ruff)ignore$/.test(path);
}

export function isPackageFile(path: string): boolean {
  return /(?:^|\/)package\.json$/.test(path);
}

function sections(text: string, wanted: RegExp): string | null {
  const found = text
    .split(/^(?=\s*\[)/m)
    .filter((part) => wanted.test(/^\s*\[+\s*([^\]]*)/.exec(part)?.[1]?.replaceAll(/["'\s]/g, '') ?? ''));
  return found.length === 0 ? null : found.join('');
}

function linesLike(text: string, pattern: RegExp): string | null {
  const lines = text.split('\n').filter((line) => pattern.test(line));
  return lines.length === 0 ? null : lines.join('\n');
}
