import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { slug } from '../../domain/run/ids.ts';

const longestName = 40;

/**
 * The stable id of this host: `<host name>-<6 hex digits>`, kept in `<dataDir>/host-id` and made when it is missing. All
 * processes of one data dir get the same, also when they ask at the same time.
 */
export async function ensureHostId(dataDir: string): Promise<string> {
  const file = join(dataDir, 'host-id');
  const known = await readId(file);
  if (known !== undefined) return known;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const suffix = randomBytes(3).toString('hex');
  const own = `${slug(hostname()).slice(0, longestName)}-${suffix}`;
  // Written whole under another name first: whoever sees the file sees all of it.
  const draft = `${file}.${process.pid}-${suffix}`;
  await writeFile(draft, `${own}\n`, { mode: 0o600, flush: true });
  try {
    await link(draft, file);
    return own;
  } catch (error) {
    const other = await readId(file);
    if (other === undefined) throw error;
    return other;
  } finally {
    await rm(draft, { force: true });
  }
}

async function readId(file: string): Promise<string | undefined> {
  try {
    const id = (await readFile(file, 'utf8')).trim();
    return id === '' ? undefined : id;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
