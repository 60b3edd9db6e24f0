import { Command, Option } from 'commander';
import { outputFormats, shortExitCodes, withHelpEnd } from './ralph/options.ts';
import type { AttachOptions, ExportOptions, ListOptions, ShowOptions } from './session/sessions.ts';

const idArgument = ['[id]', "id of a session, or the beginning of one; default: this folder's newest"] as const;
const more = 'docs/sessions.md';

/** `codetether sessions`: conversations with agents. What a command does is loaded when it is called. */
export function command(): Command {
  const sessions = new Command('sessions')
    .summary('conversations with agents')
    .description('Looks at sessions of codetether run, watches and interrupts them.')
    .helpCommand(false)
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(exportCommand())
    .addCommand(attachCommand())
    .addCommand(interruptCommand());
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
    .option('-v, --verbose', 'the system prompt and whole results too')
    .option('--json', 'session and transcript as one JSON object');
  return withHelpEnd(show, {
    examples: [['codetether sessions show 3f2a', 'by the beginning of its id']],
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
