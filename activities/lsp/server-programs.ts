import { access, constants, readFile } from 'node:fs/promises';
import { delimiter, extname, join } from 'node:path';
import { z } from 'zod';

/** A language server that can be started for a file. */
export interface ServerProgram {
  /** One server of a workspace has it: files of the same id share the server. */
  readonly id: string;
  readonly command: readonly [string, ...string[]];
  /** As the protocol calls the file's language. */
  readonly languageId: string;
  /** What it is told of itself at its start. */
  readonly options?: Readonly<Record<string, unknown>>;
}

interface Language {
  readonly id: string;
  /** By ending of the file's name. */
  readonly languageIds: Readonly<Record<string, string>>;
  /** In this order; the first that is there is taken. */
  readonly programs: readonly (readonly [string, ...string[]])[];
}

const languages: readonly Language[] = [
  {
    id: 'typescript',
    languageIds: {
      '.ts': 'typescript',
      '.mts': 'typescript',
      '.cts': 'typescript',
      '.tsx': 'typescriptreact',
      '.js': 'javascript',
      '.mjs': 'javascript',
      '.cjs': 'javascript',
      '.jsx': 'javascriptreact',
    },
    programs: [
      // From version 7 on, which typescript-language-server cannot work with.
      ['tsc', '--lsp', '--stdio'],
      ['typescript-language-server', '--stdio'],
    ],
  },
  { id: 'go', languageIds: { '.go': 'go' }, programs: [['gopls', 'serve']] },
  {
    id: 'python',
    languageIds: { '.py': 'python', '.pyi': 'python' },
    programs: [['pyright-langserver', '--stdio'], ['basedpyright-langserver', '--stdio'], ['pylsp']],
  },
  { id: 'rust', languageIds: { '.rs': 'rust' }, programs: [['rust-analyzer']] },
  {
    id: 'c',
    languageIds: { '.c': 'c', '.h': 'c', '.cc': 'cpp', '.cpp': 'cpp', '.hpp': 'cpp' },
    programs: [['clangd']],
  },
];

/** Without it, its first answers are of one file only: a definition in another one is not found. */
const wholeProject = { tsserver: { useSyntaxServer: 'never' } };

const Package = z.object({ version: z.string() });

/** Names of what is looked for when there is no server, for people. */
export function programsFor(file: string): readonly string[] {
  return languages.find(({ languageIds }) => extname(file) in languageIds)?.programs.map(([name]) => name) ?? [];
}

/**
 * The server for a file: of the workspace's own `node_modules`, else on `path`. Undefined when there is none: nothing is ever
 * installed. TypeScript is one itself from version 7 on.
 */
export async function findServerProgram(
  file: string,
  where: { readonly root: string; readonly path: string },
): Promise<ServerProgram | undefined> {
  const ending = extname(file);
  const language = languages.find(({ languageIds }) => ending in languageIds);
  const languageId = language?.languageIds[ending];
  if (language === undefined || languageId === undefined) return undefined;
  const places = [[join(where.root, 'node_modules', '.bin')], where.path.split(delimiter).filter(Boolean)];
  for (const folders of places)
    for (const [name, ...args] of language.programs)
      for (const folder of folders) {
        const program = join(folder, name);
        if (!(await isProgram(program)) || (name === 'tsc' && !(await isServer(join(folder, '..', 'typescript')))))
          continue;
        const options = name === 'typescript-language-server' ? { options: wholeProject } : {};
        return { id: language.id, command: [program, ...args], languageId, ...options };
      }
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function isServer(typescript: string): Promise<boolean> {
  try {
    const { version } = Package.parse(JSON.parse(await readFile(join(typescript, 'package.json'), 'utf8')));
    return Number.parseInt(version, 10) >= 7;
  } catch {
    // A tsc that is not of npm's package.
    return false;
  }
}
