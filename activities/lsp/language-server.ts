import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { openInputPipe } from '../process/input-pipe.ts';
import type { RunCommand } from '../process/run-command.ts';
import { createRpcConnection, type RpcConnection } from './rpc-connection.ts';
import type { ServerProgram } from './server-programs.ts';

const Position = z.object({ line: z.number(), character: z.number() });
const Diagnostic = z.object({
  range: z.object({ start: Position }),
  severity: z.number().nullish(),
  message: z.string(),
  code: z.union([z.string(), z.number()]).nullish(),
});
export type Diagnostic = z.output<typeof Diagnostic>;
const Published = z.object({ uri: z.string(), version: z.number().nullish(), diagnostics: z.array(Diagnostic) });
const Pulled = z.object({ items: z.array(Diagnostic).nullish() });
const Initialized = z.object({ capabilities: z.record(z.string(), z.unknown()) });

/** One running language server of one workspace. */
export interface LanguageServer {
  /** Asks about a file, with its content as it is now. Rejects when the server does, or is over. */
  readonly ask: (file: string, languageId: string, method: string, params: object) => Promise<unknown>;
  /** Asks about the workspace. */
  readonly askAll: (method: string, params: object) => Promise<unknown>;
  /** What is wrong with the file as it is now; undefined when the server has not said so in time. */
  readonly diagnose: (file: string, languageId: string, waitMs: number) => Promise<readonly Diagnostic[] | undefined>;
  readonly isOver: () => boolean;
  /** Resolves when it is, with all that it had started. Never rejects. */
  readonly over: Promise<unknown>;
}

interface Document {
  version: number;
  text: string;
}

interface Publication {
  readonly version: number | null;
  readonly diagnostics: readonly Diagnostic[];
  /** On the clock of `performance.now`. */
  readonly atMs: number;
}

const pollMs = 50;
/** What a server that names no versions has said can be about the text before; it stands when nothing newer came for so long. */
const settledMs = 1_000;

function isOf({ version, atMs }: Publication, wanted: number): boolean {
  return version === null ? performance.now() - atMs >= settledMs : version >= wanted;
}

/** Starts a server and waits until it is ready. Rejects when it ends before. Ends with `signal`. */
export async function startLanguageServer(options: {
  readonly program: ServerProgram;
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  readonly processDir: string;
  readonly runCommand: RunCommand;
  readonly signal: AbortSignal;
}): Promise<LanguageServer> {
  const { program, root, runCommand } = options;
  const input = await openInputPipe(options.processDir, runCommand);
  const published = new Map<string, Publication>();
  const rpc: RpcConnection = createRpcConnection({
    write: (message) => input.stream.write(message),
    onNotification: (method, params) => {
      if (method !== 'textDocument/publishDiagnostics') return;
      const read = Published.safeParse(params);
      if (read.success) {
        const { uri, version = null, diagnostics } = read.data;
        published.set(uri, { version, diagnostics, atMs: performance.now() });
      }
    },
    onRequest: (method, params) => {
      if (method !== 'workspace/configuration') return null;
      return z
        .object({ items: z.array(z.unknown()) })
        .parse(params)
        .items.map(() => null);
    },
  });
  let isOver = false;
  const over = runCommand({
    // What it says to people would come between its messages.
    command: ['/bin/sh', '-c', 'exec <"$0" 2>/dev/null; exec "$@"', input.path, ...program.command],
    cwd: root,
    env: options.env,
    signal: options.signal,
    maxOutputBytes: 0,
    onOutput: rpc.receive,
  })
    .catch(() => undefined)
    .finally(() => {
      isOver = true;
      input.release();
      rpc.close('the language server has ended');
    });
  const canPull = await initialize(rpc, root, program.options);
  const documents = new Map<string, Document>();
  const sync = async (
    file: string,
    languageId: string,
  ): Promise<{ readonly uri: string; readonly version: number }> => {
    const uri = pathToFileURL(file).href;
    const text = await readFile(file, 'utf8');
    const document = documents.get(uri);
    if (document === undefined) {
      documents.set(uri, { version: 1, text });
      rpc.notify('textDocument/didOpen', { textDocument: { uri, languageId, version: 1, text } });
    } else if (document.text !== text) {
      document.version += 1;
      document.text = text;
      published.delete(uri);
      rpc.notify('textDocument/didChange', {
        textDocument: { uri, version: document.version },
        contentChanges: [{ text }],
      });
    }
    return { uri, version: document?.version ?? 1 };
  };

  return {
    over,
    isOver: () => isOver,
    askAll: rpc.request,
    ask: async (file, languageId, method, params) => {
      const { uri } = await sync(file, languageId);
      return rpc.request(method, { textDocument: { uri }, ...params });
    },
    diagnose: async (file, languageId, waitMs) => {
      const { uri, version } = await sync(file, languageId);
      if (canPull) {
        const pulled = rpc.request('textDocument/diagnostic', { textDocument: { uri } });
        pulled.catch(() => undefined);
        const answer = await Promise.race([pulled, delay(waitMs)]);
        return answer === undefined ? undefined : (Pulled.parse(answer).items ?? []);
      }
      for (let waited = 0; waited <= waitMs && !isOver; waited += pollMs) {
        const publication = published.get(uri);
        if (publication !== undefined && isOf(publication, version)) return publication.diagnostics;
        await delay(pollMs);
      }
      return undefined;
    },
  };
}

/** @returns whether it can be asked for diagnostics; else it gives them by itself */
async function initialize(
  rpc: RpcConnection,
  root: string,
  initializationOptions: ServerProgram['options'],
): Promise<boolean> {
  const uri = pathToFileURL(root).href;
  const answer = await rpc.request('initialize', {
    processId: process.pid,
    rootUri: uri,
    ...(initializationOptions === undefined ? {} : { initializationOptions }),
    workspaceFolders: [{ uri, name: 'workspace' }],
    capabilities: {
      general: { positionEncodings: ['utf-16'] },
      workspace: { configuration: true, workspaceFolders: true },
      textDocument: {
        synchronization: {},
        publishDiagnostics: { versionSupport: true },
        diagnostic: {},
        hover: { contentFormat: ['plaintext', 'markdown'] },
        documentSymbol: { hierarchicalDocumentSymbolSupport: true },
        definition: {},
        references: {},
        implementation: {},
        completion: { completionItem: { snippetSupport: false } },
      },
    },
  });
  rpc.notify('initialized', {});
  return Initialized.parse(answer).capabilities['diagnosticProvider'] !== undefined;
}
