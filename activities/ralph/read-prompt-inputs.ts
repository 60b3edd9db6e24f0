import { readFile, realpath } from 'node:fs/promises';
import { dirname, relative, sep } from 'node:path';
import type { AttemptRef } from '../../domain/contracts/activities.ts';
import type { RunRecord, Store, StoryRecord } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { WorkspaceStart } from '../../domain/contracts/ralph.ts';
import type { AttemptFailure } from '../../domain/run/events.ts';
import { learnings } from '../../domain/ralph/progress.ts';
import { readInstructions } from '../instructions.ts';
import { listFiles } from '../tools/list-files.ts';
import { plainText, tailText } from '../tools/output-text.ts';
import { isInside } from '../tools/workspace-path.ts';
import type { Git } from '../workspace/git.ts';
import { requireWorktree } from '../workspace/worktree.ts';
import { progressPath } from './prd-file.ts';
import { readConflict } from './read-conflict.ts';
import type { Feedback, PromptInputs } from './prompt.ts';

const maxProgressCharacters = 8 * 1024;
const maxLearnings = 40;
const maxLearningCharacters = 300;
const maxFeedbackCharacters = 8 * 1024;
const maxOtherInstructions = 20;

const checkReasons: readonly string[] = [
  'gate-failed',
  'verification-failed',
  'merged-gate-failed',
] satisfies AttemptFailure[];

export interface PromptInputDeps {
  readonly store: Pick<Store, 'getRun' | 'getStory' | 'listChecks' | 'getBlob'>;
  readonly git: Git;
}

/** Everything that an attempt's prompts are made of, bounded. Throws `not-found`, `workspace-failed`. */
export async function readPromptInputs(
  { store, git }: PromptInputDeps,
  input: AttemptRef & {
    readonly workspacePath: string;
    /** The commit that the workspace stands on. */
    readonly base: string;
    readonly start?: WorkspaceStart;
  },
): Promise<PromptInputs> {
  const [run, story] = await Promise.all([store.getRun(input.runId), store.getStory(input.runId, input.storyId)]);
  if (run === undefined || story === undefined)
    throw new CodetetherError('not-found', `There is no story ${input.storyId} in run ${input.runId}.`);
  const folders = await foldersToPrd(run);
  const { start } = input;
  const mergedCommit = start?.kind === 'merged' || start?.kind === 'conflict' ? start.commit : null;
  const [instructions, otherInstructions, progress, feedback, conflict] = await Promise.all([
    readInstructions(input.workspacePath, folders),
    findOtherInstructions(git, input.workspacePath, folders),
    readProgress(run.prdPath),
    readFeedback(store, story, input.attempt),
    mergedCommit === null
      ? null
      : readConflict(git, { folder: input.workspacePath, base: input.base, commit: mergedCommit }),
  ]);
  return {
    workspacePath: input.workspacePath,
    prd: run.prd,
    story: story.story,
    attempt: input.attempt,
    instructions,
    otherInstructions,
    progress: tailText(progress, maxProgressCharacters),
    learnings: learnings(progress)
      .slice(-maxLearnings)
      .map((line) => line.slice(0, maxLearningCharacters).toWellFormed()),
    feedback,
    conflict,
  };
}

/** From the repository's top folder (`''`) down to the folder of the PRD, where that is inside. */
async function foldersToPrd(run: RunRecord): Promise<string[]> {
  try {
    const top = await realpath(run.repoPath);
    const folder = await realpath(dirname(run.prdPath));
    if (folder === top || !isInside(top, folder)) return [''];
    const parts = relative(top, folder).split(sep);
    return ['', ...parts.map((_, index) => parts.slice(0, index + 1).join('/'))];
  } catch {
    // The PRD was moved away since the run began.
    return [''];
  }
}

async function findOtherInstructions(git: Git, workspacePath: string, folders: readonly string[]): Promise<string[]> {
  const files = await listFiles(git, await requireWorktree(workspacePath));
  const taken = new Set(folders);
  return files
    .filter((file) => {
      const name = file.slice(file.lastIndexOf('/') + 1);
      const folder = file.slice(0, Math.max(0, file.length - name.length - 1));
      return (name === 'AGENTS.md' || name === 'AGENTS.override.md') && !taken.has(folder);
    })
    .slice(0, maxOtherInstructions);
}

async function readProgress(prdPath: string): Promise<string> {
  try {
    return plainText(await readFile(progressPath(prdPath), 'utf8'));
  } catch {
    // No attempt has ended yet, or the user took the file away.
    return '';
  }
}

async function readFeedback(
  store: PromptInputDeps['store'],
  { runId, story, feedback }: StoryRecord,
  attempt: number,
): Promise<Feedback | null> {
  if (feedback === null) return null;
  // Reasons of other kinds (no change, too many steps) have no output, and an older check's would mislead.
  if (!checkReasons.includes(feedback.reason)) return { ...feedback, check: null };
  const failed = (await store.listChecks(runId, story.id)).findLast(
    (check) => check.verdict === 'red' && check.attempt !== null && check.attempt < attempt,
  );
  if (failed === undefined) return { ...feedback, check: null };
  const output = plainText((await store.getBlob(failed.log)) ?? failed.summary);
  return {
    ...feedback,
    check: {
      name: failed.name,
      command: failed.command,
      where: failed.where,
      exitCode: failed.exitCode,
      output: tailText(output.trimEnd(), maxFeedbackCharacters),
    },
  };
}
