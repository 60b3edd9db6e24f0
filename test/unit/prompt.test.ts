import { expect, test } from 'vitest';
import { buildStoryPrompt, buildSystemPrompt, type PromptInputs } from '../../activities/ralph/prompt.ts';
import { Prd } from '../../domain/ralph/prd.ts';

const prd = Prd.parse({
  project: 'todo',
  feature: 'due dates',
  description: 'Dates for todos.',
  technicalRequirements: ['no new dependencies'],
  qualityChecks: { test: 'node --test', lint: 'npm run lint' },
  stories: [
    {
      id: 'US-002',
      title: 'Parse dates',
      description: 'As a user I type "tomorrow".',
      acceptanceCriteria: ['"fri" is Friday', 'two\nlines'],
      verificationSteps: [
        {
          type: 'shell',
          name: 'cli',
          command: 'node cli.js',
          cwd: 'bin',
          expectOutputContains: ['ok'],
          expectFilesGlob: ['*.db'],
        },
        { type: 'file_exists', path: 'a.txt' },
        { type: 'file_exists', path: 'b/*.txt', glob: true },
        { type: 'url', url: 'http://localhost:1/x', expectBodyContains: ['hi'] },
      ],
    },
  ],
});
const [story] = prd.stories;
if (story === undefined) throw new Error('no story');

const first: PromptInputs = {
  workspacePath: '/repo/.codetether-worktrees/due-dates/US-002',
  prd,
  story,
  attempt: 1,
  instructions: [],
  otherInstructions: [],
  progress: '',
  learnings: [],
  feedback: null,
  conflict: null,
};

test('a first attempt gets the story and nothing else', () => {
  expect(buildStoryPrompt(first)).toBe(`# Project todo: due dates

Dates for todos.

## Technical requirements

- no new dependencies

## Checks that must be green when you are done

- lint: \`npm run lint\`
- test: \`node --test\`

# Story US-002: Parse dates

As a user I type "tomorrow".

## Acceptance criteria

- "fri" is Friday
- two
  lines

## Verified afterwards by

- cli: \`node cli.js\` in bin ends with 0, its output contains "ok", files match *.db
- there is a.txt
- files match b/*.txt
- GET http://localhost:1/x answers 200, with "hi" in it

Implement story US-002 now.
`);
});

test('a later attempt is told what failed, with the end of its output', () => {
  const prompt = buildStoryPrompt({
    ...first,
    attempt: 3,
    progress: 'old entry\n',
    learnings: ['Learning: dates are UTC'],
    feedback: {
      reason: 'gate-failed',
      message: 'gate test: 1 of 14',
      check: { name: 'test', command: 'node --test', where: 'merged', exitCode: 1, output: 'not ok\n```\n' },
    },
  });
  expect(prompt).toContain('# Story US-002: Parse dates (attempt 3)\n');
  expect(prompt).toContain('## What those before you noted\n\n- Learning: dates are UTC\n');
  expect(prompt).toContain('## The end of progress.txt\n\nold entry\n');
  expect(prompt).toContain(`## The last attempt

It did not pass (gate-failed): gate test: 1 of 14

Output of test, \`node --test\` (exit code 1), on the tree merged with the other stories:

\`\`\`\`
not ok
\`\`\`
\`\`\`\`

Implement story US-002 now.
`);
  const plain = buildStoryPrompt({
    ...first,
    attempt: 2,
    feedback: { reason: 'max-steps', message: '50 steps', check: null },
  });
  expect(plain).toContain('It did not pass (max-steps): 50 steps\n\nImplement');
});

test('an attempt after others that went round in circles is told the diagnosis', () => {
  const diagnosis = 'Attempts 1 and 2 left exactly the same files.';
  const feedback = { reason: 'max-steps', message: '50 steps', diagnosis, check: null };
  const prompt = buildStoryPrompt({ ...first, attempt: 3, feedback });
  expect(prompt).toContain(
    'It did not pass (max-steps): 50 steps\n\nThe attempts at this story go round in circles. Before you change anything, ' +
      'find out why what was tried cannot work; then do something else. When the same comes out once more, the story is ' +
      'given up. Attempts 1 and 2 left exactly the same files.\n\nImplement',
  );
});

test('the system prompt gives instructions from far to near and the workspace last', () => {
  const prompt = buildSystemPrompt({
    ...first,
    instructions: [
      { path: 'AGENTS.md', text: 'root rules\n', cutCharacters: 12 },
      { path: 'web/AGENTS.md', text: 'web rules', cutCharacters: 0 },
    ],
    otherInstructions: ['docs/AGENTS.md'],
  });
  expect(prompt.endsWith('\n\nWorkspace: /repo/.codetether-worktrees/due-dates/US-002\n')).toBe(true);
  expect(prompt).toContain(
    '# Instructions of the repository: AGENTS.md\n\nroot rules\n\n[… 12 more characters of AGENTS.md cut; read the file for them]',
  );
  expect(prompt.indexOf('root rules')).toBeLessThan(prompt.indexOf('web rules'));
  expect(prompt).toContain('- docs/AGENTS.md');
  for (const rule of ['Nobody answers what you write', 'Do not commit', 'progress.txt', 'Learning:', 'Never weaken'])
    expect(prompt).toContain(rule);
});

test('stories of one run share all but the end of their system prompt', () => {
  const a = buildSystemPrompt(first);
  const b = buildSystemPrompt({ ...first, workspacePath: '/elsewhere' });
  expect(a.slice(0, a.indexOf('Workspace: '))).toBe(b.slice(0, b.indexOf('Workspace: ')));
});

test('an attempt that resolves a conflict gets the files and both diffs, and is asked for nothing else', () => {
  const text = buildStoryPrompt({
    ...first,
    conflict: { files: ['a.txt'], branchDiff: '-x\n+one', storyDiff: '-x\n+```two' },
  });
  expect(text).toContain('both changed these files at the same places:\n- a.txt');
  expect(text).toContain('What the run branch did:\n\n```diff\n-x\n+one\n```');
  expect(text).toContain('What the story did:\n\n````diff\n-x\n+```two\n````');
  expect(text).toContain(`Resolve the conflicts of story ${first.story.id} now.`);
  expect(text).not.toContain('Implement story');
});
