import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { preflightRalph, preflightReload } from '../../activities/ralph/preflight.ts';
import { createToolRegistry, toolCatalogue, type ToolRegistry } from '../../activities/tools/registry.ts';
import type { ToolContext, ToolOutcome } from '../../activities/tools/tool.ts';
import { createGit } from '../../activities/workspace/git.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { memoryToolSession } from '../support/tool-session.ts';
import { makeToolWorkspace, type ToolWorkspace } from '../support/tool-workspace.ts';
import { startApi, type TestApi } from './api-fixtures.ts';

let store: PostgresStore;
let api: TestApi;
let workspace: ToolWorkspace;
let registry: ToolRegistry;
/** Of a person's session in the repository's own checkout. */
let session: ToolContext;

withTestStore((opened) => {
  store = opened;
});

beforeEach(async () => {
  workspace = await makeToolWorkspace({ name: 'todo' });
  const searchPath = process.env['PATH'] ?? '';
  const deps = { hostId: 'host-1', git: createGit(workspace.processes), searchPath, checkModel: async () => undefined };
  api = await startApi(store, {
    preflight: async (request) => await preflightRalph(request, deps),
    readEditedPrd: async (run, { stories, allowUnchecked }) =>
      await preflightReload({ ...run, stories: stories.map(({ story }) => story) }, { allowUnchecked, searchPath }),
  });
  registry = createToolRegistry({ runs: { ...api.client, searchPath } });
  session = { ...workspace.context, workspace: { root: top(), mainCheckout: null }, branch: null };
});
afterEach(async () => {
  await api.close();
  workspace.remove();
});

const top = () => workspace.repository.top;
const file = (name = 'prd.json') => readFileSync(path.join(top(), name), 'utf8');
const call = (name: string, given: object, context = session): Promise<ToolOutcome> =>
  registry.call(name, given, context);
const prd = (action: string, given: object = {}) => call('prd', { action, ...given });
const ralph = (action: string, given: object = {}) => call('ralph', { action, ...given });

const stories = [
  { title: 'Parse dates', description: 'In src/dates.ts.' },
  { title: 'Show dates', description: 'In src/list.ts.', depends_on: ['US-001'] },
  { title: 'Sort by date', description: 'In src/list.ts.', depends_on: ['US-001'] },
];

/** As an agent goes about it: makes a PRD, fills in what is missing, saves it. */
async function saved(more: object = {}): Promise<string> {
  const made = (await prd('generate', { feature: 'due dates', stories })).output;
  const content = { ...(JSON.parse(made) as object), quality_checks: { test: 'true' }, ...more };
  const outcome = await prd('save', { content });
  expect(outcome.ok, outcome.output).toBe(true);
  return JSON.stringify(content, null, 2);
}

test('a PRD is made of stories, with the gates of the repository', async () => {
  workspace.repository.write({ 'package.json': '{"scripts":{"test":"node --test","lint":"eslint ."}}' });
  const made = JSON.parse((await prd('generate', { feature: 'due dates', stories })).output) as Record<string, unknown>;
  expect(made).toMatchObject({
    project: 'todo',
    feature: 'due dates',
    branch_name: 'feature/due-dates',
    quality_checks: { lint: 'npm run lint', test: 'npm test' },
    user_stories: [
      { id: 'US-001', title: 'Parse dates', priority: 1, passes: false },
      { id: 'US-002', depends_on: ['US-001'] },
      { id: 'US-003' },
    ],
  });
  expect((await prd('generate', { feature: 'x' })).output).toContain('First story title');
  expect((await prd('generate')).output).toContain('needs the name of its feature');
  expect((await prd('validate', { content: made })).output).toMatch(/^usable: 3 stories/);
});

test('what is wrong with a PRD is said place by place, and so is what a run would refuse', async () => {
  const content = {
    project: 'p',
    feature: 'f',
    user_stories: [{ id: 'A', title: 'a', description: '', depends_on: ['B', 'A'] }],
  };
  const { ok, output } = await prd('validate', { content });
  expect(ok).toBe(false);
  expect(output).toContain('- user_stories[0].depends_on[0]: "B" is not a story');
  expect(output).toContain('- user_stories[0].depends_on[1]: "A" is the story itself');
  expect((await prd('validate', { content: '{"project": }' })).output).toContain('1:13: expected');
  expect((await prd('validate')).output).toContain('There is no PRD file');
  const one = { project: 'p', feature: 'f', user_stories: [{ id: 'A', title: 'a', description: 'a' }] };
  expect((await prd('validate', { content: one })).output).toContain('a run would be refused: nothing checks A');
  const gated = { ...one, quality_checks: { test: 'no-such-program' } };
  expect((await prd('validate', { content: gated })).output).toContain(
    'a run would be refused: quality_checks.test (no-such-program): there is no command no-such-program',
  );
  expect((await prd('validate', { path: '../prd.json' })).output).toContain('is not inside the workspace');
});

test('an analysis shows the stages, what goes side by side, and what would change the same files', async () => {
  await saved();
  expect((await prd('analyze')).output.split('\n').slice(0, 9)).toEqual([
    'todo, due dates: 3 stories, branch feature/due-dates',
    'gates: test (true)',
    '2 stages after one another; at most 1 stories side by side',
    'stage 1',
    '  US-001  Parse dates',
    'stage 2',
    '  US-002  Show dates, after US-001',
    '  US-003  Sort by date, after US-001',
    '  US-003 waits for US-002: both are likely to change src/list.ts',
  ]);
});

