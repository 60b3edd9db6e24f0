import path from 'node:path';
import { readFileSync, readdirSync } from 'node:fs';
import { createRunCommand, type ProcessDeps } from '../../activities/process/run-command.ts';
import { listFiles } from '../../activities/tools/list-files.ts';
import { createToolRegistry, type ToolRegistry } from '../../activities/tools/registry.ts';
import type { ToolContext, ToolOutcome } from '../../activities/tools/tool.ts';
import { createGit } from '../../activities/workspace/git.ts';
import { inWorktree, requireWorktree } from '../../activities/workspace/worktree.ts';
import type { SessionEvent } from '../../domain/session/transcript.ts';
import { memoryToolSession } from './tool-session.ts';
import { bareEnvironment, makeRepository, type Files, type TestRepository } from './repository.ts';

/** A story's worktree in a repository of its own, and the tools that work in it. */
export interface ToolWorkspace {
  readonly repository: TestRepository;
  readonly root: string;
  readonly context: ToolContext;
  readonly processes: ProcessDeps;
  /** What `onLine` was told. */
  readonly lines: string[];
  readonly abort: AbortController;
  /** Rows of the transcript that tools see. */
  readonly transcript: SessionEvent[];
  run(name: string, given: Record<string, unknown>): Promise<ToolOutcome>;
  write(files: Files): void;
  file(name: string): string;
  /** Temporary files that a tool left. */
  leftovers(): string[];
  remove(): void;
}

export async function makeToolWorkspace(
  options: { readonly registry?: ToolRegistry; readonly name?: string } = {},
): Promise<ToolWorkspace> {
  const { registry = createToolRegistry(), name = 'größe und so' } = options;
  const repository = makeRepository({ name, files: { '.gitignore': 'ignored/\nnode_modules\n' } });
  const root = path.join(repository.top, '.codetether-worktrees', 'run', 'US-1');
  repository.git(['worktree', 'add', '-q', '-b', 'story', root]);
  const processes = {
    env: { ...bareEnvironment(repository.scratch), OPENAI_API_KEY: 'sk-secret' },
    processDir: path.join(repository.scratch, 'processes'),
  };
  const git = createGit(processes);
  const worktree = await requireWorktree(root);
  const lines: string[] = [];
  const abort = new AbortController();
  const transcript: SessionEvent[] = [];
  const context: ToolContext = {
    workspace: { root, mainCheckout: repository.top },
    workspaceId: 'run:US-1',
    runCommand: createRunCommand(processes),
    listFiles: () => listFiles(git, worktree),
    git: (args, call) => git(args, { ...inWorktree(worktree), ...call }),
    branch: 'story',
    session: memoryToolSession({ rows: transcript }),
    signal: abort.signal,
    onLine: (line) => lines.push(line),
  };
  return {
    repository,
    root,
    context,
    processes,
    lines,
    abort,
    transcript,
    run: (tool, given) => registry.call(tool, given, context),
    write: (files) => repository.write(files, root),
    file: (file) => readFileSync(path.join(root, file), 'utf8'),
    leftovers: () => readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((entry) => entry.endsWith('.tmp')),
    remove: () => repository.remove(),
  };
}
