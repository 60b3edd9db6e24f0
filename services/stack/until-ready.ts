/** The wait for a stack that is starting, and what it ends with when that goes wrong. */
import { setTimeout as delay } from 'node:timers/promises';
import { CodetetherError, fromProblem } from '../../domain/errors.ts';
import { askSupervisor } from './control.ts';
import { readLogTail } from './logs.ts';
import { childNames, logFile, saysDiskFull } from './paths.ts';
import type { ChildName } from './paths.ts';
import { getFromSocket } from './probe.ts';
import type { OnProgress } from './progress.ts';
import type { StackState } from './state.ts';

const askTimeoutMs = 30_000;
const pollMs = 25;
const readyTimeoutMs = 60_000;
/** How long a server of the user's own may take to answer once our processes run. */
const ownServerTimeoutMs = 10_000;
/** More than this many restarts while somebody waits is a failure that does not mend itself. */
const hopelessRestarts = 8;

/**
 * Waits until the API says that database, engine and worker answer.
 * @throws as `ensureStack` does
 */
export async function untilReady(options: {
  readonly dataDir: string;
  readonly state: StackState;
  readonly onProgress: OnProgress;
}): Promise<void> {
  const { dataDir, onProgress } = options;
  const from = Date.now();
  let { state } = options;
  let lookAgainAt = from + 250;
  let ready: unknown;
  let apiSince: number | undefined;
  while (Date.now() - from < readyTimeoutMs) {
    const answer = await getFromSocket(state.apiSocket, '/ready', { timeoutMs: 5000 });
    ready = answer?.body;
    if (answer?.status === 200 || Date.now() >= lookAgainAt) {
      lookAgainAt = Date.now() + 250;
      const reply = await askSupervisor(dataDir, { op: 'state' }, { timeoutMs: askTimeoutMs });
      if (reply?.kind !== 'state') throw await supervisorFailed(dataDir);
      ({ state } = reply);
      // Also when all answer: on a port that was taken, somebody else's server does.
      await throwIfHopeless(dataDir, state);
      if (answer?.status === 200) return;
      apiSince = isRecord(ready) ? (apiSince ?? Date.now()) : undefined;
      if (apiSince !== undefined && Date.now() - apiSince > ownServerTimeoutMs) throwIfUnreachable(state, ready);
      onProgress({ kind: 'step', text: `starting the local stack: ${missing(state, ready)}` });
    }
    await delay(pollMs);
  }
  throw await stackFailed(
    dataDir,
    state,
    `it did not answer within ${readyTimeoutMs / 1000} s: ${missing(state, ready)}`,
  );
}

async function throwIfHopeless(dataDir: string, state: StackState): Promise<void> {
  for (const name of childNames) {
    const child = state.children[name];
    if (child === undefined) continue;
    if (child.problem !== null) throw fromProblem(child.problem);
    if (child.status !== 'running' && child.restarts >= hopelessRestarts) {
      throw await stackFailed(dataDir, state, `${name} does not stay up`, name);
    }
  }
}

/** The servers that the user gave are not ours to start: waiting longer mends nothing. */
function throwIfUnreachable(state: StackState, ready: unknown): void {
  if (!isRecord(ready)) return;
  const next = 'Start that server, or correct or unset the variable; then try again.';
  if (!state.embedded.database && ready['database'] === false) {
    const problems = ['DATABASE_URL: that PostgreSQL does not answer, or refuses the user'];
    throw new CodetetherError('database-unreachable', undefined, { problems, next });
  }
  if (!state.embedded.engine && ready['engine'] === false) {
    const problems = [`TEMPORAL_ADDRESS: no Temporal server answers at ${state.temporalAddress}`];
    throw new CodetetherError('engine-unreachable', undefined, { problems, next });
  }
}

async function stackFailed(
  dataDir: string,
  state: StackState,
  message: string,
  name: ChildName = suspect(state),
): Promise<CodetetherError> {
  const { lines } = await readLogTail(dataDir, name, { lines: 12 });
  const end = state.children[name]?.lastEnd;
  const isFull = lines.some(saysDiskFull);
  return new CodetetherError(isFull ? 'disk-full' : 'stack-failed', `the local stack did not come up: ${message}`, {
    problems: [
      ...(end === null || end === undefined ? [] : [`${name} ${end}`]),
      ...lines.map((line) => `${name} | ${line}`),
    ],
    next: `codetether logs ${name}, or codetether doctor`,
  });
}

/** The error for a supervisor that ended before it answered, with its last words. */
export async function supervisorFailed(dataDir: string): Promise<CodetetherError> {
  const { lines } = await readLogTail(dataDir, 'supervisor', { lines: 8 });
  const code = lines.some(saysDiskFull) ? 'disk-full' : 'stack-failed';
  return new CodetetherError(code, 'the local stack did not come up: its supervisor ended', {
    problems: lines.map((line) => `supervisor | ${line}`),
    next: `Read ${logFile(dataDir, 'supervisor')}, or try codetether doctor`,
  });
}

/** The first that does not run; else the one that has to say that all is ready. */
function suspect(state: StackState): ChildName {
  return (
    childNames.find((name) => state.children[name] !== undefined && state.children[name].status !== 'running') ??
    'worker'
  );
}

/** What is being waited for, for people. */
function missing(state: StackState, ready: unknown): string {
  const answered = isRecord(ready) ? Object.entries(ready) : [];
  const waiting = answered.filter(([name, value]) => name !== 'ready' && value === false).map(([name]) => name);
  if (waiting.length > 0) return `waiting for ${waiting.join(', ')}`;
  const notRunning = childNames.filter((name) => {
    const child = state.children[name];
    return child !== undefined && child.status !== 'running';
  });
  return `waiting for ${notRunning.length > 0 ? notRunning.join(', ') : 'api'}`;
}

function isRecord(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null;
}
