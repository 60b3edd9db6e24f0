import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CodetetherError } from '../../domain/errors.ts';
import { errorLines } from '../../cli/output/errors.ts';
import { unicodeSigns } from '../../cli/output/signs.ts';
import { restartPauseMs } from '../../services/stack/child.ts';
import { tryLock } from '../../services/stack/lock.ts';
import { readLogFrom, readLogTail } from '../../services/stack/logs.ts';
import { makeSocketFolder } from '../../services/stack/own-socket.ts';
import { logFile, stackPaths } from '../../services/stack/paths.ts';
import { freePort } from '../../services/stack/ports.ts';
import { identify, isAlive } from '../../services/stack/processes.ts';
import { readState } from '../../services/stack/state.ts';
import { temporalArguments } from '../../services/stack/temporal.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'codetether-parts-'));
  mkdirSync(join(folder, 'stack'));
  mkdirSync(join(folder, 'logs'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('the pause before a process is started again', () => {
  it('is none after one short life, and grows to ten seconds', () => {
    expect([0, 1, 2, 3, 4, 8, 9, 100].map(restartPauseMs)).toEqual([0, 0, 100, 200, 400, 6_400, 10_000, 10_000]);
  });
});

describe('a free port', () => {
  it('can be listened on, and is below those that the system gives to whoever asks for any', async () => {
    const listen = async (port: number): Promise<number> =>
      await new Promise((resolve, reject) => {
        const server = createServer().once('error', reject);
        server.listen(port, '127.0.0.1', () => {
          const { port: had } = server.address() as AddressInfo;
          server.close(() => resolve(had));
        });
      });
    for (let tries = 0; tries < 20; tries++) expect(await listen(await freePort())).toBeLessThan(await listen(0));
  });
});

describe('the lock of a data dir', () => {
  it('is had by one process, and given up by the kernel when that is killed', async () => {
    const file = join(folder, 'lock.db');
    const module = new URL('../../services/stack/lock.ts', import.meta.url).href;
    const script = `import { tryLock } from ${JSON.stringify(module)}; tryLock(${JSON.stringify(file)}); console.log('have it'); setInterval(() => {}, 1000);`;
    const other = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => {
      other.stdout.once('data', resolve);
    });
    expect(tryLock(file)).toBeUndefined();
    const ended = new Promise((resolve) => {
      other.once('exit', resolve);
    });
    other.kill('SIGKILL');
    await ended;
    const lock = tryLock(file);
    expect(lock).toBeDefined();
    lock?.release();
    expect(tryLock(file)).toBeDefined();
  });
});

describe('a process', () => {
  it('is known by number and start time together', async () => {
    const self = await identify(process.pid);
    expect(self).toBeDefined();
    if (self === undefined) return;
    expect(await isAlive(self)).toBe(true);
    expect(await isAlive({ ...self, startTime: '1' })).toBe(false);
    expect(await identify(0)).toBeUndefined();
    expect(await identify(2 ** 30)).toBeUndefined();
  });

  it('that has ended and was not collected is not alive', async () => {
    // The shell ends its child by itself and never asks for it: a zombie for as long as the shell lives.
    const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 30'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = await new Promise<number>((resolve) => {
      parent.stdout.once('data', (data: Buffer) => resolve(Number(data.toString())));
    });
    await expect.poll(async () => await identify(pid)).toBeUndefined();
    parent.kill('SIGKILL');
  });
});

describe('the state of a stack', () => {
  it('is none when the file is missing, torn, or something else', async () => {
    const { stateFile } = stackPaths(folder);
    expect(await readState(folder)).toBeUndefined();
    for (const text of [
      '',
      '{"schemaVersion":1,"supervisor":{"pid"',
      '[]',
      '{"schemaVersion":2}',
      '{"schemaVersion":1,"supervisor":{"pid":"x"}}',
    ]) {
      writeFileSync(stateFile, text);
      expect(await readState(folder)).toBeUndefined();
    }
  });
});

