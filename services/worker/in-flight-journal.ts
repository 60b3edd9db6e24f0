import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** An activity that this worker is running. */
export interface InFlightActivity {
  readonly taskToken: Uint8Array;
  readonly workflowId: string;
  /** The engine's id of the workflow execution. */
  readonly executionId: string;
  readonly activity: string;
}

/**
 * Which activities run in this process, as one small file each: what a killed worker leaves behind tells its
 * successor what to fail at once instead of waiting for heartbeats to run out. Losing an entry costs that wait, nothing more, so
 * nothing is synced to disk.
 */
export class InFlightJournal {
  readonly #dir: string;
  #counter = 0;

  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }

  /** Returns the way to take the entry out again. */
  enter(activity: InFlightActivity): () => void {
    const path = join(this.#dir, `${process.pid}-${++this.#counter}`);
    writeFileSync(
      path,
      JSON.stringify({ ...activity, taskToken: Buffer.from(activity.taskToken).toString('base64') }),
      { mode: 0o600 },
    );
    return () => rmSync(path, { force: true });
  }

  /** Takes out everything that is there: call it before the first `enter`. Torn entries are dropped. */
  takeLeftovers(): InFlightActivity[] {
    const leftovers: InFlightActivity[] = [];
    for (const name of readdirSync(this.#dir)) {
      const path = join(this.#dir, name);
      try {
        const entry: unknown = JSON.parse(readFileSync(path, 'utf8'));
        if (isEntry(entry)) leftovers.push({ ...entry, taskToken: Buffer.from(entry.taskToken, 'base64') });
      } catch {
        // Written half when the process died: its activity runs into the heartbeat time-out.
      }
      rmSync(path, { force: true });
    }
    return leftovers;
  }
}

interface Entry {
  readonly taskToken: string;
  readonly workflowId: string;
  readonly executionId: string;
  readonly activity: string;
}

function isEntry(value: unknown): value is Entry {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['taskToken', 'workflowId', 'executionId', 'activity'].every((key) => typeof Reflect.get(value, key) === 'string')
  );
}
