import { describe, expect, test } from 'vitest';
import { asCodetetherError } from '../../domain/errors.ts';
import { parsePrd, uncheckedStories } from '../../domain/ralph/parse-prd.ts';
import { prdBranch } from '../../domain/ralph/prd.ts';

const story = (id: string, more: Record<string, unknown> = {}) => ({
  id,
  title: `Story ${id}`,
  description: 'd',
  ...more,
});
const file = (stories: unknown, more: Record<string, unknown> = {}) => ({
  project: 'todo',
  feature: 'due dates',
  user_stories: stories,
  ...more,
});

function problemsOf(raw: unknown): readonly string[] {
  try {
    parsePrd(raw);
  } catch (error) {
    const known = asCodetetherError(error);
    expect(known.code).toBe('prd-invalid');
    return known.problems;
  }
  throw new Error('the PRD was taken');
}

describe('dialects', () => {
  const expected = {
    project: 'todo',
    feature: 'due dates',
    branchName: 'feature/x',
    version: '2.0',
    description: '',
    technicalRequirements: ['no deps'],
    qualityChecks: { test: 'node --test', lint: 'eslint .' },
    stories: [
      {
        id: 'US-001',
        title: 'Store',
        description: 'd',
        acceptanceCriteria: ['a'],
        verificationSteps: [
          { type: 'shell', command: 'ls', expectOutputContains: ['x'], expectFilesGlob: [] },
          { type: 'file_exists', path: 'a.txt', glob: false },
          { type: 'url', url: 'http://x/', method: 'GET', expectStatus: 204, expectBodyContains: [], timeoutSecs: 5 },
        ],
        passes: true,
        priority: 2,
        dependsOn: [],
        complexity: 4,
        allowedChanges: ['package.json', 'test/**'],
        noChangeOk: true,
      },
      {
        id: 'US-002',
        title: 'List',
        description: 'd',
        acceptanceCriteria: [],
        verificationSteps: [],
        passes: false,
        priority: 1,
        dependsOn: ['US-001'],
        complexity: 3,
        allowedChanges: [],
        noChangeOk: false,
      },
    ],
  };

  test('snake_case is read', () => {
    const { prd } = parsePrd({
      project: 'todo',
      feature: 'due dates',
      branch_name: 'feature/x',
      version: '2.0',
      technical_requirements: ['no deps'],
      quality_checks: { test: 'node --test', lint: 'eslint .', typecheck: null, build: '' },
      created_at: 'yesterday',
      user_stories: [
        {
          id: 'US-001',
          title: 'Store',
          description: 'd',
          acceptance_criteria: ['a'],
          verification_steps: [
            { type: 'shell', command: 'ls', expect_output_contains: ['x'] },
            { type: 'file_exists', path: 'a.txt' },
            { type: 'url', url: 'http://x/', expect_status: 204, timeout_secs: 5 },
          ],
          passes: true,
          priority: 2,
          complexity: 4,
          allowed_changes: ['package.json', 'test/**'],
          no_change_ok: true,
        },
        { id: 'US-002', title: 'List', description: 'd', depends_on: ['US-001'] },
      ],
    });
    expect(prd).toEqual(expected);
  });

  test('camelCase, mixed with snake_case, is read as the same', () => {
    const { prd } = parsePrd({
      project: 'todo',
      feature: 'due dates',
      branchName: 'feature/x',
      version: '2.0',
      technicalRequirements: ['no deps'],
      qualityChecks: { test: 'node --test', lint: 'eslint .' },
      userStories: [
        {
          id: 'US-001',
          title: 'Store',
          description: 'd',
          acceptanceCriteria: ['a'],
          verification_steps: [
            { type: 'shell', command: 'ls', expectOutputContains: ['x'] },
            { type: 'file_exists', path: 'a.txt' },
            { type: 'url', url: 'http://x/', expectStatus: 204, timeoutSecs: 5 },
          ],
          passes: true,
          priority: 2,
          complexity: 4,
          allowedChanges: ['package.json', 'test/**'],
          noChangeOk: true,
        },
        { id: 'US-002', title: 'List', description: 'd', dependencies: ['US-001', 'US-001'] },
      ],
    });
    expect(prd).toEqual(expected);
  });

  test('the platform dialect without feature takes the first line of its description', () => {
    const { prd } = parsePrd({
      project: 'p',
      branchName: 'feature/export',
      description: 'Export to iCal\nwith alarms',
      userStories: [story('A')],
    });
    expect(prd.feature).toBe('Export to iCal');
    expect(prdBranch(prd)).toBe('feature/export');
  });

  test('a version that YAML reads as a number is taken as text', () => {
    expect(parsePrd(file([story('A')], { version: 1.5 })).prd.version).toBe('1.5');
  });

  test('a title is one line', () => {
    expect(parsePrd(file([story('A', { title: ' two\n  lines ' })])).prd.stories[0]?.title).toBe('two lines');
  });

  test('null is the same as absent for what is optional', () => {
    const { prd } = parsePrd(
      file([story('A', { depends_on: null, priority: null, verification_steps: null })], { quality_checks: null }),
    );
    expect(prd.stories[0]).toMatchObject({ dependsOn: [], priority: 1, verificationSteps: [] });
  });
});

