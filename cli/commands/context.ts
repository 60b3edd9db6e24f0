import { Argument, Command } from 'commander';
import type { BrowseOptions, PinOptions, ResetOptions, SessionOptions } from './session/context.ts';
import { shortExitCodes, wholeNumber, withHelpEnd } from './ralph/options.ts';

const session = [
  '-s, --session <id>',
  "id of a session, or the beginning of one (default: this folder's newest)",
] as const;
const more = 'docs/commands.md';

/** `codetether context`: what a session's model is sent of it. What a command does is loaded when it is called. */
export function command(): Command {
  const context = new Command('context')
    .summary("what a session's model is sent: budget, browse, pin, reset")
    .description('Shows and changes what the model of a session is sent of it. No row of its transcript is ever lost.')
    .helpCommand(false)
    .addCommand(budgetCommand())
    .addCommand(browseCommand())
    .addCommand(pinCommand('pin'))
    .addCommand(pinCommand('unpin'))
    .addCommand(resetCommand());
  return withHelpEnd(context, {
    examples: [
      ['codetether context budget', 'how full it is'],
      ['codetether context pin 2', 'turn 2 is always sent'],
      ['codetether context reset --summary "…"', 'begin with an empty context'],
    ],
    exitCodes: shortExitCodes,
    more,
  });
}

function budgetCommand(): Command {
  const budget = new Command('budget')
    .summary('how full the context is, and what is left out')
    .description(
      'Prints what the next model call would be sent: how much of the window, what is pinned, what is left out and why.',
    )
    .option(...session)
    .option('--json', 'as one JSON object');
  return withHelpEnd(budget, {
    examples: [['codetether context budget --session 3f2a', 'of that session']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (options: SessionOptions) => {
    process.exitCode = await (await import('./session/context.ts')).budget(options);
  });
}

function browseCommand(): Command {
  const browse = new Command('browse')
    .summary('show the turns, also those that are not sent any more')
    .description('Lists the turns of a session (list), or prints one of them (show-turn).')
    .addArgument(new Argument('[action]', 'what to show').choices(['list', 'show-turn']).default('list'))
    .argument('[turn]', 'number of a turn, for show-turn', wholeNumber)
    .option(...session)
    .option('-v, --verbose', 'show-turn: whole results')
    .option('--json', 'as one JSON object');
  return withHelpEnd(browse, {
    examples: [
      ['codetether context browse', 'the turns with their sizes'],
      ['codetether context browse show-turn 3', 'what was said and done in the third'],
    ],
    exitCodes: shortExitCodes,
    more,
  }).action(async (action: 'list' | 'show-turn', turn: number | undefined, options: BrowseOptions) => {
    process.exitCode = await (await import('./session/context.ts')).browse(action, turn, options);
  });
}

function pinCommand(name: 'pin' | 'unpin'): Command {
  const pin = new Command(name)
    .summary(name === 'pin' ? 'always send a turn' : 'send a turn only as long as it fits')
    .description(
      name === 'pin'
        ? 'A pinned turn is sent however long the session gets. Counts from the next model call on, also while the session works.'
        : 'Takes a pin back. Counts from the next model call on, also while the session works.',
    )
    .argument('[turn]', 'number of a turn', wholeNumber)
    .option('--row <n>', 'instead of a turn: the step that this row belongs to', wholeNumber)
    .option(...session)
    .option('--json', 'as one JSON object');
  return withHelpEnd(pin, {
    examples: [
      [`codetether context ${name} 1`, 'the first turn'],
      [`codetether context ${name} --row 14`, 'one step'],
    ],
    exitCodes: shortExitCodes,
    more,
  }).action(async (turn: number | undefined, options: PinOptions) => {
    process.exitCode = await (await import('./session/context.ts')).pin(turn, { ...options, pinned: name === 'pin' });
  });
}

function resetCommand(): Command {
  const reset = new Command('reset')
    .summary('send nothing of what was said, but a summary')
    .description(
      "Nothing that was said so far is sent any more, but what is pinned and a summary: yours, or one that the session's model makes before its next answer (a call of its own, with its price). Not while the session works.",
    )
    .option('--summary <text>', 'what stands for it from now on')
    .option(...session)
    .option('--json', 'as one JSON object');
  return withHelpEnd(reset, {
    examples: [
      ['codetether context reset', 'the model sums it up itself'],
      ['codetether context reset --summary "the parser is done; lint is next"', 'in your words'],
    ],
    exitCodes: shortExitCodes,
    more,
  }).action(async (options: ResetOptions) => {
    process.exitCode = await (await import('./session/context.ts')).reset(options);
  });
}
