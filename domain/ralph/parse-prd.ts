import { CodetetherError } from '../errors.ts';
import { nearest } from '../text/nearest.ts';
import { Prd, prdGates, type Story } from './prd.ts';
import { describeIssue, describeValue, isRecord } from './prd-issue.ts';
import { readSpelling, type PrdPath, type SpelledPrd } from './prd-spelling.ts';

export interface ParsedPrd {
  readonly prd: Prd;
  /** What is usable but probably not meant, each with its place. */
  readonly warnings: readonly string[];
}

/**
 * Turns the value of a PRD file (JSON or YAML, either dialect, see `docs/prd-format.md`) into the one shape that the
 * engine works with. Unknown keys are ignored here; the file keeps them.
 * Throws `prd-invalid` with all problems, each with its place in the file's own spelling.
 */
export function parsePrd(raw: unknown): ParsedPrd {
  const spelled = readSpelling(raw);
  const value = withFallbacks(spelled.value);
  const parsed = Prd.safeParse(value);
  const typeProblems = parsed.success ? [] : parsed.error.issues.map((issue) => describeIssue(issue, value, spelled));
  const problems = [...spelled.problems, ...typeProblems, ...storyProblems(value, spelled)];
  if (!parsed.success || problems.length > 0)
    throw new CodetetherError(
      'prd-invalid',
      `The PRD is not usable (${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}).`,
      { problems },
    );
  const prd: Prd = {
    ...parsed.data,
    qualityChecks: Object.fromEntries(prdGates(parsed.data).map((gate) => [gate, parsed.data.qualityChecks[gate]])),
    stories: parsed.data.stories.map((story) => ({
      ...story,
      title: story.title.replace(/\s+/g, ' ').trim(),
      dependsOn: [...new Set(story.dependsOn)],
    })),
  };
  return { prd, warnings: [...spelled.warnings, ...storyWarnings(prd, spelled)] };
}

/** Stories that nothing would check: the PRD has no gate and they have no verification step. */
export function uncheckedStories(prd: Pick<Prd, 'qualityChecks' | 'stories'>): readonly Story[] {
  if (prdGates(prd).length > 0) return [];
  return prd.stories.filter((story) => story.verificationSteps.length === 0);
}

/** The camelCase dialect has no `feature`; YAML reads `version: 1.0` as a number. */
function withFallbacks(value: unknown): unknown {
  if (!isRecord(value)) return value;
  const version = typeof value['version'] === 'number' ? { version: String(value['version']) } : {};
  if (value['feature'] !== undefined) return { ...value, ...version };
  const { description, branchName } = value;
  const [line = ''] = typeof description === 'string' ? description.trim().split('\n') : [];
  const branch = typeof branchName === 'string' ? branchName.slice(branchName.lastIndexOf('/') + 1) : '';
  const feature = line.trim() === '' ? branch : line.trim().slice(0, 80).toWellFormed();
  return feature === '' ? { ...value, ...version } : { ...value, ...version, feature };
}

// ── stories ──────────────────────────────────────────────────────────────────

interface LooseStory {
  readonly index: number;
  readonly id: string;
  readonly dependsOn: readonly { readonly index: number; readonly id: string }[];
}

/** Problems between and inside stories, found as far as the types allow it. */
function storyProblems(value: unknown, spelled: SpelledPrd): string[] {
  if (!isRecord(value)) return [];
  const given = Array.isArray(value['stories']) ? value['stories'].map((story: unknown) => story) : null;
  if (given === null) return [];
  if (given.length === 0) return [`${spelled.place(['stories'])}: is empty; a PRD needs at least one story`];
  const stories = given.flatMap((story, index) => looseStory(story, index));
  return [
    ...blankTexts(value, given, spelled),
    ...idProblems(stories, spelled),
    ...dependencyProblems(stories, spelled),
    ...cycleProblems(stories, spelled),
    ...given.flatMap((story, index) => stepProblems(story, index, spelled)),
  ];
}

function looseStory(story: unknown, index: number): LooseStory[] {
  if (!isRecord(story) || typeof story['id'] !== 'string') return [];
  const listed = Array.isArray(story['dependsOn']) ? story['dependsOn'] : [];
  const dependsOn = listed.flatMap((id: unknown, at) => (typeof id === 'string' ? [{ index: at, id }] : []));
  return [{ index, id: story['id'], dependsOn }];
}

function blankTexts(value: Record<string, unknown>, stories: readonly unknown[], { place }: SpelledPrd): string[] {
  const paths: PrdPath[] = [];
  const check = (object: unknown, key: string, path: PrdPath) => {
    const text = isRecord(object) ? object[key] : undefined;
    if (typeof text === 'string' && text !== '' && text.trim() === '') paths.push([...path, key]);
  };
  check(value, 'project', []);
  check(value, 'feature', []);
  for (const [index, story] of stories.entries()) check(story, 'title', ['stories', index]);
  return paths.map((path) => `${place(path)}: is empty`);
}

