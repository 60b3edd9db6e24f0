/** Which stories may start, which never can. Pure: decides from the stories' states alone. */

export interface ScheduledStory {
  readonly storyId: string;
  readonly position: number;
  readonly status: 'open' | 'running' | 'passed' | 'failed' | 'blocked';
  readonly dependsOn: readonly string[];
  readonly priority: number;
  readonly complexity: number;
  /** Attempts started by the present execution. */
  readonly tries: number;
}

/**
 * Stories whose prerequisites have all passed and that nobody works on, best first: fewest tries (a failing
 * story starves nobody), then priority, complexity, place in the PRD.
 */
export function readyStories<S extends ScheduledStory>(stories: readonly S[], inFlight: ReadonlySet<string>): S[] {
  const passed = new Set(stories.filter((story) => story.status === 'passed').map((story) => story.storyId));
  return stories
    .filter((story) => isOpen(story, inFlight) && story.dependsOn.every((id) => passed.has(id)))
    .toSorted(
      (a, b) => a.tries - b.tries || a.priority - b.priority || a.complexity - b.complexity || a.position - b.position,
    );
}

/** Stories still to be worked on that nobody works on now, ready or not. */
export function isOpen(story: ScheduledStory, inFlight: ReadonlySet<string>): boolean {
  return (story.status === 'open' || story.status === 'running') && !inFlight.has(story.storyId);
}

/**
 * Open stories that can never start, each with the failed stories (direct or further up) that block it.
 * A story that is merely waiting is not blocked.
 */
export function blockedStories(stories: readonly ScheduledStory[]): Map<string, string[]> {
  const byId = new Map(stories.map((story) => [story.storyId, story]));
  const memo = new Map<string, Set<string>>();
  const causes = (id: string): Set<string> => {
    const known = memo.get(id);
    if (known !== undefined) return known;
    const found = new Set<string>();
    memo.set(id, found);
    for (const dependency of byId.get(id)?.dependsOn ?? []) {
      const story = byId.get(dependency);
      if (story === undefined || story.status === 'passed') continue;
      if (story.status === 'failed') found.add(dependency);
      for (const further of causes(dependency)) found.add(further);
    }
    return found;
  };
  const blocked = new Map<string, string[]>();
  for (const story of stories) {
    if (story.status === 'passed' || story.status === 'failed') continue;
    const by = causes(story.storyId);
    if (by.size > 0) blocked.set(story.storyId, [...by]);
  }
  return blocked;
}

/** Stories that have passed and depend on the one named, directly or through others; in the given order. */
export function passedDependents(
  stories: readonly Pick<ScheduledStory, 'storyId' | 'status' | 'dependsOn'>[],
  storyId: string,
): string[] {
  const reached = new Set([storyId]);
  for (let before = 0; before < reached.size;) {
    before = reached.size;
    for (const story of stories) if (story.dependsOn.some((id) => reached.has(id))) reached.add(story.storyId);
  }
  return stories
    .filter((story) => story.storyId !== storyId && story.status === 'passed' && reached.has(story.storyId))
    .map((story) => story.storyId);
}

/** Stage of each story: 0 without prerequisites, else one more than the highest of its prerequisites'. */
export function stages(
  stories: readonly { readonly id: string; readonly dependsOn: readonly string[] }[],
): Map<string, number> {
  const byId = new Map(stories.map((story) => [story.id, story]));
  const stage = new Map<string, number>();
  const visit = (id: string): number => {
    const known = stage.get(id);
    if (known !== undefined) return known;
    stage.set(id, 0);
    const value = Math.max(-1, ...(byId.get(id)?.dependsOn ?? []).map(visit)) + 1;
    stage.set(id, value);
    return value;
  };
  for (const story of stories) visit(story.id);
  return stage;
}

/** The stories of each stage, in the given order. */
export function byStage<S extends { readonly id: string; readonly dependsOn: readonly string[] }>(
  stories: readonly S[],
): S[][] {
  const stageOf = stages(stories);
  const found: S[][] = [];
  for (const story of stories) (found[stageOf.get(story.id) ?? 0] ??= []).push(story);
  return found;
}
