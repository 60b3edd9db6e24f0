import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { CodetetherError } from '../../domain/errors.ts';
import { scrubEnvironment } from '../process/environment.ts';
import { startProcessGroup } from '../process/process-group.ts';
import type { ProcessDeps } from '../process/run-command.ts';
import { isStaleLock, lockFileNamed, removeLock } from './git-locks.ts';

export interface GitCall {
  /** Where git runs. */
  readonly cwd: string;
  /** Names the repository instead of letting git look for one above `cwd`. */
  readonly gitDir?: string;
  readonly workTree?: string;
  readonly indexFile?: string;
  /** Value of `core.excludesFile`. */
  readonly excludesFile?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Exit codes besides 0 that are answers, not failures. */
  readonly accept?: readonly number[];
}

export interface GitAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs one git command without hooks, signing, automatic gc or prompts, with messages in English. A lock that somebody
 * holds is waited for (some 10 s), one that a killed git left behind is removed.
 * Throws `workspace-failed` with git's message for an exit code that is not accepted, `disk-full`, `git-unusable`.
 */
export type Git = (args: readonly string[], call: GitCall) => Promise<GitAnswer>;

const settings = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.splitIndex=false',
  'submodule.recurse=false',
  'log.showSignature=false',
  'i18n.commitEncoding=utf-8',
  'gc.auto=0',
  'maintenance.auto=false',
  'commit.gpgsign=false',
  'advice.detachedHead=false',
];
const timeLimitMs = 10 * 60_000;
const lockPausesMs = [10, 30, 60, 100, 200, 400, 800, 1000, 1000, 1000, 2000, 2000, 2000];

export function createGit(deps: ProcessDeps): Git {
  const env = { ...scrubEnvironment(deps.env), LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0' };
  return async (args, call) => {
    for (const pauseMs of lockPausesMs) {
      const answer = await runOnce({ deps, env, args, call });
      if (answer.exitCode === 0 || call.accept?.includes(answer.exitCode) === true) return answer;
      const lock = lockFileNamed(answer.stderr, call.cwd);
      if (lock === undefined) throw gitFailed(args, answer);
      await delay(pauseMs);
      if (pauseMs >= 100 && (await isStaleLock(lock))) await removeLock(lock);
    }
    const answer = await runOnce({ deps, env, args, call });
    if (answer.exitCode === 0 || call.accept?.includes(answer.exitCode) === true) return answer;
    throw gitFailed(args, answer);
  };
}

async function runOnce(options: {
  readonly deps: ProcessDeps;
  readonly env: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  readonly call: GitCall;
}): Promise<GitAnswer> {
  const { call } = options;
  const extra = call.excludesFile === undefined ? settings : [...settings, `core.excludesFile=${call.excludesFile}`];
  const group = await startProcessGroup(options.deps, {
    file: 'git',
    args: [...extra.flatMap((setting) => ['-c', setting]), ...options.args],
    cwd: call.cwd,
    env: {
      ...options.env,
      ...(call.gitDir === undefined ? {} : { GIT_DIR: call.gitDir }),
      ...(call.workTree === undefined ? {} : { GIT_WORK_TREE: call.workTree }),
      ...(call.indexFile === undefined ? {} : { GIT_INDEX_FILE: call.indexFile }),
      ...call.env,
    },
    output: 'collect',
    ...(call.input === undefined ? {} : { input: call.input }),
  }).catch((error: unknown) => notStarted(error, call.cwd));
  const timer = setTimeout(() => void group.end(), timeLimitMs);
  try {
    const { exitCode, stdout, stderr } = await group.exited;
    return { exitCode: exitCode ?? 128, stdout, stderr };
  } finally {
    clearTimeout(timer);
    group.release();
  }
}

async function notStarted(error: unknown, cwd: string): Promise<never> {
  if (error instanceof CodetetherError) throw error;
  const message = error instanceof Error ? error.message : String(error);
  const code = (await isFolder(cwd)) ? 'git-unusable' : 'workspace-failed';
  throw new CodetetherError(code, `git could not be started in ${cwd}: ${message}`, { cause: error });
}

async function isFolder(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined))?.isDirectory() === true;
}

function gitFailed(args: readonly string[], answer: GitAnswer): CodetetherError {
  const message = answer.stderr.trim() || answer.stdout.trim() || `exit code ${answer.exitCode}`;
  const command = `git ${args
    .slice(args[0] === '-c' ? 2 : 0)
    .slice(0, 2)
    .join(' ')}`;
  if (/no space left on device|disk quota exceeded/i.test(message)) {
    return new CodetetherError('disk-full', `The disk is full (${command}).`);
  }
  return new CodetetherError('workspace-failed', `${command}: ${message.slice(0, 1000)}`);
}
