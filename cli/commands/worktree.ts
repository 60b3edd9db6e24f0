import { Command } from 'commander';
import { shortExitCodes, withHelpEnd } from './ralph/options.ts';
import type { CleanupOptions, OpenOptions, WorkspaceOptions } from './worktree/worktrees.ts';

const more = 'docs/commands.md';

/** `codetether worktree`: the git worktrees of this repository. What a command does is loaded when it is called. */
export function command(): Command {
  const worktree = new Command('worktree')
    .summary('git worktrees of this repository: list, open, workspace, cleanup')
    .description(
      'Lists, opens and tidies up the git worktrees of the repository around this folder, of runs and of your own.',
    )
    .helpCommand(false)
    .addCommand(listCommand())
    .addCommand(openCommand())
    .addCommand(workspaceCommand())
    .addCommand(cleanupCommand());
  return withHelpEnd(worktree, {
    examples: [
      ['codetether worktree list', 'those of this repository'],
      ['codetether worktree open us-001', 'in your editor'],
      ['codetether worktree cleanup', 'which of them could go'],
    ],
    exitCodes: shortExitCodes,
    more,
  });
}

function listCommand(): Command {
  const list = new Command('list')
    .summary('list the worktrees')
    .description('Lists the worktrees of this repository: name, branch, path; off a terminal as tab-separated values.')
    .option('--json', 'as a JSON array');
  return withHelpEnd(list, {
    examples: [['codetether worktree list | cut -f3', 'their paths']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (options: { readonly json?: boolean }) => {
    process.exitCode = await (await import('./worktree/worktrees.ts')).list(options);
  });
}

function openCommand(): Command {
  const open = new Command('open')
    .summary('open a worktree in your editor')
    .description('Opens a worktree with $VISUAL, else $EDITOR, else VS Code, where there is one.')
    .argument('<name>', 'name, branch or path of a worktree')
    .option('-r, --reuse-window', 'in the window that is open (VS Code and its kin)');
  return withHelpEnd(open, {
    examples: [
      ['codetether worktree open us-001', 'by its name'],
      ['codetether worktree open codetether/due-dates/us-001 -r', 'by its branch'],
    ],
    exitCodes: shortExitCodes,
    more,
  }).action(async (name: string, options: OpenOptions) => {
    process.exitCode = await (await import('./worktree/open.ts')).open(name, options);
  });
}

function workspaceCommand(): Command {
  const workspace = new Command('workspace')
    .summary('write a multi-root workspace file of all worktrees')
    .description(
      'Writes a workspace file of VS Code with all worktrees that are there. Of a file that exists only its folders are replaced.',
    )
    .requiredOption('--dest <file>', 'where to')
    .option('--open', 'and open it in your editor');
  return withHelpEnd(workspace, {
    examples: [['codetether worktree workspace --dest ../all.code-workspace --open', 'and look at it']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (options: WorkspaceOptions) => {
    process.exitCode = await (await import('./worktree/open.ts')).workspace(options);
  });
}

function cleanupCommand(): Command {
  const cleanup = new Command('cleanup')
    .summary('show which worktrees could go, and remove them')
    .description(
      'Looks which worktrees hold nothing that is not in the base branch. Removes nothing without --apply; branches are always kept. What a run or a session works in is left alone.',
    )
    .option('--base <branch>', "that finished work is in (default: main, else the remote's default branch)")
    .option('--root <folder>', 'only worktrees in this folder; can be given several times', collect)
    .option('--apply', 'remove those that are ready')
    .option('--json', 'as one JSON object');
  return withHelpEnd(cleanup, {
    examples: [
      ['codetether worktree cleanup', 'only look'],
      ['codetether worktree cleanup --apply --base develop', 'remove what is in develop'],
    ],
    exitCodes: [
      [0, 'done'],
      [1, 'a worktree could not be removed'],
      [2, 'the command line is not right, or this is no repository'],
      [75, 'temporary failure: the same command can work later'],
    ],
    more,
  }).action(async (options: CleanupOptions) => {
    process.exitCode = await (await import('./worktree/worktrees.ts')).cleanup(options);
  });
}

function collect(folder: string, before: readonly string[] = []): readonly string[] {
  return [...before, folder];
}
