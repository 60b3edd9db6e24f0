import { describe, expect, test } from 'vitest';
import { tamperFindings, type FileChange, type StoryChange } from '../../domain/ralph/tamper.ts';

type Files = Readonly<Record<string, string>>;

const gates = { test: 'npm test', lint: 'npm run lint' };
const packageFile = (scripts: Readonly<Record<string, string>>, more: object = {}) =>
  JSON.stringify({ name: 'p', scripts, ...more }, null, 2);
const scripts = { test: 'vitest run', lint: 'node tools/lint.js', dev: 'vite' };

/** What is found when `before` becomes `after`; files in only one of them are new or deleted. */
function findings(
  before: Files,
  after: Files,
  options: {
    readonly gates?: Readonly<Record<string, string>>;
    readonly moved?: Readonly<Record<string, string>>;
    readonly newlyIgnored?: StoryChange['newlyIgnored'];
  } = {},
): string[] {
  const base: Files = { 'package.json': packageFile(scripts), ...before };
  const version = (files: Files, path: string | undefined) => {
    const text = path === undefined ? undefined : files[path];
    return path === undefined || text === undefined ? null : { path, text };
  };
  const moved = options.moved ?? {};
  const paths = new Set([...Object.keys(before), ...Object.keys(after)]);
  for (const to of Object.values(moved)) paths.delete(to);
  const files = [...paths]
    .map((path): FileChange => ({ before: version(before, path), after: version(after, moved[path] ?? path) }))
    .filter(({ before: old, after: now }) => old?.text !== now?.text || old?.path !== now?.path);
  return tamperFindings({
    files,
    commands: Object.entries(options.gates ?? gates).map(([gate, command]) => ({ gate: `the gate ${gate}`, command })),
    packageBefore: base['package.json'] ?? null,
    foldersBefore: new Set(
      Object.keys(base).flatMap((path) => {
        const parts = path.split('/');
        return parts.map((_, index) => parts.slice(0, index).join('/'));
      }),
    ),
    newlyIgnored: options.newlyIgnored ?? [],
  }).map(({ file, why }) => `${file}: ${why}`);
}

const becomes = (path: string, before: string, after: string, options?: Parameters<typeof findings>[2]) =>
  findings({ [path]: before }, { [path]: after }, options);

describe('package.json', () => {
  const change = (
    now: Readonly<Record<string, string>>,
    more?: object,
    was: Readonly<Record<string, string>> = scripts,
  ) => becomes('package.json', packageFile(was), packageFile(now, more));

  test.each([
    ['a script of a gate', { ...scripts, test: 'true' }, 'the script "test", which the gate test runs, was changed'],
    [
      'a removed script',
      { test: scripts.test, dev: 'vite' },
      'the script "lint", which the gate lint runs, was removed',
    ],
    ['a new hook', { ...scripts, pretest: 'rm -r test' }, 'the script "pretest", which the gate test runs, was added'],
  ])('%s is found', (_, now, why) => {
    expect(change(now)).toEqual([`package.json: ${why}`]);
  });

  test.each([
    ['npm run', { test: 'npm run unit && npm run e2e', unit: 'vitest', e2e: 'x' }, 'e2e'],
    ['pnpm', { test: 'pnpm unit', unit: 'vitest' }, 'unit'],
    ['yarn run', { test: 'yarn run unit', unit: 'vitest' }, 'unit'],
    ['run-s with a pattern', { test: 'run-s unit:*', 'unit:a': 'a' }, 'unit:a'],
    ['concurrently', { test: 'concurrently "npm:unit" "npm run e2e"', unit: 'a', e2e: 'b' }, 'e2e'],
    ['node --run', { test: 'node --run unit', unit: 'a' }, 'unit'],
    ['a hook', { test: 'vitest', pretest: 'npm run prepare-data', 'prepare-data': 'x' }, 'prepare-data'],
  ])('scripts are followed through %s', (_, was, name) => {
    expect(change({ ...was, [name]: 'true' }, {}, was)).toEqual([
      `package.json: the script ${JSON.stringify(name)}, which the gate test runs, was changed`,
    ]);
  });

  test('the settings of a test runner are found', () => {
    expect(change(scripts, { jest: { testPathIgnorePatterns: ['.'] } })).toEqual([
      'package.json: the settings "jest" were changed',
    ]);
  });

  test.each([
    ['a dependency', scripts, { dependencies: { yaml: '2.0.0' } }],
    ['a new script', { ...scripts, format: 'prettier -w .' }, {}],
    ['a script that no gate runs', { ...scripts, dev: 'vite --host' }, {}],
    ['a version and a bin', scripts, { version: '2.0.0', bin: { p: 'bin/p.js' } }],
  ])('%s is ordinary', (_, now, more) => {
    expect(change(now, more)).toEqual([]);
  });
});

