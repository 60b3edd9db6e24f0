import { readFile } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Diagnostic } from '../lsp/language-server.ts';
import type { LanguageServers, Serving } from '../lsp/language-servers.ts';
import { programsFor } from '../lsp/server-programs.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { cleanLine, limitText, maxOutputCharacters, plainText } from './output-text.ts';
import { defineTool, failure, success, type Tool, type ToolContext, type ToolOutcome } from './tool.ts';
import { isInside, resolveWorkspacePath, type WorkspacePath } from './workspace-path.ts';

const actions = [
  'goToDefinition',
  'findReferences',
  'goToImplementation',
  'hover',
  'documentSymbol',
  'workspaceSymbol',
  'completion',
  'diagnostics',
] as const;

const input = z.object({
  action: z.enum(actions),
  file_path: z.string().min(1).describe('File, relative to the workspace; it names the language too'),
  line: z.int().min(1).optional().describe('From 1; not for symbols and diagnostics'),
  column: z.int().min(1).optional().describe('From 1'),
  query: z.string().max(200).default('').describe('Name or a part of it (workspaceSymbol)'),
  include_declaration: z.boolean().default(true).describe('For findReferences'),
});
type Input = z.output<typeof input>;

const timeoutMs = 30_000;
const diagnosticsWaitMs = 10_000;
const maxShown = 100;

