import { execFile } from 'node:child_process';
import { CodetetherError } from '../../domain/errors.ts';
import type { Environment } from '../config/environment.ts';

export interface GitAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs one git command of the user's own in a folder of theirs, with messages in English and without asking anything. Throws
 * `git-failed` with git's message for an exit code that is not accepted, `git-unusable`.
 * @param options.accept exit codes besides 0 that are answers, not failures
 */
export type Git = (args: readonly string[], options?: { readonly accept?: readonly number[] }) => Promise<GitAnswer>;

const timeLimitMs = 60_000;
const outputBytes = 32 * 1024 * 1024;

/** What an outer git command says about itself; wrong for a command of its own. */
const outer = /^GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|OBJECT_DIRECTORY|NAMESPACE|PREFIX)$/;

export function gitIn(cwd: string, environment: Environment): Git {
  const kept = Object.entries(environment).filter(([name]) => !outer.test(name));
  const env = { ...Object.fromEntries(kept), LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0' };
  return async (args, { accept = [] } = {}) =>
    await new Promise<GitAnswer>((resolve, reject) => {
      // A repository's own monitor is a program of somebody's.
      const all = ['-c', 'core.fsmonitor=false', ...args];
      execFile('git', all, { cwd, env, timeout: timeLimitMs, maxBuffer: outputBytes }, (error, stdout, stderr) => {
        if (error === null) return resolve({ exitCode: 0, stdout, stderr });
        const { code } = error;
        if (typeof code === 'number' && accept.includes(code)) return resolve({ exitCode: code, stdout, stderr });
        if (code === 'ENOENT') return reject(new CodetetherError('git-unusable', `git could not be started in ${cwd}`));
        const message = stderr.trim().replace(/^(fatal|error): /, '') || stdout.trim() || error.message;
        const command = `git ${args.slice(0, 2).join(' ')}`;
        reject(new CodetetherError('git-failed', `${command}: ${withoutCredentials(message).slice(0, 1_000)}`));
      });
    });
}

/** A remote's URL can hold a token. */
function withoutCredentials(text: string): string {
  return text.replace(/\/\/[^/@\s]+@/g, '//');
}
