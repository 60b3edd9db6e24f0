import { appendFile, mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { excludesFile, readText } from './worktree.ts';

/** Never part of a story's change, unless the repository tracks it: what running and testing code leaves behind. */
const leavings = [
  '.DS_Store',
  '__pycache__/',
  '*.py[co]',
  '.pytest_cache/',
  '.mypy_cache/',
  '.ruff_cache/',
  'node_modules/',
  '.venv/',
];

/**
 * Adds lines to the repository's own `info/exclude` (never committed), each once: git does not show what they name,
 * in no checkout of the repository.
 */
export async function excludeFromStatus(commonDir: string, patterns: readonly string[]): Promise<void> {
  const file = path.join(commonDir, 'info', 'exclude');
  const text = await readText(file);
  const present = new Set(text.split(/\r?\n/));
  const missing = patterns.filter((pattern) => !present.has(pattern));
  if (missing.length === 0) return;
  await mkdir(path.dirname(file), { recursive: true });
  const gap = text === '' || text.endsWith('\n') ? '' : '\n';
  await appendFile(file, `${gap}${missing.map((pattern) => `${pattern}\n`).join('')}`);
}

/**
 * Writes the file that our own git commands in worktrees use as `core.excludesFile`: the user's own (which it stands in
 * for) and the leavings.
 */
export async function writeExcludesFile(commonDir: string, userExcludesFile: string | undefined): Promise<void> {
  const own = userExcludesFile === undefined ? '' : await readText(userExcludesFile);
  const text = `${own}\n${leavings.join('\n')}\n`;
  const file = excludesFile(commonDir);
  if ((await readText(file)) === text) return;
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}
