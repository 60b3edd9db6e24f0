import { Command, Option } from 'commander';
import { onAskPolicies } from '../../domain/run/approval.ts';
import { dollars, tokenCount, wholeNumber, withHelpEnd } from './ralph/options.ts';
import type { ChatOptions } from './session/chat.ts';

const exitCodes = [
  [0, 'left by the person'],
  [1, 'error'],
  [2, 'the command line is not right, or there is no such session'],
  [75, 'temporary failure: the same command can work later'],
] as const;

/** `codetether chat`: a conversation, line by line. */
export function command(): Command {
  const chat = new Command('chat')
    .summary('talk with an agent, line by line')
    .description(
      'A conversation with an agent that works in this folder, in place: a line is a message. What is typed while the agent works waits for its turn; a line that begins with ! is told to the agent at once. While the agent asks something, a line is the answer. Off a terminal each line of stdin is a message.',
    )
    .option(
      '-m, --model <provider/model>',
      "default: the session's last one, else CODETETHER_DEFAULT_MODEL or defaultModel in config.yaml",
    )
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
    .option('--max-steps <n>', 'model calls of one turn (default: 100; plan 50, explore 20)', wholeNumber)
    .option('--max-cost <usd>', 'US dollars of the whole session, e.g. 2 or 0.50', dollars)
    .option('--max-tokens <n>', 'tokens of the whole session, e.g. 400k', tokenCount)
    .addOption(
      new Option('--on-ask <policy>', 'when something has to be asked; default: wait on a terminal, else deny').choices(
        onAskPolicies,
      ),
    );
  return withHelpEnd(chat, {
    examples: [
      ['codetether chat --model anthropic/NAME', 'a new session in this folder'],
      ['codetether chat -c', "go on with this folder's newest"],
    ],
    exitCodes,
    more: 'docs/sessions.md',
  }).action(async (options: ChatOptions) => {
    process.exitCode = await (await import('./session/chat.ts')).chat(options);
  });
}
