/** Texts of which every match of a search holds one, so that a quick look for them leaves out most files. Pure. */

const shortest = 2;

/**
 * For plain text it is that text; for a regular expression the longest piece that each of its alternatives cannot match without.
 * Null when there is none to look for: then every file has to be searched.
 */
export function requiredTexts(search: {
  readonly pattern: string;
  readonly isRegex: boolean;
  readonly ignoreCase: boolean;
}): readonly string[] | null {
  const texts = search.isRegex ? requiredOfExpression(search.pattern) : [search.pattern];
  // What stands for bytes that are no UTF-8, line ends, and letters whose cases two programs may see differently.
  const isUsable = (text: string): boolean =>
    text.isWellFormed() &&
    !/[\ufffd\r\n\0]/.test(text) &&
    // oxlint-disable-next-line no-control-regex
    (!search.ignoreCase || /^[\x00-\x7f]*$/.test(text));
  return texts !== null && texts.every(isUsable) ? texts : null;
}

function requiredOfExpression(pattern: string): readonly string[] | null {
  const branches: string[][] = [[]];
  let run = '';
  const endRun = (): void => {
    branches.at(-1)?.push(run);
    run = '';
  };
  let at = 0;
  while (at < pattern.length) {
    const letter = pattern[at] ?? '';
    const quantifier = /^(?:[*?]|\{\d+(?:,\d*)?\})\??/.exec(pattern.slice(at));
    if (quantifier !== null) {
      // It may stand for none of what is before it.
      run = run.slice(0, -1);
      endRun();
      at += quantifier[0].length;
    } else if (letter === '\\') {
      const next = pattern[at + 1] ?? '';
      // These go on behind their letter, which is not to be taken as text.
      if (/[ukxpPc0-9]/.test(next)) return null;
      if (/[A-Za-z]/.test(next) || next === '') endRun();
      else run += next;
      at += 2;
    } else if (letter === '[' || letter === '(') {
      endRun();
      at = letter === '[' ? endOfSet(pattern, at) : endOfGroup(pattern, at);
    } else if (letter === '|') {
      endRun();
      branches.push([]);
      at += 1;
    } else if ('.^$+'.includes(letter)) {
      endRun();
      at += pattern.startsWith('+?', at) ? 2 : 1;
    } else {
      run += letter;
      at += 1;
    }
  }
  endRun();
  const longest = branches.map((runs) => runs.reduce((a, b) => (b.length > a.length ? b : a), ''));
  return longest.every((text) => text.length >= shortest) ? longest : null;
}

/** Behind the bracket that closes the set at `start`; in JavaScript one that comes first closes it too. */
function endOfSet(pattern: string, start: number): number {
  for (let at = start + 1; at < pattern.length; at += 1) {
    if (pattern[at] === '\\') at += 1;
    else if (pattern[at] === ']') return at + 1;
  }
  return pattern.length;
}

function endOfGroup(pattern: string, start: number): number {
  let depth = 0;
  for (let at = start; at < pattern.length; at += 1) {
    const letter = pattern[at];
    if (letter === '\\') at += 1;
    else if (letter === '[') at = endOfSet(pattern, at) - 1;
    else if (letter === '(') depth += 1;
    else if (letter === ')') {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return pattern.length;
}
