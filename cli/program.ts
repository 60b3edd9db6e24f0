/**
 * The program's commands. Each command's module is loaded only when it runs, and the list of commands loads nothing: a
 * command on a warm stack should cost little more than starting Node.
 */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import type { Command, CommanderError } from 'commander';
import { processEnvironment, variable } from '../services/config/environment.ts';
import { locate } from '../services/config/paths.ts';

interface Entry {
  readonly group: string;
  readonly summary: string;
  load(): Promise<{ command(): Command }>;
}

const work = 'Work';
const stack = 'Local stack (starts by itself when it is needed)';
const processes = 'Processes (the local stack runs them for you)';

const commands: { readonly [name: string]: Entry } = {
  ralph: {
    group: work,
    summary: 'work through the stories of a PRD, durably: run, status, attach, …',
    load: async () => await import('./commands/ralph.ts'),
  },
  run: {
    group: work,
    summary: 'give an agent one message in this folder, and print its answer',
    load: async () => await import('./commands/run.ts'),
  },
  chat: {
    group: work,
    summary: 'talk with an agent, line by line',
    load: async () => await import('./commands/chat.ts'),
  },
  sessions: {
    group: work,
    summary: 'conversations with agents: list, show, attach, fork, undo, …',
    load: async () => await import('./commands/sessions.ts'),
  },
  context: {
    group: work,
    summary: "what a session's model is sent: budget, browse, pin, reset",
    load: async () => await import('./commands/context.ts'),
  },
  trust: {
    group: work,
    summary: "let a project's own agents, commands, skills, hooks and servers be obeyed",
    load: async () => await import('./commands/trust.ts'),
  },
  approvals: {
    group: work,
    summary: 'what runs ask people now',
    load: async () => await import('./commands/approvals.ts'),
  },
  approve: {
    group: work,
    summary: 'answer yes to a question of a run',
    load: async () => ({ command: (await import('./commands/approvals.ts')).approveCommand }),
  },
  deny: {
    group: work,
    summary: 'answer no',
    load: async () => ({ command: (await import('./commands/approvals.ts')).denyCommand }),
  },
  answer: {
    group: work,
    summary: "answer an agent's question",
    load: async () => ({ command: (await import('./commands/approvals.ts')).answerCommand }),
  },
  stats: {
    group: work,
    summary: 'what models, tools and files came to',
    load: async () => await import('./commands/stats.ts'),
  },
  worktree: {
    group: work,
    summary: 'git worktrees of this repository: list, open, workspace, cleanup',
    load: async () => await import('./commands/worktree.ts'),
  },
  pr: {
    group: work,
    summary: 'open a pull request of a branch or a run',
    load: async () => await import('./commands/pr.ts'),
  },
  ui: {
    group: work,
    summary: 'open a run, or all of them, in the Temporal UI',
    load: async () => await import('./commands/ui.ts'),
  },
  demo: {
    group: work,
    summary: 'run the example PRD on a copy of the example repository',
    load: async () => await import('./commands/demo.ts'),
  },
  up: {
    group: stack,
    summary: 'start database, engine, worker and API in the background',
    load: async () => await import('./commands/up.ts'),
  },
  down: {
    group: stack,
    summary: 'end them; runs go on when they are back',
    load: async () => await import('./commands/down.ts'),
  },
  status: {
    group: stack,
    summary: 'show the processes of the stack',
    load: async () => await import('./commands/status.ts'),
  },
  logs: {
    group: stack,
    summary: 'show what they have logged',
    load: async () => await import('./commands/logs.ts'),
  },
  doctor: {
    group: stack,
    summary: 'check all that codetether needs, and name the mend',
    load: async () => await import('./commands/doctor.ts'),
  },
  cleanup: {
    group: stack,
    summary: 'show what runs have left behind, and remove it',
    load: async () => await import('./commands/cleanup.ts'),
  },
  hosts: {
    group: stack,
    summary: 'show the machines that work on runs',
    load: async () => await import('./commands/hosts.ts'),
  },
  token: {
    group: stack,
    summary: 'make and revoke tokens for those who use the API from elsewhere',
    load: async () => await import('./commands/token.ts'),
  },
  workspaces: {
    group: stack,
    summary: 'folders in which those others may have work done',
    load: async () => await import('./commands/workspaces.ts'),
  },
  audit: {
    group: stack,
    summary: 'what was done with tokens and workspaces, and what was denied',
    load: async () => await import('./commands/audit.ts'),
  },
  'dead-letters': {
    group: stack,
    summary: 'push notifications that could not be delivered',
    load: async () => await import('./commands/dead-letters.ts'),
  },
  mcp: {
    group: work,
    summary: 'serve all this to editors and other agents, over MCP',
    load: async () => await import('./commands/mcp.ts'),
  },
  worker: {
    group: processes,
    summary: 'run a worker in this terminal',
    load: async () => await import('./commands/worker.ts'),
  },
  serve: {
    group: processes,
    summary: 'serve the API to others, at an address',
    load: async () => await import('./commands/serve.ts'),
  },
  migrate: {
    group: processes,
    summary: "bring a database's schema up to date",
    load: async () => await import('./commands/migrate.ts'),
  },
};

