/** What a test file holds, read from its text by the habits of its language: good enough to see that something went missing. */

export interface TestText {
  /** Titles or names of the tests that run, `''` where a test has none. */
  readonly tests: readonly string[];
  /** The same of tests that are marked as skipped or to be written. */
  readonly skippedTests: readonly string[];
  /** Skips that stand at no single test: of a suite, by a decorator, in a test's body. */
  readonly skips: number;
  /** Marks that keep all other tests from running. */
  readonly only: number;
  /** Without those that cannot fail. */
  readonly assertions: number;
}

const nothing: TestText = { tests: [], skippedTests: [], skips: 0, only: 0, assertions: 0 };

/** Patterns see the text without comments and with the insides of strings blank. */
interface Language {
  readonly comments: 'slashes' | 'hash' | 'rust';
  /** A group of its own is the name; else the string that follows is the title. */
  readonly test: RegExp;
  readonly skip: RegExp;
  readonly only?: RegExp;
  readonly assertion: RegExp;
  /** At the place of an assertion, in the text as it is. */
  readonly trivial: RegExp;
}

const javascript: Language = {
  comments: 'slashes',
  test: /(?<![\w$.])(?:x?it|x?test|fit|x?specify|Deno\.test|t\.test)(?:\.\w+)*\s*(?=[(`<])/g,
  skip: /(?<![\w$.])(?:xdescribe|xcontext)\b|(?<![\w$.])(?:describe|suite|context)(?:\.\w+)*\.(?:skip|skipIf|todo)\b|(?<![\w$.])(?:this|t|ctx|context)\.(?:skip|todo)\s*\(|\b(?:skip|todo):\s*(?!false\b)\S|\bprocess\.exit\s*\(/g,
  only: /(?<![\w$.])(?:it|test|describe|suite|context|specify|Deno\.test)(?:\.\w+)*\.only\b|(?<![\w$.])(?:fit|fdescribe)\s*\(|\bonly:\s*true\b/g,
  assertion:
    /(?<![\w$.])(?:expect(?!\.(?:any|anything|\w+Containing|stringMatching|closeTo|extend|assertions|hasAssertions|not)\b)|assert|t(?=\.(?:is|not|like|deepEqual|equal|ok|true|false|truthy|falsy|throws\w*|rejects|regex|match|same|strictEqual|assert|snapshot)\b))(?:\.\w+)*\s*\(|\.should\b/g,
  trivial:
    /(?:expect\(\s*(true|false|null|undefined|\d+|(['"]).*?\2)\s*\)\.to(?:Be|Equal|StrictEqual)\(\s*\1\s*\)|expect\(\s*(?:true|1)\s*\)\.toBeTruthy|(?:assert|t)(?:\.(?:ok|true|assert|truthy))?\(\s*(?:true|1)\s*[,)]|(?:assert|t)\.\w+\(\s*(\w+|(['"]).*?\4)\s*,\s*\3\s*[,)])/y,
};

const python: Language = {
  comments: 'hash',
  // With its decorators, also those that go over several lines.
  test: /^(?:[ \t]*@[\w.]+(?:\([ \t]*\n[^@]{0,600}?\n[ \t]*\)|(?![ \t]*\([ \t]*\n)[^\n]*)\n){0,8}[ \t]*(?:async[ \t]+)?def[ \t]+(test\w*)[ \t]*\(/gm,
  skip: /@(?:pytest\.mark\.|unittest\.)?(?:skip\w*|xfail|expectedFailure)\b|\bpytest\.(?:skip|xfail|importorskip|exit)\s*\(|\.skipTest\s*\(|\bpytestmark\s*=|\bSkipTest\b|\b__test__\s*=|\b(?:sys\.exit|os\._exit)\s*\(/g,
  assertion: /(?<=^[ \t]*)assert\b|\bself\.(?:assert\w+|fail)\s*\(|\bpytest\.raises\s*\(/gm,
  trivial:
    /assert\s+(?:True|1|not\s+False|(\d+)\s*==\s*\1)\s*(?:$|[#,])|self\.assert(?:True\(\s*True|Equal\(\s*(\w+)\s*,\s*\2)\s*\)/my,
};

const go: Language = {
  comments: 'slashes',
  test: /^func[ \t]+((?:Test|Example|Fuzz)\w*)[ \t]*\(|\bt\.Run\s*(?=\()/gm,
  skip: /\b[tbf]\.Skip(?:f|Now)?\s*\(|\bos\.Exit\s*\(\s*0\s*\)/g,
  assertion: /\bt\.(?:Errorf?|Fatalf?|Fail|FailNow)\s*\(|\b(?:assert|require)\.\w+\s*\(/g,
  trivial:
    /(?:assert|require)\.(?:True\(\s*\w+\s*,\s*true|False\(\s*\w+\s*,\s*false|Equal\(\s*\w+\s*,\s*(\w+)\s*,\s*\1)\s*[,)]/y,
};

const rust: Language = {
  comments: 'rust',
  test: /#\[(?:\w+::)*(?:test|rstest|test_case)\b[^\]]*\](?:\s*#\[[^\]]*\])*\s*(?:pub\s+)?(?:async\s+)?fn\s+(\w+)/g,
  skip: /#\[ignore\b|#!?\[cfg\(any\(\)\)\]/g,
  assertion: /\bassert\w*!\s*\(/g,
  trivial: /assert(?:!\(\s*true|_eq!\(\s*(\w+)\s*,\s*\1)\s*[,)]/y,
};

const ruby: Language = {
  comments: 'hash',
  test: /^\s*(?:it|specify|test|scenario)\b(?=\s*\(?\s*['"])|^\s*def\s+(test_\w+)/gm,
  skip: /^\s*(?:xit|xdescribe|xcontext|pending|skip)\b/gm,
  only: /^\s*(?:fit|fdescribe|fcontext)\b|\bfocus:\s*true/gm,
  assertion: /\b(?:assert|refute)\w*\b|\bexpect\s*[({]/g,
  trivial: /assert\w*\s*\(?\s*true\b/y,
};

const braces: Language = {
  comments: 'slashes',
  test: /@(?:Test|ParameterizedTest)\b|\[(?:Fact|Theory|Test|TestMethod|TestCase)\b|\bfunc(?:tion)?\s+(test\w*)\s*\(/g,
  skip: /@(?:Disabled|Ignore)\b|\[Ignore\b|\bSkip\s*=|\bXCTSkip\w*|\bmarkTest(?:Skipped|Incomplete)\b/g,
  assertion: /\b(?:assert\w*|XCTAssert\w*|expect|verify)\s*\(|\bAssert\.\w+\s*\(|\.[sS]hould\w*/g,
  trivial: /(?:Assert\.)?(?:assert|XCTAssert|Is)?True\(\s*true\s*[,)]|assert\(\s*true\s*\)/y,
};

const byEnding: { readonly [ending: string]: Language } = {
  ...Object.fromEntries(['js', 'mjs', 'cjs', 'jsx', 'ts', 'mts', 'cts', 'tsx'].map((ending) => [ending, javascript])),
  ...Object.fromEntries(['java', 'kt', 'kts', 'cs', 'swift', 'php', 'scala'].map((ending) => [ending, braces])),
  py: python,
  go,
  rs: rust,
  rb: ruby,
};

/** Named like a test, by the rules of its language's tools. */
export function isTestName(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return (
    /\.(?:test|spec|cy|e2e)\.[cm]?[jt]sx?$|_(?:test|spec)\.(?:go|py|rb|[cm]?[jt]sx?)$|^test[-_.].*\.(?:py|rb|[cm]?[jt]sx?)$|^test\.[cm]?[jt]sx?$|Tests?\.(?:java|kt|cs|swift|php|scala)$|\.bats$/.test(
      name,
    ) || /(?:^|\/)__tests__\/.*\.[cm]?[jt]sx?$/.test(path)
  );
}

/** May hold tests: by its name, its folder, or (Rust) its language. */
export function mayHoldTests(path: string): boolean {
  const isCode = Object.hasOwn(byEnding, endingOf(path));
  return isTestName(path) || (isCode && /(?:^|\/)(?:tests?|specs?|e2e|__tests__)\//.test(path)) || path.endsWith('.rs');
}

/** Never fails, whatever the text. */
export function readTests(path: string, text: string): TestText {
  const language = byEnding[endingOf(path)];
  if (language === undefined) return nothing;
  const whole = withoutComments(text, language);
  // Product code of Rust holds its tests in a module at its end.
  const from = language === rust && !/(?:^|\/)tests\//.test(path) ? whole.search(/#\[cfg\(test\)\]/) : 0;
  if (from < 0) return nothing;
  const code = whole.slice(from);
  const original = text.slice(from);
  const found = [...code.matchAll(language.test)].filter(
    ([word]) =>
      language !== javascript || !/\.(?:before|after|describe|use|extend|step|setTimeout|slow|mock|info)/.test(word),
  );
  const isSkipped = ([word]: RegExpExecArray) =>
    /^x(?:it|test|specify)|\.(?:skip|skipIf|todo|fixme)\b|@[\w.]*(?:skip\w*|xfail|expectedFailure)\b|#\[ignore\b/.test(
      word,
    );
  const rest = found.reduce(
    (left, { 0: word, index }) => left.slice(0, index) + blanks(word) + left.slice(index + word.length),
    code,
  );
  const title = (match: RegExpExecArray) => match[1] ?? titleAfter(code, original, match.index + match[0].length);
  return {
    tests: found.filter((match) => !isSkipped(match)).map(title),
    skippedTests: found.filter(isSkipped).map(title),
    skips: count(rest, language.skip),
    only: language.only === undefined ? 0 : count(code, language.only),
    assertions: [...code.matchAll(language.assertion)].filter(
      ({ index }) => !matchesAt(language.trivial, original, index),
    ).length,
  };
}

function endingOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

function count(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}

function matchesAt(sticky: RegExp, text: string, index: number): boolean {
  const pattern = new RegExp(sticky.source, sticky.flags);
  pattern.lastIndex = index;
  return pattern.test(text);
}

/** The string that a call begins with. */
function titleAfter(code: string, original: string, index: number): string {
  const open = /^\s*\(?\s*(['"`])/.exec(code.slice(index, index + 100));
  if (open === null) return '';
  const start = index + open[0].length;
  const end = code.indexOf(open[1] ?? '', start);
  return end < 0 ? '' : original.slice(start, end);
}

/** The text at its old places: comments and the insides of strings become blanks, line ends stay. */
function withoutComments(text: string, { comments }: Language): string {
  const parts: string[] = [];
  const pattern =
    comments === 'slashes'
      ? /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:\\.|[^'\\\n])*'?|"(?:\\.|[^"\\\n])*"?|`(?:\\[\s\S]|[^`\\])*`?/g
      : comments === 'rust'
        ? /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|"(?:\\[\s\S]|[^"\\])*"?/g
        : /#(?!\[)[^\n]*|'''[\s\S]*?(?:'''|$)|"""[\s\S]*?(?:"""|$)|'(?:\\.|[^'\\\n])*'?|"(?:\\.|[^"\\\n])*"?/g;
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    const [found] = match;
    const isString = /^['"`]/.test(found);
    const blank =
      isString && found.length > 1 ? `${found[0]}${blanks(found.slice(1, -1))}${found.at(-1)}` : blanks(found);
    parts.push(text.slice(from, match.index), blank);
    from = match.index + found.length;
  }
  return parts.join('') + text.slice(from);
}

function blanks(text: string): string {
  return text.replace(/[^\n]/g, ' ');
}
