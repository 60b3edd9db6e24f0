import { DatabaseSync } from 'node:sqlite';

export interface Lock {
  release(): void;
}

/**
 * An exclusive lock that the kernel takes away from a process that dies, however it dies. `undefined` when another
 * process has it. SQLite is the one part of Node that locks files.
 */
export function tryLock(path: string): Lock | undefined {
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}

const sqliteBusy = 5;
