import { readFile, rename, writeFile } from 'node:fs/promises';

/** What the file holds; where there is none it is made first, for its owner only, as a whole or not at all. */
export async function ensureSecretFile(path: string, make: () => string): Promise<string> {
  const present = await readFile(path, 'utf8').catch(() => '');
  if (present.trim() !== '') return present.trim();
  const secret = make();
  const unfinished = `${path}.${process.pid}`;
  await writeFile(unfinished, `${secret}\n`, { mode: 0o600, flush: true });
  await rename(unfinished, path);
  return secret;
}