test('only what is valid is saved, over nothing that is there unasked, and not by the agent of a story', async () => {
  const text = await saved();
  expect(file()).toBe(`${text}\n`);
  expect((await prd('save', { content: text })).output).toContain('has this content already');
  expect((await prd('save', { content: '{}' })).output).toContain('The PRD is not usable');
  const other = text.replace('due dates', 'dates');
  expect((await prd('save', { content: other })).output).toContain('is there already; save it with replace');
  expect(file()).toBe(`${text}\n`);
  expect((await prd('save', { content: other, replace: true })).output).toContain('replaced prd.json: 3 stories');
  expect(file()).toBe(`${other}\n`);
  expect((await prd('save', { content: text, path: '../x.json' })).ok).toBe(false);
  const inStory = await call('prd', { action: 'save', content: text }, workspace.context);
  expect(inStory).toMatchObject({ ok: false });
});

test('a run is started once, works under the cap that it was given, and is shown', async () => {
  await saved();
  const first = await ralph('run', { max_cost: 5 });
  expect(first.output).toContain('is started: 0 of 3 stories have passed, branch feature/due-dates');
  const [start] = api.engine.starts;
  expect(start?.options).toMatchObject({ maxCostUsd: 5, model: 'openai/x', onAsk: 'deny' });
  expect((await ralph('run', { max_cost: 5 })).output).toContain('is being worked on already');
  expect(api.engine.starts).toHaveLength(1);
  const shown = (await ralph('status')).output;
  expect(shown).toContain(`${start?.runId}, execution 1: starting, 0 of 3 stories passed, $0.00 of $5 spent`);
  expect(shown).toContain('US-002 Show dates [waits for US-001]');
  expect((await ralph('status', { run_id: start?.runId })).output).toBe(shown);
  expect((await ralph('status', { prd_path: 'other.json' })).output).toContain('there is no run of other.json');
});

test('a run costs a person’s yes and a cap; nobody else starts one', async () => {
  await saved();
  expect(registry.describe('ralph', { action: 'run', max_cost: 5 }).ask).toEqual({
    why: 'it starts a run of prd.json that may spend $5, besides what this session spends',
    isSafe: false,
  });
  expect((await ralph('run')).output).toContain('run needs max_cost');
  const story = await call('ralph', { action: 'run', max_cost: 1 }, workspace.context);
  expect(story.output).toContain('a story of a run starts no run of its own');
  const started = { ...session, session: { ...memoryToolSession(), id: 'session:1:agent:c1' } };
  expect((await call('ralph', { action: 'run', max_cost: 1 }, started)).output).toContain('starts no runs');
  workspace.repository.write({ '.gitignore': 'changed\n' });
  expect((await ralph('run', { max_cost: 1 })).output).toContain('has uncommitted changes. [repository-dirty]');
  expect(api.engine.starts).toEqual([]);
  const { definitions, sessionDefinitions } = toolCatalogue(registry, 'full');
  const names = (tools: typeof definitions) => tools.map(({ name }) => name).filter((name) => name === 'ralph');
  expect([names(definitions), names(sessionDefinitions)]).toEqual([[], ['ralph']]);
});

test('the PRD of a run that goes on is written over only to be followed', async () => {
  const text = await saved();
  await ralph('run', { max_cost: 5 });
  const edited = text.replace('Sort by date', 'Sort by due date');
  const refused = await prd('save', { content: edited, replace: true });
  expect(refused.output).toContain('is being worked on with prd.json; save it with reload');
  expect(file()).toBe(`${text}\n`);
  expect(registry.describe('prd', { action: 'save', reload: true })).toMatchObject({
    risk: 'shell',
    ask: { isSafe: false },
  });
  const reloaded = await prd('save', { content: edited, reload: true });
  expect(reloaded.ok, reloaded.output).toBe(true);
  expect(reloaded.output).toContain('goes on with it: 0 added, 1 changed, 0 removed');
  expect(api.engine.reloads).toHaveLength(1);
  expect(file()).toBe(`${edited}\n`);
  const unchecked = JSON.stringify({ ...(JSON.parse(edited) as object), quality_checks: { test: 'no-such-program' } });
  const broken = await prd('save', { content: unchecked, reload: true });
  expect(broken.ok).toBe(false);
  expect(broken.output).toContain('goes on with what it had');
  expect(api.engine.reloads).toHaveLength(1);
});

test('a template is written once', async () => {
  expect((await ralph('create-prd', { feature: 'due dates' })).output).toContain('created prd.json');
  expect(file()).toContain('First story title');
  writeFileSync(path.join(top(), 'prd.json'), 'mine');
  expect((await ralph('create-prd', { feature: 'due dates' })).ok).toBe(false);
  expect(file()).toBe('mine');
});

test('without the API nothing is started, and the model is told', async () => {
  await saved();
  await api.app.close();
  expect((await ralph('run', { max_cost: 5 })).output).toContain('[api-unreachable]');
});
