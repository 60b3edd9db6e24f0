import { Command, Option } from 'commander';
import { onAskPolicies } from '../../domain/run/approval.ts';
import {
  dollars,
  outputFormats,
  sequenceNumber,
  timeSpan,
  tokenCount,
  wholeNumber,
  withHelpEnd,
} from './ralph/options.ts';
import type { SayOptions } from './session/say.ts';

const exitCodes = [
  [0, 'the agent has answered'],
  [1, 'error; or the turn was interrupted'],
  [2, 'the command line is not right, or there is no such session'],
  [3, 'the agent went round in circles, or a hook still said no at the end'],
  [4, 'max-steps: the allowed model calls are used up'],
  [5, 'budget-exceeded: cost, tokens or time are used up'],
  [75, 'temporary failure: the same command can work later'],
  [130, 'interrupted: the turn goes on without this command'],
] as const;

/** `codetether run`: one message to an agent that works in this folder. */
export function command(): Command {
  const run = new Command('run')
    .summary('give an agent one message, and print its answer')
    .description(
      'Gives an agent a message and prints its answer on stdout; progress goes to stderr. The agent works in this folder, in place. What is piped in is context. The session is durable: killed in the middle it goes on, and it can be gone on with.',
    )
    .argument('[message...]', 'what is to be done; /name words is the text of a command in a file')
    .option('-p, --print <message>', 'the same as the argument, for those who are used to it')
    .option(
      '-m, --model <provider/model>',
      "default: the session's last one, else CODETETHER_DEFAULT_MODEL or defaultModel in config.yaml",
    )
    .option('--fallback-model <provider/model>', 'answers a step that the model was asked for three times in vain')
    .option(
      '--agent <name>',
      'build works on the files; plan and explore only read; others are in files, see docs/extensions.md',
    )
    .optionsGroup('Which session:')
    .option('-c, --continue', "go on with this folder's newest session")
    .option('-r, --resume <id>', 'go on with a session; the beginning of its id is enough')
    .option('--fork <id>', 'begin a further session with what was said in one')
    .option('--cwd <folder>', 'the folder to work in; default: this one')
    .optionsGroup('Limits:')
    .option(
      '--max-steps <n>',
      'model calls of this turn (default: 100; plan 50, explore 20, others as their file says)',
      wholeNumber,
    )
    .option('--max-time <time>', 'wall clock of this turn, e.g. 30m', timeSpan)
    .option('--max-cost <usd>', 'US dollars of the whole session, e.g. 2 or 0.50', dollars)
    .option('--max-tokens <n>', 'tokens of the whole session, e.g. 400k', tokenCount)
    .optionsGroup('What to do:')
    .addOption(
      new Option('--on-ask <policy>', 'when something has to be asked; default: wait on a terminal, else deny').choices(
        onAskPolicies,
      ),
    )
    .option('--ask-timeout <time>', 'how long a person is waited for; default: 24h', timeSpan)
    .optionsGroup('Output:')
    .addOption(new Option('--output-format <format>', 'how to print').choices(outputFormats).default('text'))
    .option('--json', 'the same as --output-format json: one JSON object at the end')
    .option(
      '--output-schema <file>',
      'a JSON schema that the answer has to follow; it is checked, and asked for once more',
    )
    .option('-o, --output <file>', 'write the answer to a file instead of stdout')
    .option('--since-seq <n>', 'with stream-json: only events after this one', sequenceNumber)
    .option('-q, --quiet', 'only the answer');
  return withHelpEnd(run, {
    examples: [
      ['codetether run "why does the build fail?"', 'a question about this folder'],
      ['git diff | codetether run "review this" --agent explore', 'with context, and nothing is changed'],
      ['codetether run "/review src"', 'a command of this project or of yours'],
      ['codetether run -c "now add a test for it"', 'go on with the last session of this folder'],
    ],
    exitCodes,
    more: 'docs/sessions.md',
  }).action(async (words: readonly string[], options: SayOptions) => {
    process.exitCode = await (await import('./session/say.ts')).say(words, options);
  });
}
