/** Whether a story's change weakens what it is judged by. Pure: what is read for it comes from `activities/gates/inspect-change.ts`. */
import {
  gateSettings,
  isContinuousIntegration,
  isIgnoreList,
  isPackageFile,
  packageSettings,
  reachOf,
  type GateCommand,
  type PackageScripts,
  type Reached,
} from './gate-files.ts';
import { isTestName, mayHoldTests, readTests, type TestText } from './test-text.ts';

export interface FileVersion {
  /** Relative to the repository's top folder. */
  readonly path: string;
  readonly text: string;
}

/** A file that differs; two paths when it was moved. */
export interface FileChange {
  /** Null for a new file. */
  readonly before: FileVersion | null;
  /** Null for a deleted one. */
  readonly after: FileVersion | null;
}

export interface StoryChange {
  /** At least the changed files that {@link concernsChecks} names. */
  readonly files: readonly FileChange[];
  /** Of the PRD and of the story's verification. */
  readonly commands: readonly GateCommand[];
  /** Text of the top folder's package.json as it was; null when there was none. */
  readonly packageBefore: string | null;
  /** Folders that had files before. */
  readonly foldersBefore: ReadonlySet<string>;
  /** Files that were there and that a changed .gitignore newly names. */
  readonly newlyIgnored: readonly { readonly path: string; readonly by: string }[];
}

export interface Finding {
  readonly file: string;
  /** A clause for people and models, without a full stop. */
  readonly why: string;
}

/** Whether a change of the file has to be read to judge it. */
export function concernsChecks(path: string, story: Pick<StoryChange, 'commands' | 'packageBefore'>): boolean {
  return (
    isPackageFile(path) ||
    isIgnoreList(path) ||
    isContinuousIntegration(path) ||
    mayHoldTests(path) ||
    // Names that count only by what is in them answer for any content.
    gateSettings(path, '[tool.pytest]\n[tool:pytest]\n[lints]\npytest_\ntest:') !== null ||
    topReach(story).files.has(path)
  );
}

/** Every file whose change makes the checks weaker or other than they were, with the reason. */
export function tamperFindings(change: StoryChange): readonly Finding[] {
  const reached = topReach(change);
  const product = productFiles(change.packageBefore);
  const all = [
    ...change.files.flatMap((file) => [
      ...packageFindings(file, change.commands),
      ...definitionFindings(file, { reached, product, foldersBefore: change.foldersBefore }),
    ]),
    ...testFindings(change.files),
    ...change.newlyIgnored.map(({ path, by }) => ({ file: by, why: `it now ignores ${path}` })),
  ];
  const byFile = new Map<string, string[]>();
  for (const { file, why } of all) byFile.set(file, [...new Set([...(byFile.get(file) ?? []), why])]);
  return [...byFile].map(([file, reasons]) => ({ file, why: reasons.join(', ') }));
}

function topReach({ commands, packageBefore }: Pick<StoryChange, 'commands' | 'packageBefore'>): Reached {
  return reachOf(commands, scriptsOf(packageBefore));
}

// ── what defines the gates ───────────────────────────────────────────────────

function packageFindings({ before, after }: FileChange, commands: readonly GateCommand[]): Finding[] {
  if (before === null || !isPackageFile(before.path)) return [];
  const [old, now] = [readJson(before.text), readJson(after?.text ?? '{}')];
  // A package.json that cannot be read runs no script, and no gate that needs one is green.
  if (old === null || now === null) return [];
  const [oldScripts, scripts] = [scriptsOf(before.text), scriptsOf(after?.text ?? null)];
  const findings: Finding[] = [];
  for (const [name, gate] of reachOf(commands, oldScripts).scripts) {
    const [was, is] = [oldScripts[name], scripts[name]];
    const isHook = name.startsWith('pre') || name.startsWith('post');
    if (was === is || (was === undefined && !isHook)) continue;
    const what = is === undefined ? 'removed' : was === undefined ? 'added' : 'changed';
    findings.push({ file: before.path, why: `the script ${JSON.stringify(name)}, which ${gate} runs, was ${what}` });
  }
  for (const key of packageSettings) {
    if (JSON.stringify(old[key]) !== JSON.stringify(now[key]))
      findings.push({ file: before.path, why: `the settings ${JSON.stringify(key)} were changed` });
  }
  return findings;
}

function definitionFindings(
  { before, after }: FileChange,
  known: {
    readonly reached: Reached;
    readonly product: ReadonlySet<string>;
    readonly foldersBefore: ReadonlySet<string>;
  },
): Finding[] {
  const path = before?.path ?? after?.path ?? '';
  const what = after === null ? 'deleted' : before === null ? 'added' : 'changed';
  const say = (why: string): Finding[] => [{ file: path, why }];
  if (before !== null && isContinuousIntegration(path))
    return isSameText(before.text, after?.text) ? [] : say(`it tells CI what to check and was ${what}`);
  if (isIgnoreList(path)) {
    const old = patterns(before?.text ?? '');
    const added = [...patterns(after?.text ?? '')].filter((pattern) => !old.has(pattern));
    return added.length === 0 ? [] : say(`it now leaves ${added.slice(0, 3).join(', ')} out of a check`);
  }
  const gate = known.reached.files.get(path);
  if (gate !== undefined && before !== null && !known.product.has(path) && !isProductPath(path) && !isTestName(path))
    return isSameText(before.text, after?.text) ? [] : say(`${gate} runs or reads it, and it was ${what}`);
  const settings = (version: FileVersion | null) =>
    version === null ? null : (gateSettings(version.path, version.text) ?? null);
  const [was, is] = [settings(before), settings(after)];
  if (isSameText(was ?? '', is ?? '') && (before === null || after === null || before.path === after.path)) return [];
  if (was === null && is === null) return [];
  // The settings of a new folder have nothing to weaken.
  if (before === null && !known.foldersBefore.has(folderOf(path))) return [];
  return say(`it sets up a tool that gates run and was ${what}`);
}

