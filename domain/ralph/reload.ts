/** What a PRD file that was edited changes in a run that goes on. Pure: both sides are given. */
import type { StoryRecord } from '../contracts/store.ts';
import { gateNames, prdGates } from './prd.ts';
import type { GateName, Prd, Story } from './prd.ts';

export interface StoryHead {
  readonly storyId: string;
  readonly title: string;
  readonly dependsOn: readonly string[];
}

export interface PrdChanges {
  readonly added: readonly StoryHead[];
  /** Another text, other checks, or another order of work. */
  readonly changed: readonly StoryHead[];
  readonly removed: readonly string[];
  /** The file says that they have passed. */
  readonly passed: readonly string[];
  /** Had passed, and the file has said since that they have not. */
  readonly reopened: readonly string[];
  /** Gates that are new or have another command. */
  readonly changedGates: readonly GateName[];
  readonly removedGates: readonly GateName[];
  /** Project, feature, description or requirements: every prompt from now on has the new ones. */
  readonly texts: boolean;
}

export interface ReloadedRun {
  readonly prd: Omit<Prd, 'stories'>;
  /** Stories of the PRD as the run has them. */
  readonly stories: readonly Pick<StoryRecord, 'story' | 'status' | 'endedAt'>[];
}

/** @param savedAt when the file was written: a story that has passed since is not in it, and stays passed */
export function prdChanges(run: ReloadedRun, prd: Prd, savedAt: Date): PrdChanges {
  const known = new Map(run.stories.map((row) => [row.story.id, row]));
  const named = new Set(prd.stories.map((story) => story.id));
  const kept = prd.stories.flatMap((story) => {
    const row = known.get(story.id);
    return row === undefined ? [] : [{ story, row }];
  });
  const gates = (of: Pick<Prd, 'qualityChecks'>, gate: GateName) => of.qualityChecks[gate]?.trim() ?? '';
  return {
    added: prd.stories.filter((story) => !known.has(story.id)).map(headOf),
    changed: kept.filter(({ story, row }) => !isSameTask(story, row.story)).map(({ story }) => headOf(story)),
    removed: run.stories.map((row) => row.story.id).filter((id) => !named.has(id)),
    passed: kept.filter(({ story, row }) => story.passes && row.status !== 'passed').map(({ story }) => story.id),
    reopened: kept
      .filter(({ story, row }) => !story.passes && row.status === 'passed' && (row.endedAt ?? new Date(0)) < savedAt)
      .map(({ story }) => story.id),
    changedGates: prdGates(prd).filter((gate) => gates(prd, gate) !== gates(run.prd, gate)),
    removedGates: gateNames.filter((gate) => gates(prd, gate) === '' && gates(run.prd, gate) !== ''),
    texts: textsOf(prd) !== textsOf(run.prd),
  };
}

export function isNoChange(changes: PrdChanges): boolean {
  return Object.values(changes).every((value) => value === false || (Array.isArray(value) && value.length === 0));
}

/** What becomes of a story of the file; `undefined` status: the run does not have it. */
export function statusAfterReload(
  story: Story,
  status: StoryRecord['status'] | undefined,
  changes: PrdChanges,
): StoryRecord['status'] {
  if (story.passes) return 'passed';
  if (status === undefined || changes.reopened.includes(story.id)) return 'open';
  // Another text is another task, which has not failed yet.
  if (status === 'failed' && changes.changed.some(({ storyId }) => storyId === story.id)) return 'open';
  return status;
}

function headOf({ id, title, dependsOn }: Story): StoryHead {
  return { storyId: id, title, dependsOn };
}

function isSameTask(a: Story, b: Story): boolean {
  return JSON.stringify({ ...a, passes: false }) === JSON.stringify({ ...b, passes: false });
}

function textsOf({ project, feature, description, technicalRequirements }: Omit<Prd, 'stories'>): string {
  return JSON.stringify([project, feature, description, technicalRequirements]);
}
