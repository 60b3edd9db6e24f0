import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A file for a PRD that came without one: a run works with the file of its PRD for as long as it lives. Its path is made of its content,
 * so the same PRD again goes on with its run, and another one is not written over it.
 * @returns its path
 */
export async function keepPrd(folder: string, prd: unknown): Promise<string> {
  const text = `${JSON.stringify(prd, null, 2)}\n`;
  const name = createHash('sha256').update(text).digest('hex').slice(0, 32);
  const file = join(folder, `${name}.json`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const whole = `${file}.${randomUUID()}`;
  await writeFile(whole, text, { mode: 0o600 });
  try {
    await link(whole, file);
  } catch (error) {
    // The run notes in it what has passed.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await rm(whole, { force: true });
  }
  return file;
}