function isProductPath(path: string): boolean {
  return /^(?:src|lib|app|cmd)\//.test(path);
}

/** Programs of the package itself: a gate that runs one tries it out. */
function productFiles(packageText: string | null): ReadonlySet<string> {
  const { main, bin } = readJson(packageText ?? '{}') ?? {};
  const listed = typeof bin === 'object' && bin !== null ? Object.values(bin) : [bin];
  return new Set(
    [main, ...listed].flatMap((file) => (typeof file === 'string' ? [file.replace(/^(?:\.\/)+/, '')] : [])),
  );
}

// ── tests ────────────────────────────────────────────────────────────────────

interface TestFile {
  readonly path: string;
  readonly before: TestText;
  readonly after: TestText;
  readonly change: FileChange;
}

function testFindings(files: readonly FileChange[]): Finding[] {
  const tests = files
    .filter(({ before, after }) => mayHoldTests(before?.path ?? '') || mayHoldTests(after?.path ?? ''))
    .map((change): TestFile => {
      const { before, after } = change;
      const isStill = after !== null && (before === null || mayHoldTests(after.path) || !mayHoldTests(before.path));
      return {
        path: before?.path ?? after?.path ?? '',
        before: readTests(before?.path ?? '', before?.text ?? ''),
        after: isStill ? readTests(after.path, after.text) : readTests('', ''),
        change,
      };
    });
  return tests.flatMap((file) => reasonsOf(file, tests).map((why) => ({ file: file.path, why })));
}

function reasonsOf(file: TestFile, all: readonly TestFile[]): string[] {
  const { before, after, change } = file;
  if (change.before === null) return after.only > 0 ? ['it keeps all other tests from running (only)'] : [];
  const moved = movedTests(file, all);
  const goneTests = before.tests.length - after.tests.length - moved.tests;
  const isGone = change.after === null || !mayHoldTests(change.after.path);
  if (isGone) {
    const held = before.tests.length + before.assertions > 0 || isTestName(change.before.path);
    if (!held || (before.tests.length > 0 && goneTests <= 0)) return [];
    return [
      change.after === null ? 'a test file was deleted' : `a test file became ${change.after.path}, which is none`,
    ];
  }
  const newlySkipped = after.skippedTests.filter((title) => title !== '' && before.tests.includes(title)).length;
  const untitled = (text: TestText) => text.skips + text.skippedTests.filter((title) => title === '').length;
  const reasons: string[] = [];
  if (newlySkipped > 0 || untitled(after) > untitled(before)) reasons.push('tests that ran are skipped now');
  if (after.only > before.only) reasons.push('it keeps other tests from running (only)');
  if (goneTests > 0 && newlySkipped < goneTests)
    reasons.push(
      before.tests.length === goneTests
        ? 'all of its tests are gone'
        : `${goneTests} of its ${before.tests.length} tests are gone`,
    );
  else if (before.assertions > after.assertions + moved.assertions && newlySkipped === 0)
    reasons.push(`it had ${before.assertions} assertions and has ${after.assertions}`);
  return reasons;
}

/** Tests of the file that are in another changed file now, and the assertions that these files have won. */
function movedTests(file: TestFile, all: readonly TestFile[]): { readonly tests: number; readonly assertions: number } {
  const gone = file.before.tests.filter((title) => title !== '' && !file.after.tests.includes(title));
  const takers = all.filter(
    (other) =>
      other !== file && gone.some((title) => other.after.tests.includes(title) && !other.before.tests.includes(title)),
  );
  const tests = gone.filter((title) => takers.some((other) => other.after.tests.includes(title))).length;
  const assertions = takers.reduce(
    (sum, other) => sum + Math.max(0, other.after.assertions - other.before.assertions),
    0,
  );
  return { tests, assertions };
}

// ── texts ────────────────────────────────────────────────────────────────────

function scriptsOf(packageText: string | null): PackageScripts {
  const scripts = readJson(packageText ?? '{}')?.['scripts'];
  if (typeof scripts !== 'object' || scripts === null) return {};
  return Object.fromEntries(
    Object.entries(scripts).flatMap(([name, command]) => (typeof command === 'string' ? [[name, command]] : [])),
  );
}

function readJson(text: string): { readonly [key: string]: unknown } | null {
  try {
    const value: unknown = JSON.parse(text.replace(/^\ufeff/, ''));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}

/** Spaces and line ends do not count. */
function isSameText(a: string, b: string | undefined): boolean {
  return b !== undefined && a.replace(/\s+/g, '') === b.replace(/\s+/g, '');
}

function patterns(text: string): ReadonlySet<string> {
  return new Set(text.split('\n').flatMap((line) => (/^\s*(?:#.*)?$/.test(line) ? [] : [line.trim()])));
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