describe('what sets up the tools', () => {
  test.each([
    ['vitest.config.ts', 'export default {}', "export default { test: { exclude: ['**'] } }"],
    ['jest.config.cjs', 'module.exports = {}', 'module.exports = { bail: true }'],
    ['.mocharc.json', '{}', '{"grep":"x"}'],
    ['.oxlintrc.json', '{"rules":{"no-debugger":"error"}}', '{"rules":{}}'],
    ['eslint.config.js', 'export default [a]', 'export default []'],
    ['biome.json', '{"linter":{"enabled":true}}', '{"linter":{"enabled":false}}'],
    ['tsconfig.json', '{"compilerOptions":{"strict":true}}', '{"compilerOptions":{"strict":false}}'],
    ['tsconfig.build.json', '{"include":["src"]}', '{"include":[]}'],
    ['packages/a/tsconfig.json', '{"strict":true}', '{"strict":false}'],
    ['pytest.ini', '[pytest]\n', '[pytest]\naddopts = -k nothing\n'],
    ['tox.ini', '[testenv]\ncommands = pytest\n', '[testenv]\ncommands = true\n'],
    [
      'pyproject.toml',
      '[tool.pytest.ini_options]\ntestpaths = ["tests"]\n',
      '[tool.pytest.ini_options]\ntestpaths = []\n',
    ],
    ['setup.cfg', '[flake8]\nmax-line-length = 80\n', '[flake8]\nexclude = .\n'],
    ['Cargo.toml', '[package]\nname = "a"\n[lints.clippy]\nall = "deny"\n', '[package]\nname = "a"\n'],
    ['.golangci.yml', 'linters: {}\n', 'linters: { disable-all: true }\n'],
    [
      'tests/conftest.py',
      'import pytest\n',
      'import pytest\ndef pytest_collection_modifyitems(items):\n    items.clear()\n',
    ],
    ['vite.config.ts', 'export default { test: { include: ["a"] } }', 'export default { test: { include: [] } }'],
  ])('a changed %s is found', (path, before, after) => {
    expect(becomes(path, before, after)).toEqual([`${path}: it sets up a tool that gates run and was changed`]);
  });

  test('a new or deleted one is found too', () => {
    expect(findings({}, { 'vitest.config.js': 'export default {}' })).toEqual([
      'vitest.config.js: it sets up a tool that gates run and was added',
    ]);
    expect(findings({ '.eslintrc': '{}' }, {})).toEqual([
      '.eslintrc: it sets up a tool that gates run and was deleted',
    ]);
  });

  test.each([
    [
      'pyproject.toml',
      '[project]\nname = "a"\n[tool.ruff]\nx = 1\n',
      '[project]\nname = "a"\ndependencies = ["b"]\n[tool.ruff]\nx = 1\n',
    ],
    ['Cargo.toml', '[dependencies]\n', '[dependencies]\nserde = "1"\n'],
    ['setup.cfg', '[metadata]\nname = a\n', '[metadata]\nname = b\n'],
    ['tests/conftest.py', 'import pytest\n', 'import pytest\n@pytest.fixture\ndef db():\n    return 1\n'],
    ['go.mod', 'module a\n', 'module a\nrequire b v1\n'],
    ['vite.config.ts', 'export default { plugins: [] }', 'export default { plugins: [a()] }'],
    ['tsconfig.json', '{"strict":true}', '{\n  "strict": true\n}\n'],
    ['src/config.ts', 'export const strict = true;', 'export const strict = false;'],
    ['README.md', '# a', '# b'],
  ])('an ordinary change of %s is none', (path, before, after) => {
    expect(becomes(path, before, after)).toEqual([]);
  });

  test('a new folder may bring its own settings', () => {
    expect(findings({}, { 'packages/new/tsconfig.json': '{}', 'packages/new/src/a.ts': '' })).toEqual([]);
  });
});

