import { describe, expect, test } from 'vitest';
import { summarise } from '../../activities/gates/summarise.ts';

const red = (output: string, how: Partial<Parameters<typeof summarise>[0]> = {}) =>
  summarise({ exitCode: 1, signal: null, timedOut: false, output, ...how }, 900_000);
const green = (output: string) => summarise({ exitCode: 0, signal: null, timedOut: false, output }, 900_000);

const nodeSpec = `✖ "fri" is Friday (1.9ms)
✔ ok (0.2ms)
▶ group
  ✖ inner fails (1.1ms)
✖ group (1.6ms)
ℹ tests 14
ℹ suites 1
ℹ pass 12
ℹ fail 2
ℹ duration_ms 103.01

✖ failing tests:

test at test/parse.test.js:2:1
✖ "fri" is Friday (1.9ms)
  AssertionError [ERR_ASSERTION]: 1 == 2
      at TestContext.<anonymous> (/tmp/n/parse.test.js:2:30)

test at test/parse.test.js:4:24
✖ inner fails (1.16ms)
  AssertionError [ERR_ASSERTION]: ✖ not a name
`;

const nodeTap = `TAP version 13
# Subtest: /tmp/n/broken.test.js
not ok 1 - /tmp/n/broken.test.js
  ---
  location: '/tmp/n/broken.test.js:1:1'
  failureType: 'testCodeFailure'
  ...
# Subtest: group
    # Subtest: inner fails
    not ok 1 - inner fails
      ---
      location: '/tmp/n/parse.test.js:4:24'
      failureType: 'testCodeFailure'
      ...
    1..1
not ok 2 - group
  ---
  location: '/tmp/n/parse.test.js:4:1'
  failureType: 'subtestsFailed'
  ...
not ok 3 - later # TODO
1..3
# tests 5
# pass 3
# fail 2
`;

const vitest = `\u001b[1m\u001b[46m RUN \u001b[49m v5.1.1 /tmp/v

 \u001b[31m❯\u001b[39m a.test.ts (2 tests | 1 failed) 6ms
\u001b[41m\u001b[1m FAIL \u001b[22m\u001b[49m b.test.ts\u001b[2m [ b.test.ts ]\u001b[22m
Error: Cannot find module './nope.ts'
\u001b[41m\u001b[1m FAIL \u001b[22m\u001b[49m src/a.test.ts\u001b[2m > \u001b[22msuite\u001b[2m > \u001b[22madds
AssertionError: expected 1 to be 2

\u001b[2m Test Files \u001b[22m 2 failed (2)
\u001b[2m      Tests \u001b[22m 1 failed | 1 passed (2)
`;

const jest = `FAIL src/sum.test.js
  ● adds › two numbers

    expect(received).toBe(expected)

FAIL src/other.test.js
  ● Test suite failed to run

    Cannot find module './x'

Test Suites: 2 failed, 2 total
Tests:       1 failed, 13 passed, 14 total
Snapshots:   0 total
`;

const mocha = `
  13 passing (5ms)
  1 failing

  1) sums
       adds two:

      AssertionError: 1 == 2
`;

const pytest = `collected 3 items / 1 error
=========================== short test summary info ============================
FAILED tests/test_x.py::TestK::test_c - ValueError: bad
ERROR tests/test_y.py
========================= 1 failed, 12 passed, 1 error in 0.09s =========================
`;

const unittest = `F
======================================================================
FAIL: test_z (test_u.T.test_z)
----------------------------------------------------------------------
AssertionError: 1 != 2

----------------------------------------------------------------------
Ran 4 tests in 0.000s

FAILED (failures=1)
`;

const go = `--- FAIL: TestA (0.00s)
    --- FAIL: TestA/sub_x (0.00s)
        a_test.go:3: boom
FAIL
FAIL	ex	0.003s
FAIL
`;

const goBuild = `# ex/sub [ex/sub.test]
sub/a_test.go:3:27: undefined: undefined
FAIL	ex/sub [build failed]
ok  	ex	0.003s
FAIL
`;

const cargo = `running 2 tests
test tests::b ... ok
test tests::a ... FAILED

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.06s

error: test failed, to rerun pass \`--lib\`
`;

const rustc = `error[E0425]: cannot find value \`y\` in this scope
 --> src/lib.rs:1:27
  |
error: could not compile \`ex\` (lib) due to 1 previous error
`;

const tscPretty = `\u001b[96ma.ts\u001b[0m:\u001b[93m1\u001b[0m:\u001b[93m24\u001b[0m - \u001b[91merror\u001b[0m\u001b[90m TS2304: \u001b[0mCannot find name 'foo'.

Found 1 error in a.ts:1
`;

