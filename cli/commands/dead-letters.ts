import { Command } from 'commander';
import { shortExitCodes, wholeNumber, withHelpEnd } from './ralph/options.ts';
import type { ListOptions, ReplayOptions } from './access/dead-letters.ts';

const more = 'docs/a2a.md';

/** `codetether dead-letters`: push notifications that could not be delivered. */
export function command(): Command {
  const deadLetters = new Command('dead-letters')
    .summary('push notifications that could not be delivered')
    .description(
      'What happened to a task of another agent and could not be told to the receiver that it has set: after ten attempts, or an answer that is final. After three in a row nothing more is sent to that receiver until one is replayed or the receiver is set anew.',
    )
    .helpCommand(false)
    .addCommand(listCommand())
    .addCommand(replayCommand());
  return withHelpEnd(deadLetters, {
    examples: [
      ['codetether dead-letters list', 'what could not be delivered, and why'],
      ['codetether dead-letters replay --all', 'when the receiver is back'],
    ],
    exitCodes: shortExitCodes,
    more,
  });
}

function listCommand(): Command {
  const list = new Command('list')
    .summary('list them, the newest first')
    .description('Lists them with their reasons; off a terminal as tab-separated values.')
    .option('-n, --limit <count>', 'how many', wholeNumber, 50)
    .option('--json', 'as one JSON object');
  return withHelpEnd(list, {
    examples: [['codetether dead-letters list', 'the newest fifty']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (options: ListOptions) => {
    process.exitCode = await (await import('./access/dead-letters.ts')).list(options);
  });
}

function replayCommand(): Command {
  const replay = new Command('replay')
    .summary('deliver them again')
    .description(
      'Tries to deliver them again, as if for the first time and under the same id, and then what their receiver was not told since. Twice is once.',
    )
    .argument('[ids...]', 'of dead letters')
    .option('--all', 'all that there are, the oldest first')
    .option('--json', 'as one JSON object');
  return withHelpEnd(replay, {
    examples: [['codetether dead-letters replay 6f1c2a9e-8d4b-4c57-9a57-0d1f5f0c2b11', 'one']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (ids: readonly string[], options: ReplayOptions) => {
    process.exitCode = await (await import('./access/dead-letters.ts')).replay(ids, options);
  });
}
