import { z } from 'zod';
import { CodetetherError } from '../../domain/errors.ts';
import { textLimit, workspaceDiff } from './diff.ts';
import { limitText, maxOutputCharacters, plainText } from './output-text.ts';
import { defineTool, failure, success, type Tool, type ToolContext, type ToolOutcome } from './tool.ts';
import { resolveWorkspacePath } from './workspace-path.ts';

const operations = ['status', 'diff', 'diff_staged', 'log', 'branch', 'show', 'commit'] as const;

const input = z.object({
  op: z.enum(operations).describe('What to do'),
  path: z.string().min(1).optional().describe('Only this file or folder (diff, log)'),
  rev: z.string().regex(/^[^-]/, 'must not begin with -').default('HEAD').describe('Commit (show, log)'),
  limit: z.int().min(1).max(200).default(20).describe('Most commits to show (log)'),
  message: z.string().min(1).max(10_000).optional().describe('Message (commit)'),
  paths: z.array(z.string().min(1)).max(1000).optional().describe('Files to commit; absent: all changes'),
});
type Input = z.output<typeof input>;

/** Commits as nobody: what the story leaves is committed anew under the user's name. */
const identity = {
  GIT_AUTHOR_NAME: 'codetether',
  GIT_AUTHOR_EMAIL: 'codetether@localhost',
  GIT_COMMITTER_NAME: 'codetether',
  GIT_COMMITTER_EMAIL: 'codetether@localhost',
};

/** Knows no operation that reaches another branch, another worktree or a remote. */
export function createGitTool(): Tool {
  return defineTool({
    name: 'git',
    risk: 'write',
    riskOf: ({ op }) => (op === 'commit' ? 'write' : 'read'),
    description:
      'Git in the workspace: status, diff, diff_staged, log, branch, show; commit on the workspace’s own branch.',
    input,
    label: ({ op, path, rev, message }) =>
      [op, op === 'show' ? rev : '', op === 'commit' ? (message ?? '') : (path ?? '')].filter(Boolean).join(' '),
    run: async (given, context) => {
      try {
        return await run(given, context);
      } catch (error) {
        // What git says is for whoever asked it: a commit that there is not, nothing to commit.
        if (error instanceof CodetetherError && error.code === 'workspace-failed') return failure(error.message);
        throw error;
      }
    },
  });
}

async function run(given: Input, context: ToolContext): Promise<ToolOutcome> {
  const { op, rev, limit } = given;
  const place =
    given.path === undefined ? '.' : (await resolveWorkspacePath(context.workspace, given.path, 'read')).relative;
  const show = async (args: readonly string[]): Promise<ToolOutcome> =>
    success(shown((await context.git(args)).stdout));
  switch (op) {
    case 'status':
      return show(['status', '--short', '--branch']);
    case 'diff':
    case 'diff_staged':
      return success(shown(await workspaceDiff(context, { place, staged: op === 'diff_staged', unified: '-U3' })));
    case 'log': {
      const format = '--format=%h %ad %an: %s';
      const options = [format, '--date=short', `--max-count=${limit}`, '--end-of-options'];
      return show(['log', '--no-color', ...options, rev, '--', `:(literal)${place}`]);
    }
    case 'branch':
      return show(['branch', '--no-color', '--list', '--verbose']);
    case 'show':
      return show([
        ...textLimit,
        'show',
        '--no-color',
        '--no-ext-diff',
        '--no-textconv',
        '--stat',
        '--patch',
        '--end-of-options',
        rev,
      ]);
    case 'commit':
      return commit(given, context);
  }
}

async function commit({ message, paths }: Input, context: ToolContext): Promise<ToolOutcome> {
  if (message === undefined) return failure('a commit needs a message');
  const head = await context.git(['symbolic-ref', '-q', 'HEAD'], { accept: [1] });
  const branch = head.stdout.trim().replace('refs/heads/', '');
  if (context.branch !== null && branch !== context.branch)
    return failure(
      `HEAD is on ${branch === '' ? 'no branch' : branch}; commits of this workspace belong on ${context.branch}`,
    );
  const files: string[] = [];
  for (const path of paths ?? [])
    files.push(`:(literal)${(await resolveWorkspacePath(context.workspace, path, 'write')).relative}`);
  await context.git(['add', '--all', '--', ...(files.length === 0 ? ['.'] : files)]);
  const isChanged = (await context.git(['diff', '--cached', '--quiet', 'HEAD', '--', ...files], { accept: [1] }))
    .exitCode;
  if (isChanged === 0) return failure('there is nothing to commit');
  const only = files.length === 0 ? [] : ['--only', '--', ...files];
  await context.git(['commit', '-q', '--no-verify', '-F', '-', ...only], { input: message, env: identity });
  return success(shown((await context.git(['log', '-1', '--format=%h %s', '--stat'])).stdout));
}

function shown(output: string): string {
  const text = plainText(output).trimEnd();
  if (text === '') return '(no output)';
  return limitText(text, { maxCharacters: maxOutputCharacters, advice: 'give a path, or a smaller limit' });
}
