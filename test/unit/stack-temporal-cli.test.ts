import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findTemporalCli } from '../../services/stack/temporal-cli.ts';
import type { TemporalCli } from '../../services/stack/temporal-cli.ts';

let folder: string;
let server: Server;
let archiveAddress: string;
let downloads: number;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'codetether-cli-'));
  mkdirSync(join(folder, 'bin'));
  downloads = 0;
  server = createServer((request, response) => {
    downloads += 1;
    const archive = join(folder, 'archive.tar.gz');
    if (!existsSync(archive)) response.writeHead(404).end();
    else response.end(readFileSync(archive));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  archiveAddress = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/v1.8.2`;
});
afterEach(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

function program(path: string, says: string): string {
  writeFileSync(path, `#!/bin/sh\necho "${says}"\n`);
  chmodSync(path, 0o755);
  return path;
}

function fits(path: string): string {
  return program(path, 'temporal version 1.8.2 (Server 1.31.2, UI 2.50.1)');
}

/** PATH holds our own folder and what the archive and the scripts need, not Go. */
async function find(temporalCli?: string): Promise<TemporalCli> {
  return await findTemporalCli({
    config: { cacheDir: join(folder, 'cache'), temporalCli },
    environment: { PATH: `${join(folder, 'bin')}:/usr/bin:/bin` },
    onProgress: () => undefined,
    archiveAddress,
    goFolders: [],
  });
}

function makeArchive(): void {
  mkdirSync(join(folder, 'archive'));
  fits(join(folder, 'archive', 'temporal'));
  execFileSync('tar', ['-czf', join(folder, 'archive.tar.gz'), '-C', join(folder, 'archive'), 'temporal']);
}

describe('the Temporal CLI', () => {
  it('is the one that the setting names, which has to run', async () => {
    fits(join(folder, 'bin', 'temporal'));
    const path = fits(join(folder, 'mine'));
    expect(await find(path)).toEqual({ path, source: 'setting' });
    await expect(find(program(join(folder, 'other'), 'something else'))).rejects.toMatchObject({
      code: 'config-invalid',
    });
    await expect(find(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'config-invalid' });
  });

  it('is the one on PATH when its server is new enough', async () => {
    const path = fits(join(folder, 'bin', 'temporal'));
    expect(await find()).toEqual({ path, source: 'path' });
    expect(downloads).toBe(0);
    program(path, 'temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)');
    makeArchive();
    expect(await find()).toMatchObject({ source: 'download' });
  });

  it('is downloaded once, by one of several at once, and then comes from the cache', async () => {
    makeArchive();
    const found = await Promise.all([find(), find(), find()]);
    const path = join(folder, 'cache', 'temporal-cli', '1.8.2', 'temporal');
    expect(found.map((cli) => cli.path)).toEqual([path, path, path]);
    expect(found.map(({ source }) => source).toSorted((one, other) => one.localeCompare(other))).toEqual([
      'cache',
      'cache',
      'download',
    ]);
    expect(downloads).toBe(1);
    expect(execFileSync(path).toString()).toContain('1.8.2');
    expect(readdirSync(join(folder, 'cache', 'temporal-cli', '1.8.2')).filter((name) => name !== 'lock.db')).toEqual([
      'temporal',
    ]);
  });

  it('that cannot be had is an error that says all that was tried', async () => {
    writeFileSync(join(folder, 'archive.tar.gz'), 'not an archive');
    program(join(folder, 'bin', 'temporal'), 'temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)');
    const failure = await find().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'engine-missing' });
    const { problems } = failure as { readonly problems: readonly string[] };
    expect(problems[0]).toBe('CODETETHER_TEMPORAL_CLI: not set');
    expect(problems[1]).toBe(`temporal on PATH: ${folder}/bin/temporal has server 1.29.1, 1.31.2 or newer is needed`);
    expect(problems[2]).toBe(`tool cache: ${folder}/cache/temporal-cli/1.8.2/temporal is not there`);
    expect(problems[3]).toMatch(/^official archive: tar ended with status 2/);
    expect(problems[4]).toBe('build with Go: there is no go on PATH');
    expect(readdirSync(join(folder, 'cache', 'temporal-cli', '1.8.2')).filter((name) => name !== 'lock.db')).toEqual(
      [],
    );
  });

  it('is built from a copy of our module when there is Go, without network to the archive', async () => {
    // Stands in for Go: writes the program where it was told to, with what it was told in it.
    const go = join(folder, 'bin', 'go');
    const answer = 'temporal version 0.0.0-DEV (Server 1.31.2, UI 2.50.1)';
    writeFileSync(
      go,
      `#!/bin/sh
[ -f go.mod ] && [ -f go.sum ] || exit 9
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho "${answer}"\\n# %s %s %s\\n' "$CGO_ENABLED" "$GOCACHE" "$3" > "$2"
`,
    );
    chmodSync(go, 0o755);
    const cli = await find();
    expect(cli.source).toBe('build');
    const made = readFileSync(cli.path, 'utf8');
    expect(made).toContain(`# 0 ${folder}/cache/go/build github.com/temporalio/cli/cmd/temporal`);
  });
});