describe('problems', () => {
  test('all of them are named at once, each with its place as the file spells it', () => {
    expect(
      problemsOf({
        project: '',
        feature: 5,
        userStories: [
          story('US-001', { title: ' ' }),
          story('US-002', { dependsOn: ['US-0O1', 'US-002'] }),
          story('../../x'),
          { id: 'US-004', description: 'd', acceptanceCriteria: 'one' },
          story('us-001', { passes: 'yes', complexity: 1.5, priority: -1 }),
          'six',
        ],
      }),
    ).toEqual([
      'project: is empty',
      'feature: must be text, is 5 (put it in quotes)',
      'userStories[2].id: "../../x" must be letters, digits, dot, dash, underscore',
      'userStories[3].title: is missing (text)',
      'userStories[3].acceptanceCriteria: must be a list, is "one"',
      'userStories[4].passes: must be true or false, is "yes"',
      'userStories[4].priority: must be 0 or more, is -1',
      'userStories[4].complexity: must be a whole number, is 1.5',
      'userStories[5]: must be an object, is "six"',
      'userStories[0].title: is empty',
      'userStories[4].id: "us-001" differs from "US-001" of userStories[0] only in capital letters; ids become folders',
      'userStories[1].dependsOn[0]: "US-0O1" is not a story; did you mean US-001?',
      'userStories[1].dependsOn[1]: "US-002" is the story itself',
    ]);
  });

  test('the example of the design reads as it stands there', () => {
    const stories = [1, 2, 3, 4, 5, 6].map((n) => story(`US-00${n}`));
    const changed = stories.map((given, index) =>
      index === 3 ? { ...given, depends_on: ['US-0O2'] } : index === 5 ? { ...given, id: '../../x' } : given,
    );
    expect(problemsOf(file(changed))).toEqual([
      'user_stories[5].id: "../../x" must be letters, digits, dot, dash, underscore',
      'user_stories[3].depends_on[0]: "US-0O2" is not a story; did you mean US-002?',
    ]);
  });

  test('a circle is shown with the way round, once', () => {
    expect(
      problemsOf(
        file([
          story('A', { depends_on: ['C'] }),
          story('B', { depends_on: ['A'] }),
          story('C', { dependencies: ['B'] }),
          story('D', { depends_on: ['A'] }),
        ]),
      ),
    ).toEqual(['user_stories[1].depends_on[0]: makes a circle: A → C → B → A']);
  });

  test.each([
    ['no stories', file([]), ['user_stories: is empty; a PRD needs at least one story']],
    ['stories missing', { project: 'p', feature: 'f' }, ['user_stories: is missing (a list)']],
    ['stories null', { project: 'p', feature: 'f', userStories: null }, ['user_stories: is missing (a list)']],
    ['a list', [1], ['the file: must be an object, is a list']],
    ['a text', 'hello', ['the file: must be an object, is "hello"']],
    ['nothing', null, ['the file: must be an object, is null']],
    ['duplicate ids', file([story('A'), story('A')]), ['user_stories[1].id: "A" is the id of user_stories[0] already']],
    [
      'an id that git cannot have in a branch',
      file([story('a..b'), story('x.lock'), story('y.')]),
      [
        'user_stories[0].id: "a..b" cannot name a branch; it must not have .. in it or end in . or .lock',
        'user_stories[1].id: "x.lock" cannot name a branch; it must not have .. in it or end in . or .lock',
        'user_stories[2].id: "y." cannot name a branch; it must not have .. in it or end in . or .lock',
      ],
    ],
    [
      'an id that is a number',
      file([story('A'), { ...story('B'), id: 7 }]),
      ['user_stories[1].id: must be text, is 7 (put it in quotes)'],
    ],
    [
      'a check that is no text',
      file([story('A')], { quality_checks: { test: ['x'] } }),
      ['quality_checks.test: must be text, is a list'],
    ],
    [
      'two spellings that differ',
      file([story('A'), story('B', { depends_on: ['A'], dependencies: [] })]),
      ['user_stories[1].depends_on: is given twice with different values, also as dependencies'],
    ],
    [
      'a NUL',
      file([story('A', { description: 'a\u0000b' })]),
      ['user_stories[0].description: has a NUL character in it'],
    ],
    [
      'wrong verification steps',
      file([
        story('A', {
          verification_steps: [
            { type: 'magic' },
            {},
            { type: 'shell' },
            { type: 'shell', command: ' ', cwd: '../x' },
            { type: 'url', url: 'file:///etc/passwd' },
            { type: 'file_exists', path: '/etc/passwd' },
          ],
        }),
      ]),
      [
        'user_stories[0].verification_steps[0].type: must be shell, file_exists or url, is "magic"',
        'user_stories[0].verification_steps[1].type: is missing (shell, file_exists or url)',
        'user_stories[0].verification_steps[2].command: is missing (text)',
        'user_stories[0].verification_steps[3].command: is empty',
        'user_stories[0].verification_steps[3].cwd: "../x" must be a path inside the repository',
        'user_stories[0].verification_steps[4].url: must begin with http:// or https://, is "file:///etc/passwd"',
        'user_stories[0].verification_steps[5].path: "/etc/passwd" must be a path inside the repository',
      ],
    ],
  ])('%s', (_, raw, problems) => {
    expect(problemsOf(raw)).toEqual(problems);
  });

  test('keys of JavaScript objects are nothing special', () => {
    const raw: unknown = JSON.parse(
      '{"project":"p","feature":"f","__proto__":{"a":1},"user_stories":[{"id":"constructor","title":"t","description":"d"},{"id":"toString","title":"t","description":"d","depends_on":["hasOwnProperty"]}]}',
    );
    expect(problemsOf(raw)).toEqual(['user_stories[1].depends_on[0]: "hasOwnProperty" is not a story']);
  });
});

