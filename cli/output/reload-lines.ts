import type { RunEventBody } from '../../domain/run/events.ts';
import { cleanLine } from './text.ts';

type Reloaded = RunEventBody<'prd-reloaded'>;

/** One clause for `prd-reloaded`: `2 added, 1 removed, gate test changed`. */
export function reloadText(body: Reloaded): string {
  const count = (ids: readonly unknown[], word: string) => (ids.length === 0 ? [] : [`${ids.length} ${word}`]);
  const gates = (names: readonly string[], word: string) =>
    names.length === 0 ? [] : [`${names.length === 1 ? 'gate' : 'gates'} ${names.join(', ')} ${word}`];
  const parts = [
    ...count(body.added, 'added'),
    ...count(body.changed, 'changed'),
    ...count(body.removed, 'removed'),
    ...count(body.passed, 'passed by hand'),
    ...count(body.reopened, 'open again'),
    ...gates(body.changedGates, 'changed'),
    ...gates(body.removedGates, 'removed'),
    ...(body.texts ? ["the feature's texts changed"] : []),
  ];
  return parts.length === 0 ? 'nothing changed' : parts.join(', ');
}

/** A line for each story that an edited PRD changes, and what that means for it. */
export function reloadLines(body: Reloaded): string[] {
  const stops = (storyId: string) => (body.stopped.includes(storyId) ? ', its agent stops after its step' : '');
  const lines: (readonly [sign: string, storyId: string, text: string])[] = [
    ...body.added.map(({ storyId, title }) => ['+', storyId, title] as const),
    ...body.changed.map(
      ({ storyId, title }) => ['~', storyId, `${title} (the next attempt has the new text)`] as const,
    ),
    ...body.removed.map((storyId) => ['-', storyId, `removed${stops(storyId)}`] as const),
    ...body.passed.map((storyId) => ['=', storyId, `passed by hand${stops(storyId)}`] as const),
    ...body.reopened.map((storyId) => ['!', storyId, 'open again: the file says that it has not passed'] as const),
  ];
  const width = Math.max(0, ...lines.map(([, storyId]) => storyId.length));
  return lines.map(([sign, storyId, text]) => `  ${sign} ${storyId.padEnd(width)}  ${cleanLine(text)}`);
}