function idProblems(stories: readonly LooseStory[], { place }: SpelledPrd): string[] {
  const first = new Map<string, LooseStory>();
  const problems: string[] = [];
  for (const story of stories) {
    const where = place(['stories', story.index, 'id']);
    if (/\.\.|\.$|\.lock$/i.test(story.id) && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(story.id))
      problems.push(
        `${where}: ${describeValue(story.id)} cannot name a branch; it must not have .. in it or end in . or .lock`,
      );
    const earlier = first.get(story.id.toLowerCase());
    if (earlier === undefined) first.set(story.id.toLowerCase(), story);
    else if (earlier.id === story.id)
      problems.push(`${where}: ${describeValue(story.id)} is the id of ${place(['stories', earlier.index])} already`);
    else
      problems.push(
        `${where}: ${describeValue(story.id)} differs from ${describeValue(earlier.id)} of ${place(['stories', earlier.index])} only in capital letters; ids become folders`,
      );
  }
  return problems;
}

function dependencyProblems(stories: readonly LooseStory[], { place }: SpelledPrd): string[] {
  const ids = [...new Set(stories.map((story) => story.id))];
  const known = new Set(ids);
  return stories.flatMap((story) =>
    story.dependsOn.flatMap((dependency) => {
      const where = place(['stories', story.index, 'dependsOn', dependency.index]);
      if (dependency.id === story.id) return [`${where}: ${describeValue(dependency.id)} is the story itself`];
      if (known.has(dependency.id)) return [];
      const meant = nearest(
        dependency.id,
        ids.filter((id) => id !== story.id),
      );
      const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
      return [`${where}: ${describeValue(dependency.id)} is not a story${hint}`];
    }),
  );
}

/** One problem for each dependency that closes a circle, with the way round. */
function cycleProblems(stories: readonly LooseStory[], { place }: SpelledPrd): string[] {
  const byId = new Map(stories.map((story) => [story.id, story]));
  const finished = new Set<string>();
  const problems: string[] = [];
  for (const start of stories) {
    if (finished.has(start.id)) continue;
    const way: { readonly story: LooseStory; next: number }[] = [{ story: start, next: 0 }];
    const onWay = new Map([[start.id, 0]]);
    for (let top = way.at(-1); top !== undefined; top = way.at(-1)) {
      const dependency = top.story.dependsOn[top.next];
      top.next += 1;
      if (dependency === undefined) {
        finished.add(top.story.id);
        onWay.delete(top.story.id);
        way.pop();
        continue;
      }
      const story = byId.get(dependency.id);
      if (story === undefined || finished.has(story.id) || story.id === top.story.id) continue;
      const from = onWay.get(story.id);
      if (from === undefined) {
        onWay.set(story.id, way.length);
        way.push({ story, next: 0 });
        continue;
      }
      const circle = [...way.slice(from).map((step) => step.story.id), story.id].join(' → ');
      problems.push(`${place(['stories', top.story.index, 'dependsOn', dependency.index])}: makes a circle: ${circle}`);
    }
  }
  return problems;
}

function stepProblems(story: unknown, storyIndex: number, { place }: SpelledPrd): string[] {
  const steps = isRecord(story) && Array.isArray(story['verificationSteps']) ? story['verificationSteps'] : [];
  return steps.flatMap((step: unknown, index) => {
    if (!isRecord(step)) return [];
    const where = (name: string) => place(['stories', storyIndex, 'verificationSteps', index, name]);
    const problems: string[] = [];
    if (step['type'] === 'shell' && typeof step['command'] === 'string' && step['command'].trim() === '')
      problems.push(`${where('command')}: is empty`);
    if (step['type'] === 'file_exists' && step['path'] === '') problems.push(`${where('path')}: is empty`);
    if (step['type'] === 'url' && typeof step['url'] === 'string' && !/^https?:\/\/\S+$/i.test(step['url']))
      problems.push(`${where('url')}: must begin with http:// or https://, is ${describeValue(step['url'])}`);
    for (const name of ['cwd', 'path'])
      if (typeof step[name] === 'string' && leadsOut(step[name]))
        problems.push(`${where(name)}: ${describeValue(step[name])} must be a path inside the repository`);
    return problems;
  });
}

function leadsOut(path: string): boolean {
  if (path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path)) return true;
  let depth = 0;
  for (const part of path.split(/[\\/]+/)) {
    if (part === '..') depth -= 1;
    else if (part !== '' && part !== '.') depth += 1;
    if (depth < 0) return true;
  }
  return false;
}

// ── warnings ─────────────────────────────────────────────────────────────────

function storyWarnings(prd: Prd, { place }: SpelledPrd): string[] {
  const list = place(['stories']);
  const about = (stories: readonly Story[], what: string): string[] => {
    if (stories.length === 0) return [];
    const named = stories.slice(0, 5).map((story) => story.id);
    const more = stories.length > named.length ? ` and ${stories.length - named.length} more` : '';
    return [`${list}: ${named.join(', ')}${more}: ${what}`];
  };
  const gates = prdGates(prd).length;
  return [
    ...(gates === 0 ? [`${place(['qualityChecks'])}: there is none; only verification steps can fail a story`] : []),
    ...about(
      prd.stories.filter((story) => story.description.trim() === ''),
      'no description',
    ),
    ...about(
      prd.stories.filter((story) => story.acceptanceCriteria.length === 0),
      'no acceptance criteria',
    ),
    ...about(
      prd.stories.filter((story) => gates === 0 && story.verificationSteps.length === 0),
      'no verification steps, so nothing checks them',
    ),
    ...about(
      prd.stories.filter((story) => story.priority === 0),
      'priority 0; the first is usually 1',
    ),
    ...about(
      prd.stories.filter((story) => story.complexity < 1 || story.complexity > 5),
      'complexity is outside 1 to 5',
    ),
  ];
}
