/**
 * A launcher: starts programs for a process that is too large to do that itself. Reads requests from stdin, answers on
 * stdout. When stdin ends, its process is gone: it kills all groups that still run, and ends. Imports next to nothing: its
 * worth is that it is small.
 */
import { launchHere } from './launch.ts';
import { createMessageReader, type LauncherAnswer, type LauncherRequest } from './launcher-messages.ts';
import { unregisterGroup } from './register-group.ts';

/** Groups whose leader runs, by pid, with the folder where they are registered. */
const running = new Map<number, string>();

function answer(message: LauncherAnswer): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function serve({ id, request }: LauncherRequest): Promise<void> {
  try {
    const { pid, exited } = await launchHere(request);
    running.set(pid, request.processDir);
    answer({ id, kind: 'started', pid });
    const exit = await exited;
    running.delete(pid);
    answer({ id, kind: 'exited', exit });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    answer({ id, kind: 'failed', code, message: error instanceof Error ? error.message : String(error) });
  }
}

function killAll(): void {
  for (const [pid, processDir] of running) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
    unregisterGroup(processDir, pid);
  }
}

// Ends with its process, never before: a Ctrl-C reaches both.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.stdout.on('error', () => {
  // The reader is gone; the end of stdin says so as well.
});
process.stdin.on(
  'data',
  createMessageReader((line) => {
    void serve(JSON.parse(line));
  }),
);
process.stdin.once('end', () => {
  killAll();
  process.exit();
});
