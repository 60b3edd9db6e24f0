import { Command, Option } from 'commander';
import { outputFormats, shortExitCodes, wholeNumber, withHelpEnd } from './ralph/options.ts';
import type { AttachOptions, ExportOptions, ForkOptions, ListOptions, ShowOptions } from './session/sessions.ts';

const idArgument = ['[id]', "id of a session, or the beginning of one; default: this folder's newest"] as const;
const more = 'docs/sessions.md';

/** `codetether sessions`: conversations with agents. What a command does is loaded when it is called. */
export function command(): Command {
  const sessions = new Command('sessions')
    .summary('conversations with agents')
    .description('Looks at sessions of codetether run and chat, watches, interrupts, forks and undoes them.')
    .helpCommand(false)
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(exportCommand())
    .addCommand(attachCommand())
    .addCommand(interruptCommand())
    .addCommand(forkCommand())
    .addCommand(undoCommand())
    .addCommand(redoCommand())
    .addCommand(renameCommand())
    .addCommand(deleteCommand());
  return withHelpEnd(sessions, {
    examples: [
      ['codetether sessions list', 'those of this folder'],
      ['codetether sessions show 3f2a', 'what was said and done'],
    ],
    exitCodes: shortExitCodes,
    more,
  });
}

function listCommand(): Command {
  const list = new Command('list')
    .summary('list sessions, the one that was used last first')
    .description('Lists the sessions of this folder; off a terminal as tab-separated values.')
    .option('-a, --all', 'of all folders')
    .option('--json', 'as one JSON object');
  return withHelpEnd(list, {
    examples: [['codetether sessions list --all', 'of all folders']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (options: ListOptions) => {
    process.exitCode = await (await import('./session/sessions.ts')).list(options);
  });
}

function showCommand(): Command {
  const show = new Command('show')
    .summary('show what was said and done in a session')
    .description(
      'Prints the transcript of a session: messages, tool calls with the beginning of their results, answers.',
    )
    .argument(...idArgument)
    .option('--agent <name>', "of an agent that the session's has started: scout, scout/helper")
    .option('-v, --verbose', 'the system prompt and whole results too')
    .option('--json', 'session and transcript as one JSON object');
  return withHelpEnd(show, {
    examples: [
      ['codetether sessions show 3f2a', 'by the beginning of its id'],
      ['codetether sessions show 3f2a --agent scout', 'what its agent scout has done'],
    ],
    exitCodes: shortExitCodes,
    more,
  }).action(async (id: string | undefined, options: ShowOptions) => {
    process.exitCode = await (await import('./session/sessions.ts')).show(id, options);
  });
}

function exportCommand(): Command {
  const exported = new Command('export')
    .summary('write a whole session to stdout or a file')
    .description('Writes a session with its whole transcript as Markdown or JSON.')
    .argument(...idArgument)
    .addOption(new Option('--format <format>', 'how').choices(['markdown', 'json']).default('markdown'))
    .option('-o, --output <file>', 'to a file instead of stdout');
  return withHelpEnd(exported, {
    examples: [['codetether sessions export 3f2a -o session.md', 'as Markdown']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (id: string | undefined, options: ExportOptions) => {
    process.exitCode = await (await import('./session/sessions.ts')).exportSession(id, options);
  });
}

function attachCommand(): Command {
  const attach = new Command('attach')
    .summary('watch the turn that is under way')
    .description('Shows how the turn under way goes, and prints its answer. Ctrl-C leaves it running.')
    .argument(...idArgument)
    .addOption(new Option('--output-format <format>', 'how to print').choices(outputFormats).default('text'))
    .option('-q, --quiet', 'only the answer');
  return withHelpEnd(attach, {
    examples: [['codetether sessions attach 3f2a', 'watch it']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (id: string | undefined, options: AttachOptions) => {
    process.exitCode = await (await import('./session/sessions.ts')).attach(id, options);
  });
}

function interruptCommand(): Command {
  const interrupt = new Command('interrupt')
    .summary('end the turn that is under way')
    .description(
      'Ends the turn under way with what it is doing: a command that runs is killed. What it has changed stays.',
    )
    .argument(...idArgument);
  return withHelpEnd(interrupt, {
    examples: [['codetether sessions interrupt 3f2a', 'end it']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (id: string | undefined) => {
    process.exitCode = await (await import('./session/sessions.ts')).interrupt(id);
  });
}

function forkCommand(): Command {
  const fork = new Command('fork')
    .summary('begin a further session with what was said in one')
    .description(
      'Makes a session that begins with the turns of another, and prints its id. Neither sees what the other says later.',
    )
    .argument(...idArgument)
    .option('--drop <turns>', 'without the last so many turns', wholeNumber)
    .option('--title <text>', 'default: the title, with (fork)')
    .option('--json', 'the new session as one JSON object');
  return withHelpEnd(fork, {
    examples: [['codetether sessions fork 3f2a --drop 1', 'try the last turn in another way']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (id: string | undefined, options: ForkOptions) => {
    process.exitCode = await (await import('./session/sessions.ts')).fork(id, options);
  });
}

function undoCommand(): Command {
  const undo = new Command('undo')
    .summary('take the last turns back')
    .description(
      'The last turns do not count any more for what the model is sent. Files stay as they are, and no row is lost.',
    )
    .argument(...idArgument)
    .option('-n, --turns <n>', 'how many (default: 1)', wholeNumber);
  return withHelpEnd(undo, {
    examples: [['codetether sessions undo 3f2a -n 2', 'the last two']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (id: string | undefined, options: { readonly turns?: number }) => {
    process.exitCode = await (await import('./session/sessions.ts')).undo(id, options);
  });
}

function redoCommand(): Command {
  const redo = new Command('redo')
    .summary('take the newest undo back')
    .description('What was undone last counts again, unless something was said since.')
    .argument(...idArgument);
  return withHelpEnd(redo, {
    examples: [['codetether sessions redo 3f2a', 'after an undo']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (id: string | undefined) => {
    process.exitCode = await (await import('./session/sessions.ts')).redo(id);
  });
}

function renameCommand(): Command {
  const rename = new Command('rename')
    .summary('give a session another title')
    .description('Gives a session another title.')
    .argument('<id>', 'id of a session, or the beginning of one')
    .argument('<title>', 'what it is called from now on');
  return withHelpEnd(rename, {
    examples: [['codetether sessions rename 3f2a "the slow test"', 'by the beginning of its id']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (id: string, title: string) => {
    process.exitCode = await (await import('./session/sessions.ts')).rename(id, title);
  });
}

function deleteCommand(): Command {
  const remove = new Command('delete')
    .summary('take sessions off the list')
    .description(
      'Sessions that are not wanted any more are not listed and cannot be gone on with. Forks of them go on.',
    )
    .argument('<id...>', 'ids of sessions, or the beginnings of them');
  return withHelpEnd(remove, {
    examples: [['codetether sessions delete 3f2a 77b0', 'two of them']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (ids: readonly string[]) => {
    process.exitCode = await (await import('./session/sessions.ts')).remove(ids);
  });
}
