/** File name patterns (globs) that take time in proportion to pattern and path, whatever a model writes. */

const maxAlternatives = 200;

/**
 * `**` for any folders, `*`, `?`, `[a-z]`, `[!a]`, `{a,b}`, `\` before a character that is meant as it is. Hidden files are files like
 * others. A pattern without a slash is held against the file's name, in any folder. Null when the
 * braces make more than 200 alternatives.
 */
export function pathMatcher(pattern: string): ((path: string) => boolean) | null {
  const plain = pattern.replace(/^(?:\.?\/)+/, '');
  const alternatives = expandBraces(plain.includes('/') ? plain : `**/${plain}`);
  if (alternatives === null) return null;
  const patterns = alternatives.map((alternative) =>
    alternative
      .split('/')
      .filter((part) => part !== '')
      .map((part) => (part === '**' ? anyFolders : partMatcher(part))),
  );
  return (path) => {
    const parts = path.split('/');
    return patterns.some((matchers) => matchesParts(matchers, parts));
  };
}

type Matcher<Item> = ((item: Item) => boolean) | typeof anyFolders;

/** Stands for any number of items. */
const anyFolders = Symbol('any number');

/** Goes back to the last "any number" only, which is enough: an earlier one could match no more than it. */
function matchesParts<Item>(matchers: readonly Matcher<Item>[], items: readonly Item[]): boolean {
  let at = 0;
  let item = 0;
  let lastAny = -1;
  let lastItem = 0;
  while (item < items.length) {
    const matcher = matchers[at];
    const current = items[item];
    if (matcher === anyFolders) {
      lastAny = at;
      lastItem = item;
      at += 1;
    } else if (matcher !== undefined && current !== undefined && matcher(current)) {
      at += 1;
      item += 1;
    } else if (lastAny === -1) return false;
    else {
      lastItem += 1;
      item = lastItem;
      at = lastAny + 1;
    }
  }
  return matchers.slice(at).every((matcher) => matcher === anyFolders);
}

function partMatcher(part: string): (name: string) => boolean {
  const matchers: Matcher<string>[] = [];
  const letters = Array.from(part);
  for (let at = 0; at < letters.length; at += 1) {
    const letter = letters[at] ?? '';
    const set = letter === '[' ? readSet(letters, at) : null;
    if (letter === '*') matchers.push(anyFolders);
    else if (letter === '?') matchers.push(() => true);
    else if (set !== null) {
      matchers.push(set.matches);
      at = set.end;
    } else {
      const meant = letter === '\\' ? (letters[(at += 1)] ?? '\\') : letter;
      matchers.push((given) => given === meant);
    }
  }
  return (name) => matchesParts(matchers, Array.from(name));
}

/** `[abc]`, `[a-z]`, `[!a]`, `[^a]`; null when it is not closed. */
function readSet(
  letters: readonly string[],
  start: number,
): { readonly matches: (given: string) => boolean; readonly end: number } | null {
  const isNot = letters[start + 1] === '!' || letters[start + 1] === '^';
  const first = start + (isNot ? 2 : 1);
  // A closing bracket that comes first is one of the set.
  const end = letters.indexOf(']', first + 1);
  if (end === -1) return null;
  const ranges: [string, string][] = [];
  for (let at = first; at < end; at += 1) {
    const from = letters[at] ?? '';
    const to = letters[at + 1] === '-' && at + 2 < end ? letters[at + 2] : undefined;
    ranges.push([from, to ?? from]);
    if (to !== undefined) at += 2;
  }
  return { matches: (given) => ranges.some(([from, to]) => from <= given && given <= to) !== isNot, end };
}

function expandBraces(pattern: string): string[] | null {
  let done = [''];
  let rest = pattern;
  for (;;) {
    const group = firstGroup(rest);
    if (group === null) return done.map((start) => start + rest);
    const choices: string[] = [];
    for (const choice of group.choices) {
      const expanded = expandBraces(choice);
      if (expanded === null) return null;
      choices.push(...expanded);
    }
    if (done.length * choices.length > maxAlternatives) return null;
    const before = rest.slice(0, group.start);
    done = done.flatMap((start) => choices.map((choice) => start + before + choice));
    rest = rest.slice(group.end);
  }
}

/** The first `{a,b}`; braces without a comma or without an end are letters. */
function firstGroup(
  pattern: string,
): { readonly start: number; readonly end: number; readonly choices: readonly string[] } | null {
  for (let start = pattern.indexOf('{'); start !== -1; start = pattern.indexOf('{', start + 1)) {
    const choices: string[] = [];
    let depth = 0;
    let from = start + 1;
    for (let at = start; at < pattern.length; at += 1) {
      const letter = pattern[at];
      if (letter === '\\') at += 1;
      else if (letter === '{') depth += 1;
      else if (letter === ',' && depth === 1) {
        choices.push(pattern.slice(from, at));
        from = at + 1;
      } else if (letter === '}') {
        depth -= 1;
        if (depth > 0) continue;
        if (choices.length === 0) break;
        return { start, end: at + 1, choices: [...choices, pattern.slice(from, at)] };
      }
    }
  }
  return null;
}
