/** Which projects the user has allowed to bring configuration of their own. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { projectFiles } from './extension-files.ts';
import type { ExtensionFiles } from './extension-files.ts';

/** `<dataDir>/trust/<hash of the path>.json`: `{"project":"/home/me/todo","digest":"9f…","answer":"trusted","at":"2026-11-21T12:00:00.000Z"}` */
const TrustRecord = z.object({
  /** Real path. */
  project: z.string(),
  /** Of what lay in the project when the user answered. */
  digest: z.string(),
  answer: z.enum(['trusted', 'refused']),
  /** RFC 3339, UTC. */
  at: z.string(),
});
export type TrustRecord = z.infer<typeof TrustRecord>;

/**
 * - `nothing`: the project brings no configuration
 * - `trusted`, `refused`: the user's answer about exactly what is there now
 * - `changed`: it was trusted and is not what it was
 * - `unknown`: the user was never asked
 */
export type Trust = 'nothing' | 'trusted' | 'refused' | 'changed' | 'unknown';

export interface Project extends ExtensionFiles {
  /** Real path of its top folder. */
  readonly project: string;
  readonly trust: Trust;
}

/** What a project brings, and whether it may be obeyed: nothing of it that is not `trusted`. */
export async function readProject(dataDir: string, project: string): Promise<Project> {
  const [files, record] = await Promise.all([projectFiles(project), readRecord(fileOf(dataDir, project))]);
  return { project, ...files, trust: trustOf(files.digest, record?.project === project ? record : undefined) };
}

function trustOf(digest: string | null, record: TrustRecord | undefined): Trust {
  if (digest === null) return 'nothing';
  if (record?.digest === digest) return record.answer;
  return record?.answer === 'trusted' ? 'changed' : 'unknown';
}

/** Keeps the user's answer about what has this digest, in place of an earlier one. Never torn. */
export async function keepTrust(dataDir: string, record: Omit<TrustRecord, 'at'>): Promise<void> {
  const file = fileOf(dataDir, record.project);
  await mkdir(join(dataDir, 'trust'), { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomBytes(4).toString('hex')}`;
  const text = JSON.stringify({ ...record, at: new Date().toISOString() } satisfies TrustRecord);
  await writeFile(draft, `${text}\n`, { mode: 0o600, flush: true });
  await rename(draft, file);
}

/** False when there was none. */
export async function removeTrust(dataDir: string, project: string): Promise<boolean> {
  const file = fileOf(dataDir, project);
  const isThere = (await readRecord(file)) !== undefined;
  await rm(file, { force: true });
  return isThere;
}

/** By path. */
export async function listTrust(dataDir: string): Promise<readonly TrustRecord[]> {
  const folder = join(dataDir, 'trust');
  const files = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.json'));
  const records = await Promise.all(files.map(async (name) => await readRecord(join(folder, name))));
  return records.filter((record) => record !== undefined).toSorted((a, b) => (a.project < b.project ? -1 : 1));
}

function fileOf(dataDir: string, project: string): string {
  return join(dataDir, 'trust', `${createHash('sha256').update(project).digest('hex').slice(0, 32)}.json`);
}

async function readRecord(file: string): Promise<TrustRecord | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return TrustRecord.safeParse(JSON.parse(text)).data;
  } catch {
    // Whatever is in there is no answer of the user's: they are asked.
    return undefined;
  }
}