describe('warnings', () => {
  test('what is probably not meant is named', () => {
    const { warnings } = parsePrd(
      file(
        [
          story('A', { description: '', depend_on: ['B'], complexity: 9, priority: 0 }),
          story('B', {
            acceptance_criteria: ['x'],
            verification_steps: [{ type: 'shell', command: 'ls', expects: 'x' }],
          }),
        ],
        { quality_checks: { tests: 'npm test', format: 'prettier' } },
      ),
    );
    expect(warnings).toEqual([
      'quality_checks.tests: is not known and not used; did you mean test?',
      'quality_checks.format: is not known and not used',
      'user_stories[0].depend_on: is not known and not used; did you mean depends_on?',
      'user_stories[1].verification_steps[0].expects: is not known and not used',
      'quality_checks: there is none; only verification steps can fail a story',
      'user_stories: A: no description',
      'user_stories: A: no acceptance criteria',
      'user_stories: A: no verification steps, so nothing checks them',
      'user_stories: A: priority 0; the first is usually 1',
      'user_stories: A: complexity is outside 1 to 5',
    ]);
  });

  test('500 stories make few lines', () => {
    const stories = Array.from({ length: 500 }, (_, index) => story(`US-${index}`, { notes: 'mine' }));
    expect(parsePrd(file(stories, { quality_checks: { test: 'x' } })).warnings).toEqual([
      'user_stories: US-0, US-1, US-2, US-3, US-4 and 495 more: no acceptance criteria',
    ]);
  });
});

test('500 stories in a chain are read in a moment, also when every dependency is wrong', () => {
  const chain = Array.from({ length: 500 }, (_, index) =>
    story(`US-${index}`, { depends_on: index === 0 ? [] : [`US-${index - 1}`] }),
  );
  const wrong = chain.map((given, index) => ({ ...given, depends_on: [`XX-${index}Q`] }));
  const startedMs = performance.now();
  expect(parsePrd(file(chain)).prd.stories).toHaveLength(500);
  expect(problemsOf(file(wrong))).toHaveLength(500);
  const circle = chain.map((given, index) => (index === 0 ? { ...given, depends_on: ['US-499'] } : given));
  expect(problemsOf(file(circle))).toHaveLength(1);
  expect(performance.now() - startedMs).toBeLessThan(10_000);
});

test('stories without gates and without verification are unchecked', () => {
  const steps = [{ type: 'shell', command: 'ls' }];
  const stories = [story('A'), story('B', { verification_steps: steps })];
  expect(uncheckedStories(parsePrd(file(stories)).prd).map(({ id }) => id)).toEqual(['A']);
  expect(uncheckedStories(parsePrd(file(stories, { quality_checks: { test: 'x' } })).prd)).toEqual([]);
  expect(uncheckedStories(parsePrd(file(stories, { quality_checks: { test: ' ' } })).prd)).toHaveLength(1);
});

test.each([
  ['Due dates', 'feature/due-dates'],
  ['Größe ändern', 'feature/größe-ändern'],
  ['Add OAuth: v2? [now]', 'feature/add-oauth-v2-now'],
  ['..', 'feature/prd'],
  ['x.lock', 'feature/x'],
  ['到期日', 'feature/到期日'],
])('the branch of the feature %j is %s', (feature, branch) => {
  expect(prdBranch({ feature, branchName: '' })).toBe(branch);
});
