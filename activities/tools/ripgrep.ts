import type { RunCommand } from '../process/run-command.ts';
import { maxSearchedBytes } from './search-files.ts';

/** ripgrep as it comes with the package, else the one on PATH, if any. */
export async function findRipgrep(): Promise<string> {
  try {
    return (await import('@vscode/ripgrep')).rgPath;
  } catch {
    // There is none for this platform.
    return 'rg';
  }
}

const timeoutMs = 10_000;
/** Below the system's limit for the arguments of a program. */
const maxArgumentBytes = 400_000;

/**
 * Those of the files (relative to `root`) that hold one of the texts, as ripgrep finds them, and perhaps some more; null when
 * ripgrep is not there or does not get done. Leaves out files that are too large to be searched.
 */
export async function filesWithText(
  search: {
    readonly root: string;
    readonly files: readonly string[];
    readonly texts: readonly string[];
    readonly ignoreCase: boolean;
  },
  tools: { readonly ripgrep: string; readonly runCommand: RunCommand; readonly signal: AbortSignal },
): Promise<readonly string[] | null> {
  const options = ['--no-config', '--files-with-matches', '--null', '--text', '--encoding', 'none', '--no-messages'];
  const texts = search.texts.flatMap((text) => ['-e', text]);
  const common = [
    ...options,
    '--fixed-strings',
    '--color=never',
    '--max-filesize',
    String(maxSearchedBytes),
    ...(search.ignoreCase ? ['--ignore-case'] : ['--case-sensitive']),
    ...texts,
    '--',
  ];
  const found: string[] = [];
  for (const files of inChunks(search.files)) {
    const result = await tools.runCommand({
      command: [tools.ripgrep, ...common, ...files.map((file) => `./${file}`)],
      cwd: search.root,
      timeoutMs,
      signal: tools.signal,
      maxOutputBytes: 64 * 1024 * 1024,
    });
    tools.signal.throwIfAborted();
    const isDone = result.exitCode === 0 || result.exitCode === 1 || (result.exitCode === 2 && result.output !== '');
    if (!isDone || result.omittedBytes > 0) return null;
    found.push(
      ...result.output
        .split('\0')
        .filter((name) => name !== '')
        .map((name) => name.replace(/^\.\//, '')),
    );
  }
  return found;
}

function* inChunks(files: readonly string[]): Generator<readonly string[]> {
  let chunk: string[] = [];
  let bytes = 0;
  for (const file of files) {
    const size = Buffer.byteLength(file) + 3;
    if (bytes + size > maxArgumentBytes && chunk.length > 0) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(file);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}
