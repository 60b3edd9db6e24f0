/**
 * The PRD's two dialects, snake_case (codetether-agent) and camelCase (the codetether platform), freely mixed: every
 * key may have either spelling. This turns a file's value into the one that `Prd` describes and remembers how the
 * file spells each place, so that messages name places as the user wrote them.
 */
import { nearest } from '../text/nearest.ts';

/** Accepted spellings by key of the schema; a nested shape where the value is an object or a list of objects. */
interface Shape {
  readonly [key: string]: { readonly spellings: readonly string[]; readonly inner?: Shape };
}

const key = (camel: string, inner?: Shape): Shape => {
  const snake = camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const spellings = snake === camel ? [camel] : [snake, camel];
  return { [camel]: inner === undefined ? { spellings } : { spellings, inner } };
};

const verificationShape: Shape = {
  ...key('type'),
  ...key('name'),
  ...key('command'),
  ...key('cwd'),
  ...key('expectOutputContains'),
  ...key('expectFilesGlob'),
  ...key('path'),
  ...key('glob'),
  ...key('url'),
  ...key('method'),
  ...key('expectStatus'),
  ...key('expectBodyContains'),
  ...key('timeoutSecs'),
};

const checksShape: Shape = { ...key('typecheck'), ...key('lint'), ...key('test'), ...key('build') };

/** Where a key that is not used is a check that is not made, so that the user must hear of each. */
const checkShapes: readonly Shape[] = [checksShape, verificationShape];

const storyShape: Shape = {
  ...key('id'),
  ...key('title'),
  ...key('description'),
  ...key('acceptanceCriteria'),
  ...key('verificationSteps', verificationShape),
  ...key('passes'),
  ...key('priority'),
  dependsOn: { spellings: ['depends_on', 'dependsOn', 'dependencies'] },
  ...key('complexity'),
  ...key('allowedChanges'),
  ...key('noChangeOk'),
};

const prdShape: Shape = {
  ...key('project'),
  ...key('feature'),
  ...key('branchName'),
  ...key('version'),
  ...key('description'),
  ...key('technicalRequirements'),
  ...key('qualityChecks', checksShape),
  stories: { spellings: ['user_stories', 'userStories'], inner: storyShape },
};

export type PrdPath = readonly (string | number)[];

export interface SpelledPrd {
  /** Known keys only, spelled as the schema has them; null counts as absent, except in lists. */
  readonly value: unknown;
  /** `user_stories[3].depends_on[0]` for `['stories', 3, 'dependsOn', 0]`; also for a place that the file lacks. */
  readonly place: (path: PrdPath) => string;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Never throws; what is wrong is in `problems`. */
export function readSpelling(raw: unknown): SpelledPrd {
  const spelled = new Map<string, string>();
  const problems: string[] = [];
  const warnings: string[] = [];

  const place = (path: PrdPath): string => {
    let text = '';
    let shape: Shape | undefined = prdShape;
    for (const [index, part] of path.entries()) {
      if (typeof part === 'number') {
        text += `[${part}]`;
        continue;
      }
      const name: string = spelled.get(pathKey(path.slice(0, index + 1))) ?? shape?.[part]?.spellings[0] ?? part;
      text += text === '' ? name : `.${name}`;
      shape = shape?.[part]?.inner;
    }
    return text === '' ? 'the file' : text;
  };

  const read = (value: unknown, shape: Shape | undefined, path: PrdPath): unknown => {
    if (typeof value === 'string') {
      if (value.includes('\u0000')) problems.push(`${place(path)}: has a NUL character in it`);
      return value.toWellFormed();
    }
    if (Array.isArray(value)) return value.map((item: unknown, index) => read(item, shape, [...path, index]));
    if (typeof value !== 'object' || value === null || shape === undefined) return value;
    return readObject(new Map(Object.entries(value)), shape, path);
  };

  const readObject = (object: ReadonlyMap<string, unknown>, shape: Shape, path: PrdPath): unknown => {
    const result: Record<string, unknown> = {};
    for (const [name, { spellings, inner }] of Object.entries(shape)) {
      const [used, ...others] = spellings.filter((spelling) => (object.get(spelling) ?? null) !== null);
      if (used === undefined) continue;
      const here = [...path, name];
      spelled.set(pathKey(here), used);
      for (const other of others)
        if (JSON.stringify(object.get(other)) !== JSON.stringify(object.get(used)))
          problems.push(`${place(here)}: is given twice with different values, also as ${other}`);
      result[name] = read(object.get(used), inner, here);
    }
    warnOfMisspelling(object, shape, path);
    return result;
  };

  const warnOfMisspelling = (object: ReadonlyMap<string, unknown>, shape: Shape, path: PrdPath): void => {
    const known = Object.values(shape).flatMap(({ spellings }) => spellings);
    const absent = Object.values(shape)
      .filter(({ spellings }) => !spellings.some((spelling) => object.has(spelling)))
      .flatMap(({ spellings }) => spellings);
    for (const name of object.keys()) {
      if (known.includes(name)) continue;
      const meant = nearest(name, absent);
      if (meant === undefined && !checkShapes.includes(shape)) continue;
      const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
      warnings.push(`${path.length === 0 ? '' : `${place(path)}.`}${name}: is not known and not used${hint}`);
    }
  };

  return { value: read(raw, prdShape, []), place, problems, warnings };
}

function pathKey(path: PrdPath): string {
  return path.join('\u0000');
}
