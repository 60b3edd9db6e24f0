import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { asCodetetherError } from '../../domain/errors.ts';
import { launchHere, type Launch } from '../../activities/process/launch.ts';
import { createLauncher } from '../../activities/process/launcher.ts';
import { killCommands, killLeftovers } from '../../activities/process/process-registry.ts';
import { newToken, tokenVariable } from '../../activities/process/register-group.ts';
import {
  createRunCommand,
  type Command,
  type CommandResult,
  type RunCommand,
} from '../../activities/process/run-command.ts';

const launcher = createLauncher();
afterAll(() => {
  launcher.close();
});

let folder = '';
let processDir = '';
let launch: Launch = launchHere;
let run: (command: Command['command'], options?: Partial<Command>) => Promise<CommandResult>;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'codetether-process-'));
  processDir = path.join(folder, 'processes');
  const env = { ...process.env, SECRET_TOKEN: 'hush' };
  let runCommand: RunCommand | undefined;
  run = (command, options) => {
    runCommand ??= createRunCommand({ env, processDir, launch });
    return runCommand({ command, cwd: folder, ...options });
  };
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function waitFor<T>(what: () => T | undefined | false): Promise<T> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline;) {
    const value = what();
    if (value !== undefined && value !== false) return value;
    await delay(10);
  }
  throw new Error('it did not come to pass');
}

function pidIn(file: string): number | undefined {
  const text = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  return text === '' ? undefined : Number(text);
}

/** Of processes that are to be killed when this one is. */
const notes = () => readdirSync(processDir).filter((name) => /^\d+$/.test(name));

