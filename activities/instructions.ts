/** What a project tells agents: AGENTS.md and its kin. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { plainText } from './tools/output-text.ts';
import { resolveWorkspacePath } from './tools/workspace-path.ts';

export interface InstructionFile {
  /** Relative to the workspace. */
  readonly path: string;
  readonly text: string;
  /** Characters of it that were left out at its end. */
  readonly cutCharacters: number;
}

const maxInstructionCharacters = 32 * 1024;

/** Of each folder the first of these that exists. */
const instructionNames = ['AGENTS.override.md', 'AGENTS.md', 'CLAUDE.md', 'GEMINI.md'];

/** Of a folder and those above it, up to the top of its repository; of the folder alone where it is in none. */
export async function folderInstructions(folder: string): Promise<InstructionFile[]> {
  const top = (await repositoryTop(folder)) ?? folder;
  const parts = relative(top, folder).split(sep).filter(Boolean);
  return await readInstructions(top, ['', ...parts.map((_, index) => parts.slice(0, index + 1).join('/'))]);
}

/** The folder with `.git` at or above a folder; undefined outside of any repository. */
export async function repositoryTop(folder: string): Promise<string | undefined> {
  for (let at = folder; ; at = dirname(at)) {
    if ((await stat(join(at, '.git')).catch(() => undefined)) !== undefined) return at;
    if (at === dirname(at)) return undefined;
  }
}

/**
 * The instruction files of folders of a workspace, outermost first. When there is too much, the nearest files are whole and the
 * farthest is cut.
 */
export async function readInstructions(workspacePath: string, folders: readonly string[]): Promise<InstructionFile[]> {
  const found: InstructionFile[] = [];
  let left = maxInstructionCharacters;
  for (const folder of folders.toReversed()) {
    const file = await firstInstructionFile(workspacePath, folder);
    if (file === null) continue;
    const text = file.text.slice(0, left).toWellFormed();
    left -= text.length;
    found.unshift({ path: file.path, text, cutCharacters: file.text.length - text.length });
  }
  return found;
}

async function firstInstructionFile(
  workspacePath: string,
  folder: string,
): Promise<{ readonly path: string; readonly text: string } | null> {
  for (const name of instructionNames) {
    const path = join(folder, name);
    const text = await readInside(workspacePath, path);
    if (text !== null && text.trim() !== '') return { path, text: plainText(text) };
  }
  return null;
}

async function readInside(workspacePath: string, path: string): Promise<string | null> {
  try {
    const file = await resolveWorkspacePath({ root: workspacePath, mainCheckout: null }, path, 'read');
    return await readFile(file.absolute, 'utf8');
  } catch {
    // Not there, not readable, or a link that leads out: as good as none.
    return null;
  }
}
