import { mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ensureHostId } from '../../services/config/host-id.ts';

test('a host keeps its id, and everybody who asks at the same time gets the same', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'codetether-host-'));
  const dataDir = join(folder, 'deep', 'data');
  const ids = await Promise.all(Array.from({ length: 20 }, async () => await ensureHostId(dataDir)));
  expect(new Set(ids).size).toBe(1);
  expect(ids[0]).toMatch(/^[a-z0-9][a-z0-9-]*-[0-9a-f]{6}$/);
  expect(await ensureHostId(dataDir)).toBe(ids[0]);
  expect(await readFile(join(dataDir, 'host-id'), 'utf8')).toBe(`${ids[0]}\n`);
  expect((await stat(join(dataDir, 'host-id'))).mode & 0o777).toBe(0o600);
  expect(await readdir(dataDir)).toEqual(['host-id']);
  await rm(folder, { recursive: true, force: true });
});
