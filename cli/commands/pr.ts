import { Command } from 'commander';
import { withHelpEnd } from './ralph/options.ts';
import type { HelpEnd } from './ralph/options.ts';
import type { CreateOptions } from './pr/create.ts';

const more = 'docs/commands.md';
const exitCodes: HelpEnd['exitCodes'] = [
  [0, 'the pull request is there, and is as it was wanted'],
  [1, 'error'],
  [2, 'command line, branch or token is not right, or GitHub refuses'],
  [75, 'GitHub does not answer, or limits the rate: try again later'],
];

/** `codetether pr`: pull requests. What a command does is loaded when it is called. */
export function command(): Command {
  const pr = new Command('pr')
    .summary('pull requests: create')
    .description('Pull requests at GitHub.')
    .helpCommand(false)
    .addCommand(createCommand());
  return withHelpEnd(pr, { examples: [['codetether pr create', 'of the current branch']], exitCodes, more });
}

function createCommand(): Command {
  const create = new Command('create')
    .summary('open a pull request of a branch, or update the one that is open')
    .description(
      "Opens a pull request at GitHub, or at the GitHub Enterprise server that the remote's URL names. An open one of the same branch is updated instead. Pushes nothing. Needs GITHUB_TOKEN or GH_TOKEN (GH_ENTERPRISE_TOKEN for another host).",
    )
    .option(
      '--title <text>',
      "default: the run's feature, else the last commit's subject; one that is open keeps its own",
    )
    .option('--body <text>', 'Markdown; one that is open keeps its own')
    .option('--body-file <file>', 'the same, from a file; - is stdin')
    .option('--base <branch>', "that it is to be merged into (default: the remote's default branch)")
    .option('--head <branch>', "that it is about (default: the run's, else the current one)")
    .option('--run <id>', 'with what came of this run: stories, commits, gates, cost')
    .option('--draft', 'not ready for review yet')
    .option('--project <folder>', 'a folder of the repository (default: this one)')
    .option('--json', 'as one JSON object');
  return withHelpEnd(create, {
    examples: [
      ['codetether pr create --draft', 'of the current branch'],
      ['codetether pr create --run due-dates', 'with the evidence of a run'],
      ['codetether pr create --title "Due dates" --body-file notes.md', 'in your words'],
    ],
    exitCodes,
    more,
  }).action(async (options: CreateOptions) => {
    process.exitCode = await (await import('./pr/create.ts')).create(options);
  });
}
