import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { askAbout } from '../../domain/run/risk.ts';
import { worktreeEnvironment } from '../process/environment.ts';
import type { LongLivedProcesses, LongLivedState } from '../process/long-lived.ts';
import { plainOutput } from './bash.ts';
import { limitText, maxOutputCharacters, plainText } from './output-text.ts';
import { defineTool, failure, success, type Tool, type ToolContext, type ToolOutcome } from './tool.ts';
import { resolveWorkspacePath } from './workspace-path.ts';

const waiting = {
  yield_time_ms: z.int().min(250).max(30_000),
  max_output_tokens: z.int().min(100).max(7000).default(7000).describe('Room for its output, 4 characters each'),
};

export function createExecCommandTool(processes: LongLivedProcesses): Tool {
  return defineTool({
    name: 'exec_command',
    risk: 'shell',
    ask: ({ cmd }) => askAbout(cmd),
    description:
      'Starts a shell command that may go on after this call, such as a server or a watcher, and shows its output so far. While it runs, write_stdin talks to it by its session id. All that still run are ended with the attempt.',
    input: z.object({
      cmd: z.string().min(1).describe('The command line'),
      workdir: z.string().min(1).default('.').describe('Folder to run it in, relative to the workspace'),
      yield_time_ms: waiting.yield_time_ms.default(10_000).describe('How long to wait for its end'),
      max_output_tokens: waiting.max_output_tokens,
    }),
    label: ({ cmd, workdir }) => (workdir === '.' ? cmd : `${cmd} (in ${workdir})`),
    run: async ({ cmd, workdir, yield_time_ms, max_output_tokens }, context) => {
      if (cmd.includes('\0')) return failure('the command has a NUL character in it');
      const { workspace, workspaceId } = context;
      const folder = await resolveWorkspacePath(workspace, workdir, 'read');
      if (!(await stat(folder.absolute)).isDirectory()) return failure(`${folder.relative} is not a folder`);
      const env = { ...worktreeEnvironment(workspace.root), ...plainOutput };
      const id = await processes.start(workspaceId, { command: cmd, cwd: folder.absolute, env });
      if (id === undefined) return failure('too many processes run on this host; end some with write_stdin, or wait');
      return lookAt(processes, id, { waitMs: yield_time_ms }, { maxTokens: max_output_tokens, command: cmd }, context);
    },
  });
}

export function createWriteStdinTool(processes: LongLivedProcesses): Tool {
  return defineTool({
    name: 'write_stdin',
    risk: 'shell',
    ask: ({ chars }) => askAbout(chars),
    description: 'Writes to a process that exec_command started, or only looks at its new output, or ends it.',
    input: z.object({
      session_id: z.int().describe('As exec_command gave it'),
      chars: z.string().max(100_000).default('').describe('What to write, line ends included; empty: only look'),
      close_stdin: z.boolean().default(false).describe('Tell it that no more input comes'),
      terminate: z.boolean().default(false).describe('End it with all that it started'),
      yield_time_ms: waiting.yield_time_ms.default(1000).describe('How long to wait for more output'),
      max_output_tokens: waiting.max_output_tokens,
    }),
    label: ({ session_id, chars, terminate }) =>
      `${session_id}${terminate ? ' terminate' : chars === '' ? '' : ` ${JSON.stringify(chars)}`}`,
    run: async (given, context) => {
      const { session_id, chars, close_stdin, terminate, yield_time_ms, max_output_tokens } = given;
      if (terminate) {
        const isEnded = await processes.end(context.workspaceId, session_id);
        return isEnded ? success(`session ${session_id} was ended`) : unknownSession(processes, session_id, context);
      }
      const how = { input: chars, closeInput: close_stdin, waitMs: yield_time_ms };
      return lookAt(processes, session_id, how, { maxTokens: max_output_tokens }, context);
    },
  });
}

async function lookAt(
  processes: LongLivedProcesses,
  id: number,
  how: { readonly input?: string; readonly closeInput?: boolean; readonly waitMs: number },
  { maxTokens, command }: { readonly maxTokens: number; readonly command?: string },
  context: ToolContext,
): Promise<ToolOutcome> {
  const onOutput = (text: string) => {
    for (const line of text.split('\n')) if (line.trim() !== '') context.onLine(line);
  };
  const state = await processes.look(context.workspaceId, id, { ...how, onOutput, signal: context.signal });
  if (state === undefined) return unknownSession(processes, id, context);
  const outcome = outcomeOf(id, state, maxTokens);
  // One that ends later has ended apart from the call that began it.
  if (command === undefined || state.end === undefined) return outcome;
  return { ...outcome, commands: [{ command, exitCode: state.end.exitCode }] };
}

function outcomeOf(id: number, { output, omittedBytes, end }: LongLivedState, maxTokens: number): ToolOutcome {
  const text = limitText(plainText(output).trimEnd(), {
    maxCharacters: Math.min(maxTokens * 4, maxOutputCharacters - 500),
    alreadyCut: omittedBytes,
    advice: 'write it into a file under /tmp and read parts of it',
  });
  const shown = text === '' ? '(no new output)' : text;
  if (end === undefined) return success(`${shown}\n[running with session id ${id}]`);
  if (end.exitCode === 0) return success(`${shown}\n[ended, exit code 0]`);
  const how = end.exitCode === null ? `ended by ${end.signal ?? 'a signal'}` : `ended, exit code ${end.exitCode}`;
  return { ok: false, output: `${shown}\n[${how}]` };
}

function unknownSession(processes: LongLivedProcesses, id: number, { workspaceId }: ToolContext): ToolOutcome {
  const running = processes.list(workspaceId);
  const which = running.length === 0 ? 'none runs' : `these run: ${running.join(', ')}`;
  return failure(
    `there is no session ${id}: it has ended, was idle for too long, or was lost with its worker; ${which}. Start it again with exec_command.`,
  );
}
