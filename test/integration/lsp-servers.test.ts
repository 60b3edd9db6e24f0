import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLanguageServers, type LanguageServers } from '../../activities/lsp/language-servers.ts';
import { createToolRegistry } from '../../activities/tools/registry.ts';
import { goplsFolder } from '../support/gopls.ts';
import { makeToolWorkspace, type ToolWorkspace } from '../support/tool-workspace.ts';

/** The language servers that people have, each on a small project of its language. */

const timeout = { timeout: 120_000 };
const gopls = await goplsFolder();

let workspace: ToolWorkspace;
let servers: LanguageServers;

beforeEach(async () => {
  workspace = await makeToolWorkspace();
  servers = createLanguageServers({
    runCommand: workspace.context.runCommand,
    processDir: workspace.processes.processDir,
    path: gopls ?? '/nowhere',
  });
});

afterEach(async () => {
  await servers.endAll('run:US-1');
  expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain(workspace.root);
  workspace.remove();
});

/** What `npm install` would have put into the workspace. */
function install(...packages: readonly string[]): void {
  mkdirSync(path.join(workspace.root, 'node_modules', '.bin'), { recursive: true });
  for (const name of packages)
    symlinkSync(path.resolve('node_modules', name), path.join(workspace.root, 'node_modules', name));
}

async function call(tool: string, given: Record<string, unknown>): Promise<string> {
  const registry = createToolRegistry({ languageServers: servers });
  return (await registry.call(tool, given, workspace.context)).output;
}

async function lsp(action: string, at: `${string}:${number}:${number}`): Promise<string> {
  const [file, line, column] = at.split(':');
  return await call('lsp', { action, file_path: file, line: Number(line), column: Number(column) });
}

const typescriptFiles = {
  'tsconfig.json':
    '{"compilerOptions":{"strict":true,"module":"nodenext","noEmit":true,"allowImportingTsExtensions":true}}',
  'sums.ts': 'export function add(a: number, b: number): number {\n  return a + b;\n}\n',
  'use.ts': "import { add } from './sums.ts';\nexport const five = add(2, 3);\n",
};

const definition = 'sums.ts:1:17: export function add(a: number, b: number): number {';

/** Version 5 beside this repository's own, whose program has the same name. */
function installClassicTypescript(): void {
  const folder = path.join(workspace.repository.scratch, 'classic');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefix', folder, 'typescript@5.9.3'], {
    stdio: 'pipe',
  });
  symlinkSync(path.join(folder, 'node_modules', 'typescript'), path.join(workspace.root, 'node_modules', 'typescript'));
}

test('typescript-language-server with TypeScript 5 does the same', timeout, async () => {
  install('.bin/typescript-language-server', 'typescript-language-server');
  installClassicTypescript();
  workspace.write(typescriptFiles);
  expect(await lsp('goToDefinition', 'use.ts:2:21')).toBe(definition);
  expect(await lsp('findReferences', 'sums.ts:1:17')).toContain('use.ts:2:21: export const five = add(2, 3);');
  const edited = await call('edit', { path: 'use.ts', old_string: 'add(2, 3)', new_string: 'add(2, "three")' });
  expect(edited).toMatch(/\[errors now, by the language server\]\nuse\.ts:2:28 error: /);
});

test(
  'TypeScript from version 7 on is its own server, also where typescript-language-server is installed',
  timeout,
  async () => {
    install('.bin/typescript-language-server', 'typescript-language-server', '.bin/tsc', 'typescript');
    workspace.write(typescriptFiles);
    expect(await lsp('goToDefinition', 'use.ts:2:21')).toBe(definition);
  },
);

test('pyright finds definitions, references and types, and what an edit has broken', timeout, async () => {
  install('.bin/pyright-langserver', 'pyright');
  workspace.write({
    'pyrightconfig.json': '{}',
    'sums.py': 'def add(a: int, b: int) -> int:\n    return a + b\n',
    'use.py': 'from sums import add\n\nfive = add(2, 3)\n',
  });
  expect(await lsp('goToDefinition', 'use.py:3:8')).toBe('sums.py:1:5: def add(a: int, b: int) -> int:');
  expect(await lsp('findReferences', 'sums.py:1:5')).toContain('use.py:3:8: five = add(2, 3)');
  expect(await lsp('hover', 'use.py:3:8')).toContain('def add');
  expect(await lsp('documentSymbol', 'sums.py:1:1')).toContain('function add');
  const edited = await call('edit', { path: 'use.py', old_string: 'add(2, 3)', new_string: 'add(2, "three")' });
  expect(edited).toMatch(/\[errors now, by the language server\]\nuse\.py:3:15 error: /);
});

describe.skipIf(gopls === undefined)('gopls', () => {
  test('finds definitions, references and types, and what an edit has broken', timeout, async () => {
    workspace.write({
      'go.mod': 'module example.com/sums\n\ngo 1.21\n',
      'sums.go': 'package main\n\nfunc add(a, b int) int {\n\treturn a + b\n}\n',
      'main.go': 'package main\n\nfunc main() {\n\tprintln(add(2, 3))\n}\n',
    });
    expect(await lsp('goToDefinition', 'main.go:4:10')).toBe('sums.go:3:6: func add(a, b int) int {');
    expect(await lsp('findReferences', 'sums.go:3:6')).toContain('main.go:4:10: println(add(2, 3))');
    expect(await lsp('hover', 'main.go:4:10')).toContain('func add(a int, b int) int');
    expect(await call('lsp', { action: 'workspaceSymbol', file_path: 'main.go', query: 'add' })).toContain(
      'add  sums.go:3:6',
    );
    const edited = await call('edit', { path: 'main.go', old_string: 'add(2, 3)', new_string: 'add(2, "three")' });
    expect(edited).toMatch(/\[errors now, by the language server\]\nmain\.go:4:17 error: /);
  });
});
