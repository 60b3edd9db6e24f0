import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLanguageServers, type LanguageServers } from '../../activities/lsp/language-servers.ts';
import { createToolRegistry } from '../../activities/tools/registry.ts';
import type { ToolOutcome } from '../../activities/tools/tool.ts';
import { makeToolWorkspace, type ToolWorkspace } from '../support/tool-workspace.ts';

const timeout = { timeout: 60_000 };

let workspace: ToolWorkspace;
let servers: LanguageServers;

beforeEach(async () => {
  workspace = await makeToolWorkspace();
  servers = open();
  workspace.write({
    'tsconfig.json':
      '{"compilerOptions":{"strict":true,"module":"nodenext","noEmit":true,"allowImportingTsExtensions":true}}',
    'src/sum.ts': 'export function sum(a: number, b: number): number {\n  return a + b;\n}\n',
    'src/use.ts': "import { sum } from './sum.ts';\nexport const five = sum(2, 3);\n",
  });
});

afterEach(async () => {
  await servers.endAll('run:US-1');
  expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain(workspace.root);
  workspace.remove();
});

const open = (options: { readonly maxServers?: number; readonly path?: string } = {}): LanguageServers =>
  createLanguageServers({
    runCommand: workspace.context.runCommand,
    processDir: workspace.processes.processDir,
    path: '/nowhere',
    ...options,
  });

/** TypeScript itself, from version 7 on, is the server: this repository's own. */
const install = () => symlinkSync(path.resolve('node_modules'), path.join(workspace.root, 'node_modules'));
const call = (name: string, given: Record<string, unknown>): Promise<ToolOutcome> =>
  createToolRegistry({ languageServers: servers }).call(name, given, workspace.context);
const lsp = (action: string, more: Record<string, unknown> = {}) =>
  call('lsp', { action, file_path: 'src/use.ts', line: 2, column: 21, ...more });

test('a real server tells definitions, references, types, symbols and completions', timeout, async () => {
  install();
  expect((await lsp('goToDefinition')).output).toBe(
    'src/sum.ts:1:17: export function sum(a: number, b: number): number {',
  );
  expect((await lsp('findReferences')).output.split('\n')).toEqual(
    expect.arrayContaining([
      'src/sum.ts:1:17: export function sum(a: number, b: number): number {',
      'src/use.ts:2:21: export const five = sum(2, 3);',
    ]),
  );
  expect((await lsp('hover')).output).toContain('function sum(a: number, b: number): number');
  expect((await lsp('documentSymbol', { file_path: 'src/sum.ts' })).output).toContain('function sum  ');
  expect((await lsp('workspaceSymbol', { query: 'fiv' })).output).toContain('five  src/use.ts:2:14');
  expect((await lsp('completion', { column: 23 })).output).toMatch(/^sum/);
  expect((await lsp('diagnostics')).output).toBe('no problems in src/use.ts');
});

test('edits are answered with the errors that they leave, once a server runs', timeout, async () => {
  install();
  const edit = { path: 'src/use.ts', old_string: 'sum(2, 3)', new_string: 'sum(2, "3")' };
  expect((await call('edit', edit)).output).not.toContain('errors now');
  expect((await lsp('diagnostics')).output).toContain('src/use.ts:2:28 error: ');
  const { output } = await call('write', { path: 'src/sum.ts', content: 'export const sum: string = 1;\n' });
  expect(output).toMatch(
    /^replaced src\/sum\.ts .*\n\[errors now, by the language server\]\nsrc\/sum\.ts:1:14 error: Type 'number' is not assignable to type 'string'\. \[2322\]$/,
  );
  const mended = await call('write', {
    path: 'src/sum.ts',
    content: 'export const sum = (a: number, b: string) => a + b;\n',
  });
  expect(mended.output).not.toContain('errors now');
  expect((await lsp('diagnostics')).output).toBe('no problems in src/use.ts');
});

test('where no server is installed it is said which ones were looked for', async () => {
  expect(await lsp('hover')).toEqual({
    ok: false,
    output: 'error: no language server for src/use.ts is installed here (looked for tsc, typescript-language-server)',
  });
  expect((await lsp('hover', { file_path: 'README.md' })).output).toContain(
    'no language server is known for README.md',
  );
  expect((await lsp('hover', { file_path: '/etc/passwd' })).output).toContain('is not inside the workspace');
});

test(
  'a server that ends, talks nonsense or says nothing is an answer, and the next call starts another',
  timeout,
  async () => {
    const bin = path.join(workspace.root, 'node_modules', '.bin');
    mkdirSync(bin, { recursive: true });
    const server = path.join(bin, 'typescript-language-server');
    const be = (script: string) => {
      writeFileSync(server, `#!/bin/sh\n${script}\n`);
      chmodSync(server, 0o755);
    };
    be('exit 1');
    expect((await lsp('hover')).output).toBe('error: the language server: the language server has ended');
    be('printf "Content-Length: x\\r\\n\\r\\n"; sleep 60');
    expect((await lsp('hover')).output).toContain('does not speak its protocol');
    be('sleep 60');
    setTimeout(() => workspace.abort.abort(new Error('the run was cancelled')), 500);
    await expect(lsp('hover')).rejects.toThrow('the run was cancelled');
  },
);

test('there are no more servers than allowed: the one asked longest ago makes room', timeout, async () => {
  install();
  servers = open({ maxServers: 1 });
  const file = path.join(workspace.root, 'src/use.ts');
  const one = await servers.of({ id: 'run:US-1', root: workspace.root }, file);
  const again = await servers.of({ id: 'run:US-1', root: workspace.root }, file);
  expect(again?.server).toBe(one?.server);
  await servers.of({ id: 'run:US-2', root: workspace.root }, file);
  expect(one?.server.isOver()).toBe(true);
  await servers.endAll('run:US-2');
});
