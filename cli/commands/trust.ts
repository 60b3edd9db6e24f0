import { Command } from 'commander';
import { withHelpEnd } from './ralph/options.ts';
import type { TrustOptions } from './session/trust.ts';

/** `codetether trust`: whether a project's own agents, commands, skills, hooks and servers are obeyed. */
export function command(): Command {
  const trust = new Command('trust')
    .summary("let a project's own agents, commands, skills, hooks and servers be obeyed")
    .description(
      'Shows what the project brings in .codetether, .claude, .agents and .mcp.json, and trusts it as it is now: what is changed later is asked about again. AGENTS.md and its like need no trust: they are texts for the model.',
    )
    .argument('[folder]', 'of the project; default: this one')
    .option('--list', 'the projects that were answered for')
    .option('--remove', 'forget the answer: the project is not trusted any more')
    .option('--json', 'with --list: as one JSON object');
  return withHelpEnd(trust, {
    examples: [
      ['codetether trust', 'show what this project brings, and trust it'],
      ['codetether trust --list', 'which projects are trusted'],
      ['codetether trust --remove ~/src/todo', 'not any more'],
    ],
    exitCodes: [
      [0, 'done'],
      [1, 'error'],
      [2, 'the command line or a file of the project is not right; nothing was trusted'],
    ],
    more: 'docs/extensions.md',
  }).action(async (folder: string | undefined, options: TrustOptions) => {
    process.exitCode = await (await import('./session/trust.ts')).trust(folder, options);
  });
}
