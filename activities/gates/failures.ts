/** Reads from the output of well-known tools what it was that failed. */

export interface Failures {
  readonly unit: 'test' | 'error' | 'problem';
  readonly failed: number;
  /** Of the same unit; absent where the tool does not say. */
  readonly total?: number;
  /** What failed, in the tool's order, without repetition. */
  readonly names: readonly string[];
}

type Recogniser = (lines: readonly string[]) => Failures | undefined;

/**
 * What failed, by the first tool whose output this is: `node --test`, TAP, vitest, jest, mocha, pytest, unittest, go, cargo,
 * rustc, tsc, eslint, and whatever writes `file:line:column: message`. Undefined when none is recognised.
 * @param text without escape sequences
 */
export function findFailures(text: string): Failures | undefined {
  const lines = text.split('\n');
  for (const recognise of recognisers) {
    const found = recognise(lines);
    if (found !== undefined && found.failed > 0) return { ...found, names: [...new Set(found.names)] };
  }
  return undefined;
}

const nodeSpec: Recogniser = (lines) => {
  const start = lines.findLastIndex((line) => line.trim() === '✖ failing tests:');
  if (start < 0) return undefined;
  const names: string[] = [];
  let file = '';
  for (const line of lines.slice(start + 1)) {
    const place = /^\s*test at (.+?):\d+:\d+$/.exec(line)?.[1];
    if (place !== undefined) file = baseName(place);
    const name = /^\s*✖ (.+?)(?: \([\d.]+m?s\))?(?: # .*)?$/.exec(line)?.[1];
    if (name === undefined || file === '') continue;
    names.push(inFile(file, name));
    file = '';
  }
  return { unit: 'test', names, ...counted(names, lines, /^ℹ tests (\d+)$/, /^ℹ fail (\d+)$/) };
};

const tap: Recogniser = (lines) => {
  const names: string[] = [];
  for (const [index, line] of lines.entries()) {
    const name = /^\s*not ok \d+ - (.+?)(?: # (?:time|skip|todo).*)?$/i.exec(line)?.[1];
    if (name === undefined || /# (skip|todo)/i.test(line)) continue;
    const end = lines.findIndex((other, at) => at > index && other.trim() === '...');
    const details = lines.slice(index + 1, Math.min(end < 0 ? index + 1 : end, index + 40));
    if (details.some((detail) => /failureType: 'subtestsFailed'/.test(detail))) continue;
    const place = details.map((detail) => /location: '(.+?):\d+:\d+'/.exec(detail)?.[1]).find((file) => file);
    names.push(inFile(place === undefined ? '' : baseName(place), name));
  }
  if (names.length === 0) return undefined;
  return { unit: 'test', names, ...counted(names, lines, /^# tests (\d+)$/, /^# fail (\d+)$/) };
};

const vitest: Recogniser = (lines) => {
  const summary = lines.findLast((line) => /^\s*(Tests|Test Files)\s+.*\d+ failed.*\(\d+\)\s*$/.test(line));
  if (summary === undefined) return undefined;
  const names = lines.flatMap((line) => {
    const match = /^\s*FAIL\s+(?:\|[^|]+\| )?(\S+?)(?: \[ .+ \]| > (.+))?$/.exec(line);
    return match === null ? [] : [inFile(baseName(match[1] ?? ''), match[2] ?? baseName(match[1] ?? ''))];
  });
  const tests = lines.findLast((line) => /^\s*Tests\s+\d/.test(line)) ?? '';
  // A file that does not load counts as one test here, as in other tools.
  const unloaded = lines.filter((line) => /^\s*FAIL\s+\S.* \[ .+ \]$/.test(line)).length;
  const failed = Number(/(\d+) failed/.exec(tests)?.[1] ?? 0) + unloaded;
  return {
    unit: 'test',
    names,
    failed: Math.max(1, failed),
    total: Number(/\((\d+)\)\s*$/.exec(tests)?.[1] ?? 0) + unloaded,
  };
};

const jest: Recogniser = (lines) => {
  const summary = lines.findLast((line) => /^(Tests|Test Suites):\s.*\d+ failed.*\d+ total/.test(line));
  if (summary === undefined) return undefined;
  const names: string[] = [];
  let file = '';
  for (const line of lines) {
    file = baseName(/^\s*FAIL\s+(?:\S+ )?(\S+\.[cm]?[jt]sx?)/.exec(line)?.[1] ?? '') || file;
    const name = /^\s{2}● (.+)$/.exec(line)?.[1];
    if (name === undefined || name === 'Console') continue;
    names.push(name === 'Test suite failed to run' ? `${file}: does not load` : inFile(file, name));
  }
  const tests = lines.findLast((line) => /^Tests:\s/.test(line)) ?? summary;
  const failed = Number(/(\d+) failed/.exec(tests)?.[1] ?? 0);
  const total = Number(/(\d+) total/.exec(tests)?.[1] ?? 0);
  return { unit: 'test', names, failed: Math.max(failed, 1), ...(total > 0 ? { total } : {}) };
};

const mocha: Recogniser = (lines) => {
  const summary = lines.findLastIndex((line) => /^\s+\d+ failing$/.test(line));
  if (summary < 0) return undefined;
  const numberIn = (pattern: RegExp): number =>
    Number(lines.map((line) => pattern.exec(line)?.[1]).findLast(Boolean) ?? 0);
  const failed = numberIn(/^\s+(\d+) failing$/);
  const names = lines.slice(summary).flatMap((line, index, rest) => {
    const suite = /^\s+\d+\) (.+?):?$/.exec(line)?.[1];
    const test = /^\s{5,}(\S.*):$/.exec(rest[index + 1] ?? '')?.[1];
    return suite === undefined ? [] : [test === undefined ? suite : `${suite} › ${test}`];
  });
  return { unit: 'test', names, failed, total: failed + numberIn(/^\s+(\d+) passing/) };
};

const pytest: Recogniser = (lines) => {
  const summary = lines.findLast((line) =>
    /^(?:=+ )?\d+ (?:failed|errors?|passed|skipped|warnings?)\b.* in [\d.]+s/.test(line),
  );
  if (summary === undefined || !/failed|error/.test(summary)) return undefined;
  const count = (word: string): number => Number(new RegExp(`(\\d+) ${word}`).exec(summary)?.[1] ?? 0);
  const names = lines.flatMap((line) => {
    const match = /^(?:FAILED|ERROR) (\S+?)(?:::(.+?))?(?: - .*)?$/.exec(line);
    if (match === null) return [];
    return [inFile(baseName(match[1] ?? ''), (match[2] ?? 'does not load').replaceAll('::', ' › '))];
  });
  const failed = count('failed') + count('error');
  return { unit: 'test', names, failed, total: failed + count('passed') };
};

const unittest: Recogniser = (lines) => {
  const names = lines.flatMap((line) => /^(?:FAIL|ERROR): (\S+ \(.+\))$/.exec(line)?.[1] ?? []);
  const total = lines.map((line) => /^Ran (\d+) tests? in/.exec(line)?.[1]).findLast(Boolean);
  if (names.length === 0 || total === undefined) return undefined;
  return { unit: 'test', names, failed: names.length, total: Number(total) };
};

const go: Recogniser = (lines) => {
  if (!lines.some((line) => /^FAIL(\s|$)/.test(line))) return undefined;
  const all = lines.flatMap((line) => /^\s*--- FAIL: (\S+)/.exec(line)?.[1] ?? []);
  const leaves = all.filter((name) => !all.some((other) => other.startsWith(`${name}/`)));
  const broken = lines.flatMap((line) => {
    const match = /^(\S+\.go):(\d+)(?::\d+)?: (.+)$/.exec(line);
    return match === null ? [] : [`${match[1]}:${match[2]}: ${match[3]}`];
  });
  const builds = lines.some((line) => /\[build failed\]|\[setup failed\]/.test(line));
  const panics = lines.flatMap((line) => (line.startsWith('panic: ') ? [line] : []));
  const names = builds ? [...broken, ...leaves] : [...leaves, ...(leaves.length === 0 ? panics : [])];
  return names.length === 0 ? undefined : { unit: builds ? 'error' : 'test', names, failed: names.length };
};

const cargoTest: Recogniser = (lines) => {
  const results = lines.flatMap((line) => {
    const match = /^test result: \S+ (\d+) passed; (\d+) failed;/.exec(line);
    return match === null ? [] : [{ passed: Number(match[1]), failed: Number(match[2]) }];
  });
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  if (failed === 0) return undefined;
  const names = lines.flatMap((line) => /^test (.+) \.\.\. FAILED$/.exec(line)?.[1] ?? []);
  return { unit: 'test', names, failed, total: results.reduce((sum, { passed }) => sum + passed, failed) };
};

const rustc: Recogniser = (lines) => {
  const names = lines.flatMap((line, index) => {
    const message = /^error(?:\[E\d+\])?: (.+)$/.exec(line)?.[1];
    const place = /^\s*--> (\S+)$/.exec(lines[index + 1] ?? '')?.[1];
    return message === undefined || place === undefined ? [] : [`${place}: ${message}`];
  });
  return names.length === 0 ? undefined : { unit: 'error', names, failed: names.length };
};

const tsc: Recogniser = (lines) => {
  const names = lines.flatMap((line) => {
    const match = /^(\S.*?)(?:\((\d+),\d+\):|:(\d+):\d+ -) error (TS\d+): (.+)$/.exec(line);
    return match === null ? [] : [`${match[1]}:${match[2] ?? match[3]}: ${match[4]} ${match[5]}`];
  });
  return names.length === 0 ? undefined : { unit: 'error', names, failed: names.length };
};

const eslint: Recogniser = (lines) => {
  const summary = lines.findLast((line) => /^✖ \d+ problems? \(/.test(line));
  if (summary === undefined) return undefined;
  const names: string[] = [];
  let file = '';
  for (const line of lines) {
    if (/^\S.*\.\w+$/.test(line)) file = baseName(line);
    const match = /^\s+(\d+):\d+\s+(error|warning)\s+(.+?)\s{2,}(\S+)$/.exec(line);
    if (match?.[2] === 'error') names.push(`${file}:${match[1]}: ${match[3]} (${match[4]})`);
  }
  const errors = Number(/\((\d+) errors?/.exec(summary)?.[1] ?? 0);
  return { unit: 'problem', names, failed: errors > 0 ? errors : Number(/(\d+) problem/.exec(summary)?.[1]) };
};

const locations: Recogniser = (lines) => {
  const names = lines.flatMap((line) => {
    const match = /^([\w./@-]+\.\w+):(\d+)(?::\d+)?:\s*(?:fatal )?(error|[A-Z]+\d+\b)?:?\s*(\S.*)$/.exec(
      line.replace(/^vet: /, ''),
    );
    if (match === null || /^(warning|note|info)\b/i.test(match[4] ?? '')) return [];
    return [`${match[1]}:${match[2]}: ${match[4]}`];
  });
  return names.length === 0 ? undefined : { unit: 'problem', names, failed: names.length };
};

const recognisers: readonly Recogniser[] = [
  nodeSpec,
  tap,
  vitest,
  jest,
  mocha,
  pytest,
  unittest,
  go,
  cargoTest,
  rustc,
  tsc,
  eslint,
  locations,
];

/** Number of tests that a test runner says to have run, when nothing failed; undefined when it does not say. */
export function countPassed(text: string): number | undefined {
  const patterns = [
    /^ℹ pass (\d+)$/m,
    /^# pass (\d+)$/m,
    /^\s*Tests\s+(\d+) passed\b/m,
    /^Tests:\s.*?(\d+) passed/m,
    /^\s+(\d+) passing\b/m,
    /^(?:=+ )?(\d+) passed\b.* in [\d.]+s/m,
    /^Ran (\d+) tests? in/m,
    /^test result: ok\. (\d+) passed/m,
  ];
  const found = patterns.map((pattern) => pattern.exec(text)?.[1]).find((count) => count !== undefined);
  return found === undefined ? undefined : Number(found);
}

function counted(
  names: readonly string[],
  lines: readonly string[],
  total: RegExp,
  failed: RegExp,
): { readonly failed: number; readonly total?: number } {
  const last = (pattern: RegExp): string | undefined =>
    lines.map((line) => pattern.exec(line.trim())?.[1]).findLast((count) => count !== undefined);
  const all = last(total);
  const red = Number(last(failed) ?? names.length);
  return { failed: Math.max(red, 1), ...(all === undefined ? {} : { total: Number(all) }) };
}

function baseName(file: string): string {
  return file.replace(/^.*[\\/]/, '');
}

function inFile(file: string, name: string): string {
  return file === '' || baseName(name) === file ? baseNameOfPath(name) : `${file}: ${name}`;
}

function baseNameOfPath(name: string): string {
  return /^\S*[\\/]\S+\.\w+$/.test(name) ? baseName(name) : name;
}