/** Zombies are over: nobody may have asked about them yet. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe.each([
  ['from this process', launchHere],
  ['by a launcher', launcher.launch],
])('a command started %s', (_name, launchThen) => {
  beforeEach(() => {
    launch = launchThen;
  });

  describe('how a command ends', () => {
    test('by itself, with its exit code and both outputs in the order written', async () => {
      const result = await run('for i in 1 2 3; do echo out $i; echo err $i >&2; done; exit 3');
      expect(result).toMatchObject({ exitCode: 3, signal: null, timedOut: false, aborted: false, omittedBytes: 0 });
      expect(result.output).toBe('out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n');
    });

    test('by a signal', async () => {
      expect(await run('kill -SEGV $$')).toMatchObject({ exitCode: null, signal: 'SIGSEGV' });
    });

    test('a program and its arguments need no shell', async () => {
      expect(await run(['printf', '%s|', 'a b', '$HOME', '*'])).toMatchObject({ exitCode: 0, output: 'a b|$HOME|*|' });
    });

    test.each([
      ['a program that does not exist', ['no-such-program'] as const, 127],
      ['a command with a NUL', 'echo a\0b', 126],
      ['a command that is too long', ['echo', 'x'.repeat(3_000_000)] as const, 126],
    ])('%s is a result, not an error', async (_, command, exitCode) => {
      expect(await run(command)).toMatchObject({ exitCode, signal: null });
    });

    test('a folder that does not exist is an error', async () => {
      await expect(run('true', { cwd: path.join(folder, 'nowhere') })).rejects.toMatchObject({
        code: 'workspace-failed',
      });
    });

    test('at its time limit, with all that it started', async () => {
      const result = await run('sleep 60 & echo $! > child; sleep 60', { timeoutMs: 200 });
      expect(result).toMatchObject({ exitCode: null, signal: 'SIGTERM', timedOut: true, aborted: false });
      expect(isAlive(pidIn(path.join(folder, 'child')) ?? 0)).toBe(false);
      expect(result.durationMs).toBeLessThan(10_000);
    });

    test('at its time limit also when it ignores being asked', async () => {
      const result = await run('trap "" TERM; while true; do sleep 0.1; done', { timeoutMs: 100 });
      expect(result).toMatchObject({ signal: 'SIGKILL', timedOut: true });
      expect(result.durationMs).toBeLessThan(20_000);
    });

    test('by abort, before and while it runs', async () => {
      expect(await run('echo no > ran', { signal: AbortSignal.abort() })).toMatchObject({
        aborted: true,
        exitCode: null,
      });
      expect(existsSync(path.join(folder, 'ran'))).toBe(false);
      const controller = new AbortController();
      const { signal } = controller;
      expect(await run('echo on; sleep 60', { signal, onLine: () => controller.abort() })).toMatchObject({
        aborted: true,
        timedOut: false,
        signal: 'SIGTERM',
      });
    });

    test('by abort while it is being started', async () => {
      const controller = new AbortController();
      launch = async (request) => {
        const launched = await launchThen(request);
        controller.abort();
        return launched;
      };
      const result = await run('sleep 60', { signal: controller.signal });
      expect(result).toMatchObject({ aborted: true, timedOut: false, exitCode: null });
      expect(result.durationMs).toBeLessThan(20_000);
    });
  });

  describe('what a command leaves behind', () => {
    test('a background process that holds the output is ended and keeps nobody waiting', async () => {
      const result = await run('sleep 60 & echo $! > child; echo started');
      expect(result).toMatchObject({ exitCode: 0, output: 'started\n' });
      expect(result.durationMs).toBeLessThan(10_000);
      expect(isAlive(pidIn(path.join(folder, 'child')) ?? 0)).toBe(false);
    });

    test('a background process with its output elsewhere too', async () => {
      await run('sleep 60 > /dev/null 2>&1 & echo $! > child');
      expect(isAlive(pidIn(path.join(folder, 'child')) ?? 0)).toBe(false);
    });

    test('what a background process writes in its last moment is still read', async () => {
      expect((await run('(sleep 0.1; echo late) & echo early')).output).toBe('early\nlate\n');
    });

    test.runIf(process.platform === 'linux')('a process that left the group but holds the output', async () => {
      const result = await run(
        'setsid sh -c "echo \\$\\$ > child; sleep 60" & while [ ! -s child ]; do sleep 0.01; done',
      );
      expect(result).toMatchObject({ exitCode: 0 });
      expect(isAlive(pidIn(path.join(folder, 'child')) ?? 0)).toBe(false);
    });

    test('no file about it', async () => {
      await run('true');
      expect(notes()).toEqual([]);
    });
  });

  describe('output', () => {
    test('30 MB are bounded, and head and tail are there', async () => {
      const before = process.memoryUsage().rss;
      const result = await run('echo first; head -c 30000000 /dev/zero | tr "\\0" "x"; echo; echo last', {
        maxOutputBytes: 100_000,
      });
      expect(result.output).toMatch(/^first\nx/);
      expect(result.output).toMatch(/x\nlast\n$/);
      expect(result.omittedBytes).toBe(30_000_000 + 'first\n\nlast\n'.length - 100_000);
      expect(process.memoryUsage().rss - before).toBeLessThan(60_000_000);
    });

    test('lines come while it runs', async () => {
      const seen: string[] = [];
      let runningThen = true;
      const running = run('echo one; sleep 0.3; echo two', {
        onLine(line) {
          if (line === 'one') runningThen = !existsSync(path.join(folder, 'over'));
          seen.push(line);
        },
      });
      await running;
      writeFileSync(path.join(folder, 'over'), '');
      expect(seen).toEqual(['one', 'two']);
      expect(runningThen).toBe(true);
    });

    test('/dev/stderr and /dev/stdout can be opened', async () => {
      expect((await run('echo a > /dev/stderr; echo b | tee /dev/stdout')).output).toBe('a\nb\nb\n');
    });

    test('input is at its end', async () => {
      expect((await run('cat; read -r x || echo none')).output).toBe('none\n');
    });

    test('the environment is scrubbed and added to', async () => {
      const result = await run('echo "[$SECRET_TOKEN] [$EXTRA] [$VITEST]"', { env: { EXTRA: 'more' } });
      expect(result.output).toBe('[] [more] []\n');
    });

    test('many at the same time do not mix', async () => {
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, index) => run(`echo ${index}; sleep 0.0${index % 7}; echo ${index}`)),
      );
      expect(results.map((result) => result.output)).toEqual(results.map((_, index) => `${index}\n${index}\n`));
    });
  });
});

describe('after kill -9 of the worker', () => {
  const runner = fileURLToPath(new URL('../../activities/process/run-command.ts', import.meta.url));

  async function killedRunner(command: string): Promise<void> {
    const script = `
      const { createRunCommand } = await import(${JSON.stringify(runner)});
      const run = createRunCommand({ env: process.env, processDir: ${JSON.stringify(processDir)} });
      await run({ command: ${JSON.stringify(command)}, cwd: ${JSON.stringify(folder)} });
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
    await waitFor(() => existsSync(path.join(folder, 'ready')));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
  }

  test('its commands and all their processes are killed, and their files removed', async () => {
    await killedRunner(
      'sh -c "echo \\$\\$ > child; while true; do echo x >> log; sleep 0.01; done" & echo $$ > leader; while [ ! -s child ]; do sleep 0.01; done; echo > ready; wait',
    );
    const pids = [pidIn(path.join(folder, 'leader')) ?? 0, pidIn(path.join(folder, 'child')) ?? 0];
    expect(pids.map(isAlive)).toEqual([true, true]);
    expect(await killLeftovers(processDir)).toBeGreaterThanOrEqual(2);
    expect(pids.map(isAlive)).toEqual([false, false]);
    expect(readdirSync(processDir)).toEqual([]);
    expect(await killLeftovers(processDir)).toBe(0);
  });

  test.runIf(process.platform === 'linux')(
    'also those whose leader has ended since, and those that left the group',
    async () => {
      await killedRunner(
        'setsid sh -c "echo \\$\\$ > escaped; sleep 60" & sh -c "echo \\$\\$ > child; sleep 60" & while [ ! -s escaped ] || [ ! -s child ]; do sleep 0.01; done; echo $$ > leader; echo > ready; sleep 0.3',
      );
      const leader = pidIn(path.join(folder, 'leader')) ?? 0;
      await waitFor(() => !isAlive(leader));
      const pids = [pidIn(path.join(folder, 'child')) ?? 0, pidIn(path.join(folder, 'escaped')) ?? 0];
      expect(pids.map(isAlive)).toEqual([true, true]);
      await killLeftovers(processDir);
      expect(pids.map(isAlive)).toEqual([false, false]);
    },
  );

  test.runIf(process.platform === 'linux')(
    'one that it had no time to register too, and nothing of another folder',
    async () => {
      const started = (token: string) =>
        spawn('sleep', ['60'], { detached: true, stdio: 'ignore', env: { ...process.env, [tokenVariable]: token } });
      const left = started(newToken(processDir));
      const other = started(newToken(path.join(folder, 'elsewhere')));
      try {
        expect(await killLeftovers(processDir)).toBe(1);
        expect([left, other].map(({ pid }) => isAlive(pid ?? 0))).toEqual([false, true]);
      } finally {
        other.kill('SIGKILL');
      }
    },
  );

  test.runIf(process.platform === 'linux')(
    'but not what the command has started that this worker was started by',
    async () => {
      const token = newToken(processDir);
      const registry = fileURLToPath(new URL('../../activities/process/process-registry.ts', import.meta.url));
      const script = `
        const { killLeftovers } = await import(${JSON.stringify(registry)});
        console.log(await killLeftovers(${JSON.stringify(processDir)}));
      `;
      const env = { ...process.env, [tokenVariable]: token };
      const sibling = spawn('sleep', ['60'], { detached: true, stdio: 'ignore', env });
      try {
        const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
          env,
          encoding: 'utf8',
        });
        expect([stdout, isAlive(sibling.pid ?? 0)]).toEqual(['0\n', true]);
      } finally {
        sibling.kill('SIGKILL');
      }
    },
  );

  test('a pid that belongs to somebody else by now is let live', async () => {
    const other = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    try {
      mkdirSync(processDir);
      writeFileSync(
        path.join(processDir, String(other.pid)),
        JSON.stringify({ pid: other.pid, startTime: '1', token: 'none' }),
      );
      writeFileSync(path.join(processDir, '999999999'), '{"pid":');
      expect(await killLeftovers(processDir)).toBe(0);
      expect(isAlive(other.pid ?? 0)).toBe(true);
      expect(readdirSync(processDir)).toEqual([]);
    } finally {
      other.kill('SIGKILL');
    }
  });

  test('a folder that does not exist holds nothing', async () => {
    expect(await killLeftovers(path.join(folder, 'nowhere'))).toBe(0);
  });
});

const codeOf = (error: unknown) => asCodetetherError(error).code;

test('of a lost launcher the notes that it could not finish go when their command is over, others stay', async () => {
  mkdirSync(processDir);
  const other = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
  try {
    writeFileSync(path.join(processDir, '999999999'), '');
    writeFileSync(path.join(processDir, String(other.pid)), '');
    await killCommands(processDir, new Set([newToken(processDir)]));
    expect([notes(), isAlive(other.pid ?? 0)]).toEqual([[String(other.pid)], true]);
  } finally {
    other.kill('SIGKILL');
  }
});

describe('a launcher', () => {
  const source = fileURLToPath(new URL('../../activities/process/', import.meta.url));

  function launcherPid(): number {
    const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ');
    const pid = children
      .map(Number)
      .find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('launcher-process'));
    if (pid === undefined) throw new Error('no launcher');
    return pid;
  }

  test('kills what it has started when its process is killed', async () => {
    const script = `
      const { createRunCommand } = await import(${JSON.stringify(`${source}run-command.ts`)});
      const { createLauncher } = await import(${JSON.stringify(`${source}launcher.ts`)});
      const { launch } = createLauncher();
      const run = createRunCommand({ env: process.env, processDir: ${JSON.stringify(processDir)}, launch });
      await run({ command: 'sleep 60 & echo $! > child; echo $$ > leader; wait', cwd: ${JSON.stringify(folder)} });
    `;
    const worker = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
    const leader = await waitFor(() => pidIn(path.join(folder, 'leader')));
    const child = pidIn(path.join(folder, 'child')) ?? 0;
    worker.kill('SIGKILL');
    await waitFor(() => !isAlive(leader) && !isAlive(child) && notes().length === 0);
  });

  test('keeps no process alive that has nothing to wait for', async () => {
    const script = `
      const { createRunCommand } = await import(${JSON.stringify(`${source}run-command.ts`)});
      const { createLauncher } = await import(${JSON.stringify(`${source}launcher.ts`)});
      const { launch } = createLauncher();
      const run = createRunCommand({ env: process.env, processDir: ${JSON.stringify(processDir)}, launch });
      const { output } = await run({ command: 'echo done', cwd: ${JSON.stringify(folder)} });
      process.stdout.write(output);
    `;
    const worker = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    worker.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    expect(await new Promise((resolve) => worker.once('close', resolve))).toBe(0);
    expect(output).toBe('done\n');
  });

  test.runIf(process.platform === 'linux')(
    'that is killed says so, takes its commands with it, and is replaced',
    async () => {
      launch = launcher.launch;
      const running = run('echo $$ > leader; sleep 60');
      const leader = await waitFor(() => pidIn(path.join(folder, 'leader')));
      process.kill(launcherPid(), 'SIGKILL');
      await expect(running).rejects.toMatchObject({ code: 'worker-lost' });
      await waitFor(() => !isAlive(leader));
      expect(await run('echo again')).toMatchObject({ exitCode: 0, output: 'again\n' });
    },
  );

  test.runIf(process.platform === 'linux')(
    'that is killed while it starts commands leaves none of them and no note of them behind',
    async () => {
      launch = launcher.launch;
      await run('true');
      // No other test's.
      const command = `sleep 61.${process.pid}`;
      for (const pauseMs of [0, 5, 20]) {
        // Those that come late are started by the next launcher: they are ended.
        const stop = new AbortController();
        const running = Array.from({ length: 10 }, () =>
          run(command, { signal: stop.signal }).then(({ aborted }) => (aborted ? 'aborted' : 'ended'), codeOf),
        );
        await delay(pauseMs);
        process.kill(launcherPid(), 'SIGKILL');
        await delay(300);
        stop.abort();
        for (const end of await Promise.all(running)) expect(['worker-lost', 'aborted']).toContain(end);
        expect(notes()).toEqual([]);
        expect(spawnSync('pgrep', ['-f', `^${command}$`]).status).toBe(1);
        await run('true');
      }
    },
  );

  test('passes on text of any size and kind', async () => {
    const text = `${'ü\n"\\\u2028'.repeat(200_000)}end`;
    const { exited } = await launcher.launch({
      file: 'cat',
      args: [],
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '' },
      input: text,
      output: 'collect',
      processDir,
      token: 'test',
    });
    const exit = await exited;
    expect(exit).toMatchObject({ exitCode: 0, signal: null, stderr: '' });
    expect(exit.stdout === text).toBe(true);
  });
});
