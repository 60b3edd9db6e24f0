/** What a PRD comes to when it is run, in words. Pure. */
import { footprint, spreadOut } from './overlap.ts';
import { prdBranch, prdGates, type Prd } from './prd.ts';
import { byStage } from './schedule.ts';

/**
 * Stages, how many stories can be worked on side by side, which of them are likely to change the same files and so wait for each other,
 * and what checks them.
 */
export function outlinePrd(prd: Prd): readonly string[] {
  const open = prd.stories.filter((story) => !story.passes);
  const openIds = new Set(open.map(({ id }) => id));
  const staged = byStage(
    open.map((story) => ({ ...story, dependsOn: story.dependsOn.filter((id) => openIds.has(id)) })),
  );
  const footprints = new Map(open.map((story) => [story.id, footprint(story.id, story, [])]));
  const spread = staged.map((stories) =>
    spreadOut(
      stories.map(({ id }) => ({ storyId: id })),
      { inFlight: [], footprints, limit: stories.length },
    ),
  );
  const width = Math.max(0, ...spread.map(({ start }) => start.length));
  const gates = prdGates(prd).map((gate) => `${gate} (${prd.qualityChecks[gate] ?? ''})`);
  const passed = prd.stories.length - open.length;
  return [
    `${prd.project}, ${prd.feature}: ${prd.stories.length} stories${passed === 0 ? '' : `, ${passed} of them passed`}, branch ${prdBranch(prd)}`,
    `gates: ${gates.length === 0 ? 'none' : gates.join(', ')}`,
    `${staged.length} stages after one another; at most ${width} stories side by side`,
    ...staged.flatMap((stories, stage) => [
      `stage ${stage + 1}`,
      ...stories.map(({ id, title, dependsOn, verificationSteps }) => {
        const after = dependsOn.length === 0 ? '' : `, after ${dependsOn.join(', ')}`;
        const steps = verificationSteps.length === 0 ? '' : `, ${verificationSteps.length} verification steps`;
        return `  ${id}  ${title}${after}${steps}`;
      }),
      ...(spread[stage]?.held ?? []).map(
        ({ storyId, by, files }) => `  ${storyId} waits for ${by}: both are likely to change ${files.join(', ')}`,
      ),
    ]),
  ];
}
