import { Command } from 'commander';

/** `codetether serve`: the API in the foreground; the local stack starts its own. */
export function command(): Command {
  return new Command('serve')
    .summary('run the API in the foreground')
    .description(
      'Serves the API on the Unix socket of the data dir until it is told to end (SIGTERM). Needs DATABASE_URL and TEMPORAL_ADDRESS.',
    )
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  codetether serve\n' +
        '  CODETETHER_API_SOCKET=/run/codetether/api.sock codetether serve\n' +
        '  curl --unix-socket /run/codetether/api.sock http://localhost/health\n' +
        '\nExit codes: 0 ended, 1 error.',
    )
    .action(async () => {
      await import('../../services/api/main.ts');
    });
}