const eslint = `
/work/app/src/a.js
   1:7   error    'x' is assigned a value but never used  no-unused-vars
  10:12  warning  Unexpected console statement            no-console

✖ 2 problems (1 error, 1 warning)
`;

describe('a red check says what failed', () => {
  test.each([
    ['node --test', nodeSpec, '2 of 14 tests: parse.test.js: "fri" is Friday; parse.test.js: inner fails'],
    ['node --test as TAP', nodeTap, '2 of 5 tests: broken.test.js; parse.test.js: inner fails'],
    ['vitest', vitest, '2 of 3 tests: b.test.ts; a.test.ts: suite > adds'],
    ['jest', jest, '1 of 14 tests: sum.test.js: adds › two numbers; other.test.js: does not load'],
    ['mocha', mocha, '1 of 14 tests: sums › adds two'],
    ['pytest', pytest, '2 of 14 tests: test_x.py: TestK › test_c; test_y.py: does not load'],
    ['unittest', unittest, '1 of 4 tests: test_z (test_u.T.test_z)'],
    ['go test', go, '1 test: TestA/sub_x'],
    ['go test that does not build', goBuild, '1 error: sub/a_test.go:3: undefined: undefined'],
    ['cargo test', cargo, '1 of 2 tests: tests::a'],
    ['rustc', rustc, '1 error: src/lib.rs:1:27: cannot find value `y` in this scope'],
    [
      'tsc',
      "a.ts(1,7): error TS2322: Type 'string' is wrong.\nb.ts(2,1): error TS1: X.\n",
      "2 errors: a.ts:1: TS2322 Type 'string' is wrong.; b.ts:2: TS1 X.",
    ],
    ['tsc --pretty', tscPretty, "1 error: a.ts:1: TS2304 Cannot find name 'foo'."],
    ['eslint', eslint, "1 problem: a.js:1: 'x' is assigned a value but never used (no-unused-vars)"],
    [
      'ruff',
      'app/x.py:3:1: F401 `os` imported but unused\nFound 1 error.\n',
      '1 problem: app/x.py:3: `os` imported but unused',
    ],
    [
      'mypy',
      'x.py:3: error: Name "y" is not defined  [name-defined]\nFound 1 error in 1 file\n',
      '1 problem: x.py:3: Name "y" is not defined [name-defined]',
    ],
  ])('%s', (_, output, summary) => {
    expect(red(output)).toBe(summary);
  });

  test('an unknown tool by its last telling line', () => {
    const crash = `file:///x.js:1\nsyntax error(\n       ^^^^^\n\nSyntaxError: Unexpected identifier 'error'\n    at wrapSafe (node:internal:1:2)\n\nNode.js v24.21.0\nnpm error Lifecycle script \`test\` failed with error:\n`;
    expect(red(crash)).toBe("SyntaxError: Unexpected identifier 'error'");
    expect(red('/bin/bash: line 1: frobnicate: command not found\n', { exitCode: 127 })).toBe(
      '/bin/bash: line 1: frobnicate: command not found',
    );
    expect(red('one\ntwo\n\n')).toBe('two');
    expect(red('')).toBe('exit code 1, no output');
  });

  test('a time-out and a signal come first', () => {
    expect(red('waiting for the server\n', { exitCode: null, signal: 'SIGTERM', timedOut: true })).toBe(
      'took longer than 15 min; waiting for the server',
    );
    expect(red('', { exitCode: null, signal: 'SIGSEGV' })).toBe('ended by SIGSEGV');
  });

  test('never more than 300 characters on one line, and the rest is counted', () => {
    const many = Array.from(
      { length: 50 },
      (_, index) => `src/file${index}.ts(${index},1): error TS2304: Cannot find it.`,
    );
    const summary = red(many.join('\n'));
    expect(summary.length).toBeLessThanOrEqual(300);
    expect(summary).toMatch(/^50 errors: src\/file0\.ts:0: TS2304 Cannot find it\.; .*; \d+ more$/);
    expect(red(`error: ${'x'.repeat(1000)}\u001b[31m\u0007`)).toHaveLength(300);
  });
});

describe('a green check', () => {
  test.each([
    [nodeSpec.replace('pass 12', 'pass 14'), '14 tests passed'],
    [' Tests  1 passed (1)\n', '1 test passed'],
    ['Tests:       14 passed, 14 total\n', '14 tests passed'],
    ['===== 3 passed in 0.01s =====\n', '3 tests passed'],
    ['test result: ok. 2 passed; 0 failed;\n', '2 tests passed'],
    ['all fine\n', ''],
  ])('says how many tests there were, when the tool does', (output, summary) => {
    expect(green(output)).toBe(summary);
  });
});
