import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileChange } from './file-changes.ts';
import type { ToolContext } from './tool.ts';

/** What the changes would do, as one unified diff without colours; nothing in the workspace is touched. */
export async function changesDiff(context: ToolContext, changes: readonly FileChange[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'codetether-preview-'));
  try {
    const parts: string[] = [];
    for (const [index, change] of changes.entries()) {
      const after = join(folder, String(index));
      if (change.content !== null) await writeFile(after, change.content);
      parts.push(await fileDiff(context, change, after));
    }
    return parts.filter((part) => part !== '').join('\n');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fileDiff(context: ToolContext, { file, content }: FileChange, after: string): Promise<string> {
  const exists = existsSync(file.absolute);
  const sides = [exists ? file.absolute : '/dev/null', content === null ? '/dev/null' : after];
  const options = ['--no-index', '--no-color', '--no-ext-diff', '--no-textconv', '-U3'];
  const { stdout } = await context.git(['diff', ...options, '--', ...sides], { accept: [1] });
  const hunks = stdout.indexOf('\n@@ ');
  if (hunks === -1) return '';
  const from = exists ? `a/${file.relative}` : '/dev/null';
  const to = content === null ? '/dev/null' : `b/${file.relative}`;
  return `--- ${from}\n+++ ${to}${stdout.slice(hunks).trimEnd()}`;
}
