import { Command, Option } from 'commander';
import { roles } from '../../domain/access/permissions.ts';
import { shortExitCodes, timeSpan, withHelpEnd } from './ralph/options.ts';
import type { CreateOptions, ListOptions, RotateOptions } from './access/token.ts';

const more = 'docs/serving.md';

/** `codetether token`: what others need to use this API. */
export function command(): Command {
  const token = new Command('token')
    .summary('tokens for those who use this API from elsewhere')
    .description(
      'Makes, lists, rotates and revokes tokens. A token is shown once, when it is made: only its hash is kept.',
    )
    .helpCommand(false)
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(rotateCommand())
    .addCommand(revokeCommand());
  return withHelpEnd(token, {
    examples: [
      ['codetether token create --name ci --role operator', 'starts and watches runs'],
      ['codetether token list', 'which there are, and when each was used last'],
    ],
    exitCodes: shortExitCodes,
    more,
  });
}

function createCommand(): Command {
  const create = new Command('create')
    .summary('make a token and print it')
    .description('Prints the new token on stdout and nothing else; what it may do and how long it holds on stderr.')
    .requiredOption('--name <text>', 'what it is for')
    .addOption(new Option('--role <role>', 'what it may do').choices(Object.keys(roles)).conflicts('permission'))
    .option('--permission <names...>', 'instead of a role: runs:read, runs:write, …')
    .option('--expires <time>', 'how long it holds: 12h, 90d; default 90d', timeSpan)
    .option('--never-expires', 'it holds until it is revoked')
    .option('--json', 'as one JSON object');
  return withHelpEnd(create, {
    examples: [
      ['codetether token create --name laptop --role admin --expires 30d', 'everything, for a month'],
      ['TOKEN=$(codetether token create --name ci --role operator)', 'for a script'],
    ],
    exitCodes: shortExitCodes,
    more,
  }).action(async (options: CreateOptions) => {
    process.exitCode = await (await import('./access/token.ts')).create(options);
  });
}

function listCommand(): Command {
  const list = new Command('list')
    .summary('list tokens, the newest first')
    .description('Lists the tokens, those that hold no more too; off a terminal as tab-separated values.')
    .option('--json', 'as one JSON object');
  return withHelpEnd(list, { examples: [['codetether token list', 'all']], exitCodes: shortExitCodes, more }).action(
    async (options: ListOptions) => {
      process.exitCode = await (await import('./access/token.ts')).list(options);
    },
  );
}

function rotateCommand(): Command {
  const rotate = new Command('rotate')
    .summary('make a new token in place of one')
    .description('Prints a new token with the same name, permissions and life; the old one holds a while longer.')
    .argument('<id>', 'of the token: the 12 digits in it')
    .option('--overlap <time>', 'how long the old one holds on; default 1h', timeSpan)
    .option('--json', 'as one JSON object');
  return withHelpEnd(rotate, {
    examples: [['codetether token rotate 3f2a8c0e91b4 --overlap 1d', 'with a day to spread the new one']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (id: string, options: RotateOptions) => {
    process.exitCode = await (await import('./access/token.ts')).rotate(id, options);
  });
}

function revokeCommand(): Command {
  const revoke = new Command('revoke')
    .summary('end a token at once')
    .description('The token does not hold any more from now on. Twice is once.')
    .argument('<id>', 'of the token: the 12 digits in it')
    .option('--json', 'as one JSON object');
  return withHelpEnd(revoke, {
    examples: [['codetether token revoke 3f2a8c0e91b4', 'for instance when it was seen by others']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (id: string, options: ListOptions) => {
    process.exitCode = await (await import('./access/token.ts')).revoke(id, options);
  });
}