describe('continuous integration, ignore lists and scripts', () => {
  test('a changed workflow is found, a new one is not', () => {
    const path = '.github/workflows/ci.yml';
    expect(becomes(path, 'run: npm test', 'run: true')).toEqual([`${path}: it tells CI what to check and was changed`]);
    expect(becomes('.gitlab-ci.yml', 'script: npm test', 'script: true')).toHaveLength(1);
    expect(findings({ '.github/workflows/ci.yml': 'a' }, {})).toHaveLength(1);
    expect(findings({}, { '.github/workflows/release.yml': 'on: push' })).toEqual([]);
  });

  test('a longer ignore list of a check is found, a shorter one is not', () => {
    expect(becomes('.eslintignore', 'dist\n', 'dist\n# all\nsrc\n')).toEqual([
      '.eslintignore: it now leaves src out of a check',
    ]);
    expect(becomes('.prettierignore', 'dist\nsrc\n', 'dist\n')).toEqual([]);
  });

  test('.gitignore counts by what it newly ignores', () => {
    const newlyIgnored = [{ path: 'test/a.test.js', by: '.gitignore' }];
    expect(becomes('.gitignore', 'dist\n', 'dist\ntest\n', { newlyIgnored })).toEqual([
      '.gitignore: it now ignores test/a.test.js',
    ]);
    expect(becomes('.gitignore', 'dist\n', 'dist\ncoverage\n')).toEqual([]);
  });

  test('a script that a gate runs is found, whoever calls it', () => {
    expect(becomes('tools/lint.js', 'check()', '')).toEqual([
      'tools/lint.js: the gate lint runs or reads it, and it was changed',
    ]);
    expect(becomes('scripts/test.sh', 'a', 'true', { gates: { test: './scripts/test.sh --all' } })).toHaveLength(1);
    expect(becomes('ci/check.py', 'a', 'pass', { gates: { lint: 'cd . && python3 -u ci/check.py' } })).toHaveLength(1);
    expect(becomes('Makefile', 'test:\n\tpytest', 'test:\n\ttrue', { gates: { test: 'make test' } })).toHaveLength(1);
    expect(becomes('my-rules.js', 'a', 'b', { gates: { lint: 'npx eslint -c my-rules.js .' } })).toHaveLength(1);
    expect(
      becomes('test/setup.mjs', 'a', 'b', { gates: { test: 'node --import ./test/setup.mjs --test' } }),
    ).toHaveLength(1);
  });

  test.each([
    ['tools/release.js', { lint: 'node tools/lint.js' }],
    ['src/main.js', { build: 'node src/main.js --version' }],
    ['Makefile', { test: 'npm test' }],
    ['lib/index.ts', { typecheck: 'npx tsc --noEmit lib/index.ts' }],
  ])('%s is ordinary with the gates %j', (path, commands) => {
    expect(becomes(path, 'a', 'b', { gates: commands })).toEqual([]);
  });

  test('a program of the package is product, though a gate tries it out', () => {
    const before = { 'package.json': packageFile(scripts, { bin: { todo: './bin/todo.js' } }), 'bin/todo.js': 'a' };
    expect(findings(before, { ...before, 'bin/todo.js': 'b' }, { gates: { build: 'node bin/todo.js help' } })).toEqual(
      [],
    );
  });
});

const twoTests = `import { test } from 'node:test';
test('adds', () => { assert.equal(add(1, 2), 3); });
test('subtracts', () => { assert.equal(sub(3, 2), 1); });
`;

