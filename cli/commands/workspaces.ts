import { Command } from 'commander';
import { shortExitCodes, withHelpEnd } from './ralph/options.ts';
import type { AddOptions, ListOptions } from './access/workspaces.ts';

const more = 'docs/serving.md';

/** `codetether workspaces`: the folders that others may name. */
export function command(): Command {
  const workspaces = new Command('workspaces')
    .summary('folders in which others may have work done')
    .description(
      "Those who ask this API from elsewhere, with a token, can have work done in these folders and in nothing else of this machine. This machine's own user needs none.",
    )
    .helpCommand(false)
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(removeCommand());
  return withHelpEnd(workspaces, {
    examples: [
      ['codetether workspaces add', 'this folder, under its own name'],
      ['codetether workspaces list', 'which there are'],
    ],
    exitCodes: shortExitCodes,
    more,
  });
}

function addCommand(): Command {
  const add = new Command('add')
    .summary('let others have work done in a folder')
    .description('A name that is there already gets the new folder.')
    .argument('[folder]', 'default: this one')
    .option('--name <name>', "default: the folder's own")
    .option('--json', 'as one JSON object');
  return withHelpEnd(add, {
    examples: [['codetether workspaces add ~/src/shop --name shop', 'under another name']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (folder: string | undefined, options: AddOptions) => {
    process.exitCode = await (await import('./access/workspaces.ts')).add(folder, options);
  });
}

function listCommand(): Command {
  const list = new Command('list')
    .summary('list the folders')
    .description('Lists them by name; off a terminal as tab-separated values.')
    .option('--json', 'as one JSON object');
  return withHelpEnd(list, {
    examples: [['codetether workspaces list', 'all']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (options: ListOptions) => {
    process.exitCode = await (await import('./access/workspaces.ts')).list(options);
  });
}

function removeCommand(): Command {
  const remove = new Command('remove')
    .summary('let nobody else name a folder any more')
    .description('The folder itself stays as it is; what is being worked on there goes on.')
    .argument('<name>', 'of the workspace');
  return withHelpEnd(remove, {
    examples: [['codetether workspaces remove shop', '']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (name: string) => {
    process.exitCode = await (await import('./access/workspaces.ts')).remove(name);
  });
}
