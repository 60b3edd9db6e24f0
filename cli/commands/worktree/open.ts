import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, delimiter, join, resolve } from 'node:path';
import { CodetetherError, exitCodes } from '../../../domain/errors.ts';
import { nearest } from '../../../domain/text/nearest.ts';
import { variable } from '../../../services/config/environment.ts';
import { gitIn } from '../../../services/git/run-git.ts';
import { listWorktrees } from '../../../services/git/worktrees.ts';
import type { Worktree } from '../../../services/git/worktrees.ts';
import { openContext, print } from '../ralph/context.ts';
import type { Context } from '../ralph/context.ts';
import { realpath } from '../ralph/repository.ts';
import { nameOf } from './worktrees.ts';
import type { OpenOptions, WorkspaceOptions } from './worktrees.ts';

/** Editors that can open a folder in a window that is there. */
const reuses = /^(code|code-insiders|codium|cursor|windsurf)$/;

export async function open(name: string, { reuseWindow = false }: OpenOptions): Promise<number> {
  const context = openContext();
  const worktree = await findWorktree(context, name);
  return await edit(context, worktree.path, { reuseWindow });
}

export async function workspace({ dest, open: opens = false }: WorkspaceOptions): Promise<number> {
  const context = openContext();
  const worktrees = (await listWorktrees(gitIn(context.cwd, context.environment))).filter(({ path }) =>
    existsSync(path),
  );
  const primary = worktrees[0]?.path ?? '';
  const folders = worktrees.map((worktree) => ({ name: nameOf(worktree, primary), path: worktree.path }));
  const file = resolve(context.cwd, dest);
  const text = `${JSON.stringify({ ...readWorkspace(file), folders }, null, 2)}\n`;
  const made = `${file}.${process.pid}.new`;
  try {
    writeFileSync(made, text);
    renameSync(made, file);
  } catch (error) {
    throw new CodetetherError('usage', `${dest} cannot be written`, { problems: [String(error)] });
  }
  print(context.stdout, [file]);
  return opens ? await edit(context, file, { reuseWindow: false }) : exitCodes.completed;
}

/** What a workspace file holds besides its folders. @throws `usage` when it is something else */
function readWorkspace(file: string): object {
  if (!existsSync(file)) return {};
  try {
    const known: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof known === 'object' && known !== null && !Array.isArray(known)) return known;
  } catch {
    // Said below: comments are allowed in these files, and would be lost.
  }
  throw new CodetetherError('usage', `${file} is there, and is no workspace file without comments`, {
    next: 'Name another file with --dest.',
  });
}

/** By name, branch or path; the last part of a name is enough when no other has it. @throws `not-found`, `ambiguous-id` */
async function findWorktree(context: Context, name: string): Promise<Worktree> {
  const worktrees = await listWorktrees(gitIn(context.cwd, context.environment));
  const primary = worktrees[0]?.path ?? '';
  const path = realpath(resolve(context.cwd, name));
  const exact = worktrees.filter(
    (worktree) => worktree.path === path || worktree.branch === name || nameOf(worktree, primary) === name,
  );
  const found = exact.length > 0 ? exact : worktrees.filter((worktree) => basename(worktree.path) === name);
  const [worktree] = found;
  if (worktree === undefined) {
    const names = worktrees.map((each) => nameOf(each, primary));
    const meant = nearest(name, names);
    throw new CodetetherError(
      'not-found',
      `there is no worktree ${name}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
      { next: 'See which there are: codetether worktree list' },
    );
  }
  if (found.length > 1)
    throw new CodetetherError('ambiguous-id', `${name} fits ${found.length} worktrees`, {
      problems: found.map((each) => nameOf(each, primary)),
    });
  if (!existsSync(worktree.path))
    throw new CodetetherError('not-found', `the folder of ${name} is gone: ${worktree.path}`, {
      next: 'Take it off the list: codetether worktree cleanup --apply',
    });
  return worktree;
}

/** Waits for an editor of the terminal; one that opens a window comes back at once. @returns the exit status */
async function edit(
  context: Context,
  path: string,
  { reuseWindow }: { readonly reuseWindow: boolean },
): Promise<number> {
  const editor = editorOf(context);
  const program = basename(editor.split(/\s+/)[0] ?? '');
  if (reuseWindow && !reuses.test(program))
    throw new CodetetherError('usage', `${program} has no window that could be used again (-r)`);
  // The setting is a command line of the shell's, as it is for git.
  const command = `${editor} ${reuseWindow ? '-r ' : ''}"$1"`;
  const child = spawn('sh', ['-c', command, 'sh', path], { stdio: 'inherit', env: { ...context.environment } });
  const code = await new Promise<number | null>((ended, reject) => {
    child.on('error', reject);
    child.on('close', ended);
  });
  if (code === 0) return exitCodes.completed;
  throw new CodetetherError('editor-missing', `${editor} has ended with ${code ?? 'a signal'}`, {
    next: `Look at VISUAL and EDITOR, or open it yourself: ${path}`,
  });
}

function editorOf({ environment }: Context): string {
  for (const name of ['VISUAL', 'EDITOR']) {
    const set = variable(environment, name);
    if (set !== undefined && set.trim() !== '') return set;
  }
  if (isOnPath('code', variable(environment, 'PATH') ?? '')) return 'code';
  throw new CodetetherError(
    'editor-missing',
    'there is no editor: VISUAL and EDITOR are not set, and there is no code',
  );
}

function isOnPath(program: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}
