import type { AttemptRef } from '../../domain/contracts/activities.ts';

/** The commit message of a story; its last paragraph names run, story and attempt, by which the commit is found again. */
export function storyMessage(story: AttemptRef & { readonly title: string }): string {
  const title = oneLine(story.title);
  return [
    `feat(${story.storyId}): ${title === '' ? story.storyId : title}`,
    '',
    `Codetether-Run: ${story.runId}`,
    `Codetether-Story: ${story.storyId}`,
    `Codetether-Attempt: ${story.attempt}`,
    '',
  ].join('\n');
}

/** The commit message of a story's rollback; it names the commit that it takes off the branch. */
export function revertMessage(story: {
  readonly runId: string;
  readonly storyId: string;
  readonly title: string;
  readonly reverts: string;
}): string {
  const title = oneLine(story.title);
  return [
    `revert(${story.storyId}): ${title === '' ? story.storyId : title}`,
    '',
    `Codetether-Run: ${story.runId}`,
    `Codetether-Story: ${story.storyId}`,
    `Codetether-Reverts: ${story.reverts}`,
    '',
  ].join('\n');
}

/** The commit that a rollback of the run with this message takes off the branch. */
export function revertedBy(message: string, runId: string): string | undefined {
  return trailer(message, 'Run') === runId ? trailer(message, 'Reverts') : undefined;
}

/** The attempt that a commit message names in its last paragraph, undefined when it names none. */
export function attemptOf(message: string): AttemptRef | undefined {
  const [runId, storyId] = [trailer(message, 'Run'), trailer(message, 'Story')];
  const attempt = Number(trailer(message, 'Attempt'));
  if (runId === undefined || storyId === undefined || !Number.isInteger(attempt)) return undefined;
  return { runId, storyId, attempt };
}

function trailer(message: string, key: string): string | undefined {
  const last = message.trimEnd().split(/\n\n+/).at(-1) ?? '';
  return new RegExp(`^Codetether-${key}: (.+)$`, 'm').exec(last)?.[1];
}

export function isSameAttempt(a: AttemptRef | undefined, b: AttemptRef): boolean {
  return a !== undefined && a.runId === b.runId && a.storyId === b.storyId && a.attempt === b.attempt;
}

/** Without line ends, control characters and those that turn the direction of text around. */
function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/[\u202a-\u202e\u2066-\u2069]/g, '')
    .replace(/ {2,}/g, ' ')
    .trim()
    .slice(0, 200);
}