function overview(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const groups = [work, stack, processes].map((group) => {
    const entries = Object.entries(commands).filter(([, entry]) => entry.group === group);
    return [`${group}:`, ...entries.map(([name, entry]) => `  ${name.padEnd(width)}  ${entry.summary}`)].join('\n');
  });
  return `Usage: codetether <command> [options]

A durable orchestrator for AI coding agents: kill the terminal, the worker, the database, the engine or
the machine at any moment, and the run goes on from the last finished step.

${groups.join('\n\n')}

Options:
  --help     of the program, and of each command
  --version  of the program

Examples:
  codetether demo                                              see it work: no key, no network, no cost
  codetether ralph create-prd --feature "due dates"            write a PRD fitted to this repository
  codetether ralph run --prd prd.json --model PROVIDER/MODEL   work through it

Exit codes:
  0 done, 1 error, 2 the command line or the input is not right, 75 temporary failure, 130 interrupted;
  codetether ralph run --help lists those of a run

More: docs/ in the package, README.md first
`;
}

async function dispatch(args: readonly string[]): Promise<void> {
  const [first, ...rest] = args;
  const isHelp = first === 'help' || first === '--help' || first === '-h';
  if (first === undefined || (isHelp && rest[0] === undefined)) return print(overview());
  const name = isHelp ? (rest[0] ?? '') : first;
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry === undefined) throw await unknownCommand(name);
  cacheCompiledCode();
  await run(entry, isHelp ? [...rest, '--help'] : args);
}

/** Halves what it takes to load the larger modules from the second time on. */
function cacheCompiledCode(): void {
  const { cacheDir } = locate({ environment: processEnvironment() });
  enableCompileCache(join(cacheDir, 'compiled'));
}

async function run(entry: Entry, args: readonly string[]): Promise<void> {
  const [commander, module] = await Promise.all([import('commander'), entry.load()]);
  const command = module.command();
  const program = new commander.Command('codetether').addCommand(command);
  forEachCommand(program, (each) => {
    each.exitOverride();
    each.configureOutput({ outputError: () => undefined });
  });
  program.helpCommand(false);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof commander.CommanderError)) throw error;
    if (error.exitCode === 0) return;
    // Commander shows the help of a command that wants a subcommand; all else is ours to say.
    if (error.code === 'commander.help') process.exitCode = 2;
    else throw await usageError(error, commandOf(program, args));
  }
}

function forEachCommand(command: Command, change: (command: Command) => void): void {
  change(command);
  for (const each of command.commands) forEachCommand(each, change);
}

/** The words of the command line that name a command: `codetether ralph run`. */
function commandOf(program: Command, args: readonly string[]): string {
  const words = [program.name()];
  let command: Command | undefined = program;
  for (const word of args) {
    command = command.commands.find((each) => each.name() === word || each.aliases().includes(word));
    if (command === undefined) break;
    words.push(command.name());
  }
  return words.join(' ');
}

async function usageError(error: CommanderError, command: string): Promise<Error> {
  const { CodetetherError } = await import('../domain/errors.ts');
  const [message = '', ...more] = error.message.replace(/^error: /, '').split('\n');
  return new CodetetherError('usage', message, {
    problems: more.filter((line) => line !== ''),
    next: `Read ${command} --help.`,
  });
}

async function unknownCommand(name: string): Promise<Error> {
  const [{ CodetetherError }, { nearest }] = await Promise.all([
    import('../domain/errors.ts'),
    import('../domain/text/nearest.ts'),
  ]);
  const meant = nearest(name, Object.keys(commands));
  const kind = name.startsWith('-') ? 'option' : 'command';
  return new CodetetherError(
    'usage',
    `unknown ${kind} ${name}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
    {
      next: 'Read codetether --help.',
    },
  );
}

function print(text: string): void {
  process.stdout.write(text);
}

/** Runs the command that the arguments name. Never throws: what fails is told on stderr, and is the exit status. */
export async function runProgram(args: readonly string[]): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // Whoever read it has gone (`| head`, a closed terminal): nothing more to say, and no reason to break.
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    });
  }
  try {
    await dispatch(args);
  } catch (error) {
    await report(error);
  }
}

/** The one place where a command's failure becomes words and an exit status. */
async function report(failure: unknown): Promise<void> {
  const [{ asCodetetherError }, { errorLines }, { lookOf }] = await Promise.all([
    import('../domain/errors.ts'),
    import('./output/errors.ts'),
    import('./output/terminal.ts'),
  ]);
  const environment = processEnvironment();
  const debug = variable(environment, 'CODETETHER_DEBUG') !== undefined;
  const lines = errorLines(failure, { look: lookOf(process.stderr, environment), debug });
  process.stderr.write(`${lines.join('\n')}\n`);
  process.exitCode = asCodetetherError(failure).entry.exit;
}