describe('logs', () => {
  it('are read from their end, over any number of blocks', async () => {
    expect(await readLogTail(folder, 'worker', { lines: 5 })).toEqual({ lines: [], offset: 0 });
    const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index} é`);
    writeFileSync(logFile(folder, 'worker'), `${lines.join('\n')}\n`);
    const tail = await readLogTail(folder, 'worker', { lines: 12_000 });
    expect(tail.lines).toEqual(lines.slice(-12_000));
    expect((await readLogTail(folder, 'worker', { lines: 0 })).lines).toEqual([]);
  });

  it('are followed line by line, also when the file was cut', async () => {
    writeFileSync(logFile(folder, 'api'), 'one\n');
    const { offset } = await readLogTail(folder, 'api', { lines: 10 });
    appendFileSync(logFile(folder, 'api'), 'two\nhal');
    const next = await readLogFrom(folder, 'api', offset);
    expect(next.lines).toEqual(['two']);
    appendFileSync(logFile(folder, 'api'), 'f\n');
    const last = await readLogFrom(folder, 'api', next.offset);
    expect(last.lines).toEqual(['half']);
    truncateSync(logFile(folder, 'api'));
    appendFileSync(logFile(folder, 'api'), 'new\n');
    expect((await readLogFrom(folder, 'api', last.offset)).lines).toEqual(['new']);
  });
});

describe('the folder of a socket', () => {
  it('is refused when others may write in it, and not when they may look', async () => {
    const open = mkdtempSync('/tmp/codetether-open-');
    await makeSocketFolder(join(open, 'x.sock'));
    const { chmodSync } = await import('node:fs');
    chmodSync(open, 0o755);
    await makeSocketFolder(join(open, 'x.sock'));
    chmodSync(open, 0o777);
    await expect(makeSocketFolder(join(open, 'x.sock'))).rejects.toMatchObject({ code: 'config-invalid' });
    await rm(open, { recursive: true });
  });
});

describe('the engine', () => {
  it('is started for durability, short steps, and with our search attributes', () => {
    const args = temporalArguments({ databaseFile: '/d/temporal.db', port: 1, uiPort: 2, namespace: 'default' }).join(
      ' ',
    );
    expect(args).toContain('server start-dev --ip 127.0.0.1 --port 1 --ui-port 2 --db-filename /d/temporal.db');
    expect(args).toContain('--sqlite-pragma journal_mode=WAL --sqlite-pragma synchronous=FULL');
    expect(args).toContain('--dynamic-config-value history.transferProcessorMaxPollRPS=2000');
    expect(args).toContain('--search-attribute CodetetherRepo=Keyword');
    expect(args).toContain('--search-attribute CodetetherCostUsd=Double');
    expect(args).not.toContain('--namespace');
  });
});

describe('an error for people', () => {
  const look = { signs: unicodeSigns, color: false, columns: 60 };

  it('says what happened, each place, what to do next, and its code', () => {
    const error = new CodetetherError('prd-invalid', 'prd.json is not usable (2 problems)', {
      problems: ['user_stories[3].id: wrong', 'user_stories[5].id: \u001B[31m../../x'],
      next: 'Check with: codetether ralph validate',
    });
    expect(errorLines(error, { look, debug: false })).toEqual([
      'error: prd.json is not usable (2 problems)',
      '  user_stories[3].id: wrong',
      '  user_stories[5].id: ../../x',
      'Check with: codetether ralph validate          [prd-invalid]',
    ]);
  });

  it('has no stack trace unless asked for, and its cause then', () => {
    const error = new Error('broken', { cause: new Error('deeper') });
    expect(errorLines(error, { look, debug: false })).toHaveLength(2);
    const text = errorLines(error, { look, debug: true }).join('\n');
    expect(text).toContain('stack-parts.test.ts');
    expect(text).toContain('Error: deeper');
  });
});