describe('tests in JavaScript', () => {
  const path = 'test/add.test.js';
  const edited = (from: string | RegExp, to: string) => becomes(path, twoTests, twoTests.replace(from, to));

  test.each([
    ['a removed test', /test\('subtracts'.*\n/, '', '1 of its 2 tests are gone'],
    ['a test in a comment', "test('subtracts'", "// test('subtracts'", '1 of its 2 tests are gone'],
    ['test.skip', "test('adds'", "test.skip('adds'", 'tests that ran are skipped now'],
    ['xtest', "test('adds'", "xtest('adds'", 'tests that ran are skipped now'],
    [
      'todo',
      "test('adds', () => { assert.equal(add(1, 2), 3); })",
      "test.todo('adds')",
      'tests that ran are skipped now',
    ],
    ['a skip option', "'adds',", "'adds', { skip: true },", 'tests that ran are skipped now'],
    [
      'a skip in the body',
      '() => { assert.equal(add',
      '(t) => { t.skip(); assert.equal(add',
      'tests that ran are skipped now',
    ],
    ['only', "test('adds'", "test.only('adds'", 'it keeps other tests from running (only)'],
    ['an emptied test', 'assert.equal(add(1, 2), 3);', '', 'it had 2 assertions and has 1'],
    ['assert(true)', 'assert.equal(add(1, 2), 3)', 'assert(true)', 'it had 2 assertions and has 1'],
    ['a comparison with itself', 'assert.equal(add(1, 2), 3)', 'assert.equal(3, 3)', 'it had 2 assertions and has 1'],
    ['an early end', 'test(', 'process.exit(0);\ntest(', 'tests that ran are skipped now'],
    ['an emptied file', /[\s\S]+/, '', 'all of its tests are gone'],
  ])('%s is found', (_, from, to, why) => {
    expect(edited(from, to)).toEqual([`${path}: ${why}`]);
  });

  test.each([
    ['describe.skip', "describe('a', () => {", "describe.skip('a', () => {"],
    ['xdescribe', "describe('a', () => {", "xdescribe('a', () => {"],
    ['expect(true)', 'expect(add(1, 2)).toBe(3)', 'expect(true).toBe(true)'],
    ['it.only', "it('adds'", "it.only('adds'"],
    ['fit', "it('adds'", "fit('adds'"],
    ['it.skip with each', "it.each([1])('n %i'", "it.skip.each([1])('n %i'"],
  ])('%s is found in vitest and jest', (_, from, to) => {
    const text =
      "describe('a', () => {\n  it('adds', () => { expect(add(1, 2)).toBe(3); });\n  it.each([1])('n %i', (n) => { expect(n).toBe(1); });\n});\n";
    expect(becomes('src/add.spec.ts', text, text.replace(from, to))).toHaveLength(1);
  });

  test('a deleted file, and one that is no test any more, are found', () => {
    expect(findings({ [path]: twoTests }, {})).toEqual([`${path}: a test file was deleted`]);
    expect(findings({ [path]: twoTests }, { 'old/add.txt': twoTests }, { moved: { [path]: 'old/add.txt' } })).toEqual([
      `${path}: a test file became old/add.txt, which is none`,
    ]);
  });

  test.each([
    ['one more test', `${twoTests}test('more', () => { assert.ok(more()); });\n`],
    ['a new test that is skipped', `${twoTests}test.skip('later', () => { assert.ok(more()); });\n`],
    ['another title', twoTests.replace("'adds'", "'adds numbers'")],
    ['other values', twoTests.replace('3); });', '4 - 1); });')],
    ['a comment about skips', `// it.skip('adds') would be wrong\n${twoTests}`],
    ['a text with a skip in it', `${twoTests}test('finds', () => { assert.ok(find("it.skip('x')")); });\n`],
    ['a pattern that is tested', `${twoTests}const ok = /a/.test('a');\n`],
    ['formatting', twoTests.replaceAll('{ assert', '{\n  assert')],
  ])('%s is ordinary', (_, text) => {
    expect(becomes(path, twoTests, text)).toEqual([]);
  });

  test('new test files are ordinary, unless they keep the others from running', () => {
    expect(findings({}, { 'test/new.test.js': twoTests })).toEqual([]);
    expect(findings({}, { 'test/new.test.js': twoTests.replace('test(', 'test.only(') })).toEqual([
      'test/new.test.js: it keeps all other tests from running (only)',
    ]);
  });

  test('tests may move to other files', () => {
    expect(
      findings({ [path]: twoTests }, { 'test/sum.test.js': twoTests }, { moved: { [path]: 'test/sum.test.js' } }),
    ).toEqual([]);
    const [head = '', first = '', second = ''] = twoTests.split('\n');
    expect(findings({ [path]: twoTests }, { 'test/a.test.js': `${head}\n${first}`, 'test/b.test.js': second })).toEqual(
      [],
    );
    expect(findings({ [path]: twoTests }, { [path]: `${head}\n${first}`, 'test/b.test.js': second })).toEqual([]);
    expect(findings({ [path]: twoTests }, { 'test/a.test.js': `${head}\n${first}` })).toEqual([
      `${path}: a test file was deleted`,
    ]);
  });

  test('helpers of tests are no tests', () => {
    const helper = 'export const make = () => 1;\n';
    expect(findings({ 'test/support/make.js': helper }, {})).toEqual([]);
    expect(becomes('test/support/make.js', helper, 'export const made = 2;\n')).toEqual([]);
  });
});

describe('tests in other languages', () => {
  const python = 'def test_a():\n    assert a() == 1\n\ndef test_b():\n    assert b() == 2\n';
  const go = 'func TestA(t *testing.T) {\n\tif a() != 1 {\n\t\tt.Fatal("a")\n\t}\n}\n';
  const rust =
    'fn a() -> i32 { 1 }\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn a_is_one() { assert_eq!(super::a(), 1); }\n}\n';

  test.each([
    ['tests/test_a.py', python, 'def test_a', '@pytest.mark.skip\ndef test_a'],
    ['tests/test_a.py', python, 'def test_a', '@unittest.skip("x")\ndef test_a'],
    ['tests/test_a.py', python, '    assert a() == 1', '    assert True'],
    ['tests/test_a.py', python, '    assert a() == 1', '    pass'],
    ['tests/test_a.py', python, 'def test_a', 'def not_a'],
    ['a_test.go', go, '\tif a()', '\tt.Skip()\n\tif a()'],
    ['a_test.go', go, 't.Fatal("a")', 'return'],
    ['a_test.go', go, 'TestA', 'helpA'],
    ['src/lib.rs', rust, '#[test]', '#[test]\n    #[ignore]'],
    ['src/lib.rs', rust, '#[test]\n', ''],
    ['src/lib.rs', rust, 'assert_eq!(super::a(), 1)', 'assert!(true)'],
    ['spec/a_spec.rb', "it 'a' do\n  expect(a).to eq 1\nend\n", "it 'a'", "xit 'a'"],
    ['src/ATest.java', '@Test void a() { assertEquals(1, a()); }', '@Test', '@Disabled @Test'],
  ])('%s: what %j loses is found', (path, text, from, to) => {
    expect(becomes(path, text, text.replace(from, to))).toHaveLength(1);
  });

  test.each([
    ['tests/test_a.py', python, `${python}\ndef test_c():\n    assert c()\n`],
    ['tests/test_a.py', python, `${python}\n@pytest.mark.skipif(os.name != 'nt')\ndef test_c():\n    assert c()\n`],
    [
      'tests/test_a.py',
      python,
      `${python}\n@pytest.mark.skipif(\n    os.name != 'nt',\n)\ndef test_c():\n    assert c()\n`,
    ],
    ['a_test.go', go, go.replace('a() != 1', 'a() != one')],
    ['src/lib.rs', rust, rust.replace('fn a() -> i32 { 1 }', 'fn a() -> i32 { debug_assert!(true); 1 }')],
    ['src/main.rs', 'fn main() { assert!(a()); }', 'fn main() {}'],
    ['src/a.py', 'def testing():\n    assert a\n', 'def testing():\n    pass\n'],
  ])('%s: ordinary work is none', (path, before, after) => {
    expect(becomes(path, before, after)).toEqual([]);
  });
});