export function createLspTool(servers: LanguageServers): Tool {
  return defineTool({
    name: 'lsp',
    risk: 'read',
    description:
      'Asks the language server of the project (TypeScript, JavaScript, Go, Python, Rust, C), where one is installed: definitions, references, types, symbols, errors. Once it runs, edits are answered with the errors that they leave.',
    input,
    label: ({ action, file_path, line, query }) =>
      `${action} ${action === 'workspaceSymbol' ? query : file_path}${line === undefined ? '' : `:${line}`}`,
    run: async (given, context) => {
      const file = await resolveWorkspacePath(context.workspace, given.file_path, 'read');
      const timeUp = AbortSignal.timeout(timeoutMs);
      const signal = AbortSignal.any([context.signal, timeUp]);
      try {
        return await unlessAborted(signal, async () => await ask(given, file, servers, context));
      } catch (error) {
        context.signal.throwIfAborted();
        const reason = timeUp.aborted ? `no answer within ${timeoutMs / 1000} s` : messageOf(error);
        return failure(`the language server: ${cleanLine(reason, 500)}`);
      }
    },
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function ask(
  given: Input,
  file: WorkspacePath,
  servers: LanguageServers,
  { workspace, workspaceId }: ToolContext,
): Promise<ToolOutcome> {
  const serving = await servers.of({ id: workspaceId, root: workspace.root }, file.absolute);
  if (serving === undefined) {
    const names = programsFor(file.absolute);
    return failure(
      names.length === 0
        ? `no language server is known for ${file.relative}`
        : `no language server for ${file.relative} is installed here (looked for ${names.join(', ')})`,
    );
  }
  const { server, languageId } = serving;
  const at = (method: string, more: object = {}) =>
    server.ask(file.absolute, languageId, method, { position: positionOf(given), ...more });
  const { root } = workspace;
  switch (given.action) {
    case 'goToDefinition':
      return places(await at('textDocument/definition'), root);
    case 'goToImplementation':
      return places(await at('textDocument/implementation'), root);
    case 'findReferences':
      return places(
        await at('textDocument/references', { context: { includeDeclaration: given.include_declaration } }),
        root,
      );
    case 'hover':
      return hover(await at('textDocument/hover'));
    case 'completion':
      return completion(await at('textDocument/completion'), await wordBefore(file.absolute, given));
    case 'documentSymbol':
      return symbols(await server.ask(file.absolute, languageId, 'textDocument/documentSymbol', {}), root);
    case 'workspaceSymbol':
      // A server that has no file open knows no project.
      await server.ask(file.absolute, languageId, 'textDocument/documentSymbol', {});
      return symbols(await server.askAll('workspace/symbol', { query: given.query }), root);
    case 'diagnostics': {
      const found = await server.diagnose(file.absolute, languageId, diagnosticsWaitMs);
      if (found === undefined)
        return failure('the language server has not said anything about the file yet; ask again');
      return success(found.length === 0 ? `no problems in ${file.relative}` : diagnosticLines(file.relative, found));
    }
  }
}

function positionOf({ line, column }: Input): { readonly line: number; readonly character: number } {
  return { line: (line ?? 1) - 1, character: (column ?? 1) - 1 };
}

const Position = z.object({ line: z.number(), character: z.number() });
const Range = z.object({ start: Position });
const Location = z.object({ uri: z.string(), range: Range });
const Link = z.object({ targetUri: z.string(), targetSelectionRange: Range });
const Places = z.union([z.array(z.union([Location, Link])), Location.transform((one) => [one])]).nullish();

async function places(answer: unknown, root: string): Promise<ToolOutcome> {
  const found = Places.parse(answer) ?? [];
  if (found.length === 0) return success('nothing was found');
  const lines: string[] = [];
  for (const place of found.slice(0, maxShown)) {
    const { uri, range } = 'uri' in place ? place : { uri: place.targetUri, range: place.targetSelectionRange };
    const path = uri.startsWith('file:') ? fileURLToPath(uri) : uri;
    const source = isInside(root, path) ? `: ${await lineOf(path, range.start.line)}` : '';
    lines.push(`${shownPlace(path, range.start, root)}${source}`);
  }
  return success(bounded(lines, found.length));
}

function shownPlace(path: string, { line, character }: z.output<typeof Position>, root: string): string {
  const name = isInside(root, path) ? relative(root, path).split(sep).join('/') : path;
  return `${cleanLine(name, 500)}:${line + 1}:${character + 1}`;
}

async function lineOf(path: string, line: number): Promise<string> {
  try {
    return cleanLine((await readFile(path, 'utf8')).split('\n')[line] ?? '', 200);
  } catch {
    // Gone since the server has read it.
    return '';
  }
}

function bounded(lines: readonly string[], count: number): string {
  const more = count > lines.length ? [`[${count - lines.length} more]`] : [];
  return limitText([...lines, ...more].join('\n'), { maxCharacters: maxOutputCharacters, advice: 'ask for less' });
}

const Markup = z.union([z.string(), z.object({ value: z.string() })]);
const Hover = z.object({ contents: z.union([Markup, z.array(Markup)]) }).nullish();

function hover(answer: unknown): ToolOutcome {
  const contents = Hover.parse(answer)?.contents ?? [];
  const parts = (Array.isArray(contents) ? contents : [contents]).map((part) =>
    typeof part === 'string' ? part : part.value,
  );
  const text = plainText(parts.join('\n')).trim();
  return success(
    text === ''
      ? 'nothing is known about that place'
      : limitText(text, { maxCharacters: 10_000, advice: 'read the file' }),
  );
}

const Items = z.array(z.object({ label: z.string(), detail: z.string().nullish(), sortText: z.string().nullish() }));
const Completion = z.union([Items, z.object({ items: Items }).transform(({ items }) => items)]).nullish();

/** Servers leave it to editors to hold what was typed against what there is. */
function completion(answer: unknown, typed: string): ToolOutcome {
  const items = (Completion.parse(answer) ?? [])
    .filter(({ label }) => label.toLowerCase().startsWith(typed.toLowerCase()))
    .toSorted((a, b) => ((a.sortText ?? a.label) < (b.sortText ?? b.label) ? -1 : 1));
  if (items.length === 0) return success('nothing fits there');
  const lines = items
    .slice(0, maxShown)
    .map(({ label, detail }) => cleanLine(detail ? `${label}  ${detail}` : label, 200));
  return success(bounded(lines, items.length));
}

async function wordBefore(path: string, given: Input): Promise<string> {
  const { line, character } = positionOf(given);
  const text = (await readFile(path, 'utf8')).split('\n')[line] ?? '';
  return /[\w$]*$/.exec(text.slice(0, character))?.[0] ?? '';
}

const kinds: Readonly<Record<number, string>> = {
  2: 'module',
  3: 'namespace',
  5: 'class',
  6: 'method',
  7: 'property',
  8: 'field',
  9: 'constructor',
  10: 'enum',
  11: 'interface',
  12: 'function',
  13: 'variable',
  14: 'constant',
  22: 'enum member',
  23: 'struct',
  26: 'type parameter',
};

interface SymbolNode {
  readonly name: string;
  readonly kind: number;
  readonly selectionRange?: z.output<typeof Range> | undefined;
  readonly location?: { readonly uri: string; readonly range?: z.output<typeof Range> | undefined } | undefined;
  readonly children?: readonly SymbolNode[] | null | undefined;
}
const SymbolNode: z.ZodType<SymbolNode> = z.object({
  name: z.string(),
  kind: z.number(),
  selectionRange: Range.optional(),
  location: z.object({ uri: z.string(), range: Range.optional() }).optional(),
  get children() {
    return z.array(SymbolNode).nullish();
  },
});

function symbols(answer: unknown, root: string): ToolOutcome {
  const lines: string[] = [];
  const add = (nodes: readonly SymbolNode[], level: number): void => {
    for (const { name, kind, selectionRange, location, children } of nodes) {
      const start = selectionRange?.start ?? location?.range?.start;
      const path = location?.uri.startsWith('file:') === true ? fileURLToPath(location.uri) : undefined;
      const line = start === undefined ? '' : `line ${start.line + 1}`;
      const place = path === undefined || start === undefined ? line : shownPlace(path, start, root);
      lines.push(`${'  '.repeat(level)}${kinds[kind] ?? 'symbol'} ${cleanLine(name, 200)}  ${place}`.trimEnd());
      add(children ?? [], level + 1);
    }
  };
  add(z.array(SymbolNode).nullish().parse(answer) ?? [], 0);
  return success(lines.length === 0 ? 'no symbols were found' : bounded(lines.slice(0, 300), lines.length));
}

const severities = ['', 'error', 'warning', 'information', 'hint'];

function diagnosticLines(path: string, found: readonly Diagnostic[]): string {
  const sorted = found.toSorted((a, b) => (a.severity ?? 1) - (b.severity ?? 1));
  const lines = sorted.slice(0, maxShown).map(({ range, severity, message, code }) => {
    const what = severities[severity ?? 1] ?? 'error';
    const place = `${path}:${range.start.line + 1}:${range.start.character + 1}`;
    return `${place} ${what}: ${cleanLine(message, 500)}${code === null || code === undefined ? '' : ` [${code}]`}`;
  });
  return bounded(lines, found.length);
}

const afterEditWaitMs = 3000;
const maxFilesAfterEdit = 5;
const maxErrorsAfterEdit = 10;

/**
 * What the edit's files have for errors now, to be added to its outcome; empty where no server of theirs runs, or none has answered in
 * time. Never rejects, never starts a server.
 */
export async function errorsAfterEdit(
  servers: LanguageServers,
  files: readonly WorkspacePath[],
  { workspace, workspaceId }: ToolContext,
): Promise<string> {
  const notes = await Promise.all(
    files.slice(0, maxFilesAfterEdit).map(async ({ absolute, relative: name }) => {
      try {
        const serving = await servers.running({ id: workspaceId, root: workspace.root }, absolute);
        const errors = serving === undefined ? [] : await errorsIn(serving, absolute);
        return errors.length === 0 ? '' : diagnosticLines(name, errors.slice(0, maxErrorsAfterEdit));
      } catch {
        // The edit is made, whatever becomes of the server; a file that was deleted has no errors.
        return '';
      }
    }),
  );
  const found = notes.filter((note) => note !== '');
  return found.length === 0 ? '' : `\n[errors now, by the language server]\n${found.join('\n')}`;
}

async function errorsIn({ server, languageId }: Serving, file: string): Promise<readonly Diagnostic[]> {
  const found = (await server.diagnose(file, languageId, afterEditWaitMs)) ?? [];
  return found.filter(({ severity }) => (severity ?? 1) === 1);
}
