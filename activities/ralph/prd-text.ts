import { isDeepStrictEqual } from 'node:util';
import type { Document, YAMLMap } from 'yaml';
import { CodetetherError } from '../../domain/errors.ts';
import { yaml } from '../yaml.ts';
import { locateJson, memberOf, type JsonPlace } from './json-places.ts';

export type PrdFormat = 'json' | 'yaml';

export interface PrdText {
  readonly format: PrdFormat;
  /** The file's value, unchecked. */
  readonly value: unknown;
}

/**
 * Reads JSON or YAML: YAML by the extension `.yaml` and `.yml`, also for other names than `.json` when it is no JSON.
 * Throws `prd-invalid` with line and column.
 */
export function parsePrdText(text: string, path: string): PrdText {
  const extension = /\.[^./]*$/.exec(path.toLowerCase())?.[0];
  if (extension === '.yaml' || extension === '.yml') return { format: 'yaml', value: parseYaml(text, path) };
  const plain = withoutMark(text);
  try {
    return { format: 'json', value: JSON.parse(plain) };
  } catch (error) {
    if (extension !== '.json' && !/^\s*[{[]/.test(plain)) return { format: 'yaml', value: parseYaml(text, path) };
    throw jsonSyntaxError(plain, path, error);
  }
}

function parseYaml(text: string, path: string): unknown {
  return yamlValue(yaml().parseDocument(withoutMark(text)), path);
}

function yamlValue(document: Document.Parsed, path: string): unknown {
  const problems = document.errors.map((error) => {
    const [from] = error.linePos ?? [];
    const [message = ''] = error.message.split('\n');
    return `${from === undefined ? '' : `${from.line}:${from.col}: `}${message.replace(/ at line \d+, column \d+:?$/, '')}`;
  });
  if (problems.length > 0) throw notReadable(path, 'YAML', problems);
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw notReadable(path, 'YAML', [error instanceof Error ? error.message : String(error)]);
  }
}

function jsonSyntaxError(text: string, path: string, cause: unknown): CodetetherError {
  const located = locateJson(text);
  if (located.kind === 'located') return notReadable(path, 'JSON', [String(cause)]);
  const before = text.slice(0, located.at).split('\n');
  const place = `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
  const found =
    located.at >= text.length
      ? 'the end of the file'
      : JSON.stringify(/^\S{1,20}|^./s.exec(text.slice(located.at))?.[0]);
  const what = text.trim() === '' ? 'the file is empty' : `expected ${located.expected}, found ${found}`;
  return notReadable(path, 'JSON', [`${place}: ${what}`]);
}

function notReadable(path: string, format: string, problems: readonly string[]): CodetetherError {
  return new CodetetherError('prd-invalid', `${path} is not ${format}.`, { problems });
}

/** A byte order mark is no part of the text; {@link markPasses} keeps it. */
function withoutMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

const storyLists = ['user_stories', 'userStories'];

/** What `passes` is to be, by story id; stories that are not named are left alone. */
export type Passes = ReadonlyMap<string, boolean>;

/**
 * The text with `passes` as wanted in the stories named, all else as it is: spaces, order, comments, unknown keys. A story
 * without `passes` has not passed. The same text when there is nothing to change.
 * Throws `prd-invalid` when the text cannot be read, or cannot be changed without changing something else.
 */
export function markPasses(text: string, path: string, passes: Passes): string {
  const before = parsePrdText(text, path);
  const wanted = withPasses(before.value, passes);
  if (isDeepStrictEqual(before.value, wanted)) return text;
  const mark = text.startsWith('\ufeff') ? '\ufeff' : '';
  const plain = withoutMark(text);
  const candidates =
    before.format === 'json'
      ? [() => markJson(plain, passes)]
      : [() => spliceYaml(plain, passes), () => rewriteYaml(plain, passes)];
  for (const candidate of candidates) {
    const changed = `${mark}${candidate()}`;
    if (isDeepStrictEqual(readBack(changed, path), wanted)) return changed;
  }
  throw new CodetetherError('prd-invalid', `${path} cannot be changed without changing more than passes.`);
}

function readBack(text: string, path: string): unknown {
  try {
    return parsePrdText(text, path).value;
  } catch {
    return undefined;
  }
}

function withPasses(value: unknown, passes: Passes): unknown {
  if (!isRecord(value)) return value;
  const key = storyLists.find((name) => Array.isArray(value[name]));
  const stories = key === undefined ? undefined : value[key];
  if (key === undefined || !Array.isArray(stories)) return value;
  const marked = stories.map((story: unknown) => (isRecord(story) ? withPassesOf(story, passes) : story));
  return { ...value, [key]: marked };
}

function withPassesOf(story: Record<string, unknown>, passes: Passes): Record<string, unknown> {
  const wanted = typeof story['id'] === 'string' ? passes.get(story['id']) : undefined;
  if (wanted === undefined || story['passes'] === wanted) return story;
  return !wanted && story['passes'] === undefined ? story : { ...story, passes: wanted };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface Change {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Changes come in the order of the text. */
function withChanges(text: string, changes: readonly Change[]): string {
  const pieces: string[] = [];
  let at = 0;
  for (const change of changes) {
    pieces.push(text.slice(at, change.start), change.text);
    at = change.end;
  }
  return [...pieces, text.slice(at)].join('');
}

function markJson(text: string, passes: Passes): string {
  const located = locateJson(text);
  const root = located.kind === 'located' ? located.root : undefined;
  const list = storyLists.map((name) => memberOf(root, name)?.value).find((place) => place?.kind === 'array');
  const stories = list?.kind === 'array' ? list.items : [];
  return withChanges(
    text,
    stories.flatMap((story) => jsonChange(text, story, passes)),
  );
}

function jsonChange(text: string, story: JsonPlace, passes: Passes): Change[] {
  const id = memberOf(story, 'id')?.value;
  if (story.kind !== 'object' || id === undefined) return [];
  const storyId: unknown = JSON.parse(text.slice(id.start, id.end));
  const wanted = typeof storyId === 'string' ? passes.get(storyId) : undefined;
  if (wanted === undefined) return [];
  const place = memberOf(story, 'passes')?.value;
  if (place !== undefined) return [{ start: place.start, end: place.end, text: String(wanted) }];
  if (!wanted) return [];
  const last = story.members.at(-1);
  if (last === undefined) return [];
  const previous = story.members.at(-2);
  const separator = previous === undefined ? ', ' : text.slice(previous.value.end, last.keySpan.start);
  const colon = text.slice(last.keySpan.end, last.value.start);
  return [{ start: last.value.end, end: last.value.end, text: `${separator}"passes"${colon}true` }];
}

/** Changes single places of the text, which keeps everything else as it is. */
function spliceYaml(text: string, passes: Passes): string {
  const stories = yamlStories(yaml().parseDocument(text), passes);
  return withChanges(
    text,
    stories.flatMap((story) => yamlChange(text, story, passes)),
  );
}

function yamlChange(text: string, story: YAMLMap, passes: Passes): Change[] {
  const { isScalar } = yaml();
  const wanted = wantedOf(story, passes);
  const place: unknown = story.get('passes', true);
  if (isScalar(place) && place.range !== undefined && place.range !== null && place.range[1] > place.range[0])
    return place.value === wanted ? [] : [{ start: place.range[0], end: place.range[1], text: String(wanted) }];
  const id = story.items.find((pair) => isScalar(pair.key) && pair.key.value === 'id');
  if (wanted !== true || place !== undefined || id === undefined || !isScalar(id.key) || !isScalar(id.value)) return [];
  const from = id.key.range?.[0];
  const to = id.value.range?.[1];
  if (typeof from !== 'number' || typeof to !== 'number') return [];
  if (story.flow === true) return [{ start: to, end: to, text: ', passes: true' }];
  const column = from - (text.lastIndexOf('\n', from - 1) + 1);
  const newline = text.indexOf('\n', to);
  const lineEnd = newline === -1 ? text.length : text[newline - 1] === '\r' ? newline - 1 : newline;
  const lineBreak = text.includes('\r\n') ? '\r\n' : '\n';
  return [{ start: lineEnd, end: lineEnd, text: `${lineBreak}${' '.repeat(column)}passes: true` }];
}

/** Through the document: keeps comments, may change quotes and line breaks. */
function rewriteYaml(text: string, passes: Passes): string {
  const document = yaml().parseDocument(text);
  for (const story of yamlStories(document, passes)) {
    const wanted = wantedOf(story, passes);
    if (wanted === true || story.has('passes')) story.set('passes', wanted);
  }
  return document.toString({ lineWidth: 0 });
}

function yamlStories(document: Document.Parsed, passes: Passes): YAMLMap[] {
  const { isMap, isSeq } = yaml();
  const list = storyLists.map((name): unknown => document.get(name)).find((node) => isSeq(node));
  if (!isSeq(list)) return [];
  return list.items.filter((item): item is YAMLMap => {
    return isMap(item) && wantedOf(item, passes) !== undefined;
  });
}

function wantedOf(story: YAMLMap, passes: Passes): boolean | undefined {
  const id: unknown = story.get('id');
  return typeof id === 'string' ? passes.get(id) : undefined;
}
