import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { askAbout } from '../../domain/run/risk.ts';
import { worktreeEnvironment } from '../process/environment.ts';
import type { CommandResult } from '../process/run-command.ts';
import { limitText, maxOutputCharacters, plainText } from './output-text.ts';
import { defineTool, failure, type Tool, type ToolOutcome } from './tool.ts';
import { resolveWorkspacePath } from './workspace-path.ts';

const defaultTimeoutSeconds = 120;
const maxTimeoutSeconds = 600;

/** Programs that look whether a person watches are told that none does. */
export const plainOutput = { CI: '1', NO_COLOR: '1', TERM: 'dumb' };

export function createBashTool(): Tool {
  return defineTool({
    name: 'bash',
    risk: 'shell',
    description:
      'Runs a shell command in the workspace, without a terminal and without input. Each call is a new shell; ' +
      'whatever it started is ended when it returns or its time is up. Long output is cut in the middle.',
    input: z.object({
      command: z.string().min(1).describe('The command line'),
      timeout: z
        .number()
        .min(1)
        .max(maxTimeoutSeconds)
        .default(defaultTimeoutSeconds)
        .describe('Seconds until it is ended'),
      cwd: z.string().min(1).default('.').describe('Folder to run it in, relative to the workspace'),
    }),
    ask: ({ command }) => askAbout(command),
    label: ({ command, cwd }) => (cwd === '.' ? command : `${command} (in ${cwd})`),
    run: async ({ command, timeout, cwd }, { workspace, runCommand, signal, onLine }) => {
      if (command.includes('\0')) return failure('the command has a NUL character in it');
      const folder = await resolveWorkspacePath(workspace, cwd, 'read');
      if (!(await stat(folder.absolute)).isDirectory()) return failure(`${folder.relative} is not a folder`);
      const result = await runCommand({
        command,
        cwd: folder.absolute,
        env: { ...worktreeEnvironment(workspace.root), ...plainOutput },
        timeoutMs: timeout * 1000,
        signal,
        onLine,
      });
      if (result.aborted) throw signal.reason;
      const exitCode = result.timedOut ? null : result.exitCode;
      return { ...shellOutcome(result, timeout), commands: [{ command, exitCode }] };
    },
  });
}

function shellOutcome(result: CommandResult, timeoutSeconds: number): ToolOutcome {
  const output = limitText(plainText(result.output).trimEnd(), {
    maxCharacters: maxOutputCharacters,
    alreadyCut: result.omittedBytes,
    advice: 'to see them, run it again into a file under /tmp and read parts of it, or filter with grep or tail',
  });
  if (result.timedOut)
    return {
      ok: false,
      output: joined(
        output,
        `[ended after ${timeoutSeconds} s, with all it had started; a larger timeout may be given, up to ${maxTimeoutSeconds}]`,
      ),
    };
  if (result.exitCode === 0) return { ok: true, output: output === '' ? '(no output)' : output };
  const end = result.exitCode === null ? `ended by ${result.signal ?? 'a signal'}` : `exit code ${result.exitCode}`;
  return { ok: false, output: joined(output, `[${end}]`) };
}

function joined(output: string, notice: string): string {
  return output === '' ? notice : `${output}\n${notice}`;
}
