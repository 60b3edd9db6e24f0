/** A run as workflow and store write it: its events, and the snapshot that the API gives after any of them. */
import type { RunDetailView, StoryView } from '../../domain/contracts/api.ts';
import type { RunEvent, RunEventBody, RunEventKind } from '../../domain/run/events.ts';

export const firstRun: RunDetailView = {
  runId: 'ralph:todo-cli-1f2e3d:due-dates',
  kind: 'ralph',
  status: 'starting',
  project: 'todo-cli',
  feature: 'add due dates',
  repoPath: '/home/ada/todo-cli',
  prdPath: '/home/ada/todo-cli/prd.json',
  branch: 'feature/due-dates',
  base: null,
  tip: null,
  remote: null,
  hostId: 'host-1',
  model: 'scripted/script.yaml',
  execution: 1,
  passed: 0,
  total: 5,
  maxCostUsd: 5,
  maxTokens: null,
  maxTimeMs: null,
  spentUsd: 0,
  spentTokens: 0,
  reservedUsd: 0,
  reservedTokens: 0,
  maxTotalSteps: null,
  steps: 0,
  leftUsd: 5,
  leftTokens: null,
  leftSteps: null,
  spending: [],
  message: '',
  approvals: [],
  waits: [],
  disk: null,
  createdAt: '2026-03-01T12:04:30.000Z',
  startedAt: '2026-03-01T12:04:31.000Z',
  endedAt: null,
  headSeq: 0,
  uiUrl: null,
  flakyGates: [],
  redGates: [],
  stories: [
    storyView('US-001', 'Store due dates', []),
    storyView('US-002', 'Parse "tomorrow", "fri"', ['US-001']),
    storyView('US-003', 'Overdue in red', ['US-001']),
    storyView('US-004', 'Export to iCal', ['US-002']),
    storyView('US-005', 'Sync', ['US-003']),
  ],
};

export function storyView(storyId: string, title: string, dependsOn: readonly string[]): StoryView {
  return {
    storyId,
    title,
    status: 'open',
    priority: 1,
    dependsOn: [...dependsOn],
    attempts: 0,
    commit: null,
    problem: null,
    usage: { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, costUsd: 0 },
    durationMs: 0,
  };
}

let seq = 0;
const startMs = Date.parse('2026-03-01T12:04:31.000Z');

/** `'US-002:1'` is story and attempt; null for events of the run. */
function event<K extends RunEventKind>(kind: K, of: string | null, body: RunEventBody<K>): RunEvent {
  seq += 1;
  const [storyId = null, attempt] = of?.split(':') ?? [];
  const at = new Date(startMs + seq * 1_000).toISOString();
  return { seq, at, storyId, attempt: attempt === undefined ? null : Number(attempt), kind, body } as RunEvent;
}

const think = (of: string, step: number) => event('step-started', of, { step, label: 'thinking…' });
const answer = (of: string, step: number, toolCalls: string[]) =>
  event('model-answered', of, {
    step,
    inputTokens: 4_000,
    outputTokens: 500,
    costUsd: 0.02,
    durationMs: 900,
    text: 'Done.',
    toolCalls,
  });
const gate = (of: string, name: string, ok: boolean, where: 'workspace' | 'merged' = 'workspace') =>
  event('gate-ended', of, {
    gate: name,
    where,
    ok,
    verdict: ok ? 'ok' : 'red',
    exitCode: ok ? 0 : 1,
    durationMs: 800,
    summary: ok ? '' : '1 of 14 tests (parse.test.js)',
  });
const passed = (of: string, commit: string) =>
  event('story-passed', of, {
    commit,
    attempts: Number(of.split(':')[1]),
    durationMs: 48_000,
    tokens: 9_000,
    costUsd: 0.04,
    filesChanged: 2,
  });
const started = (of: string, title: string) => event('story-started', of, { title });

/** Two stories pass (one at its second attempt), one fails and blocks another. */
export const events: readonly RunEvent[] = [
  event('run-started', null, {
    execution: 1,
    project: 'todo-cli',
    feature: 'add due dates',
    branch: 'feature/due-dates',
    base: '4d5e6f7a8b9c0d1e2f3a4d5e6f7a8b9c0d1e2f3a',
    model: 'scripted/script.yaml',
    gates: ['lint', 'test'],
    total: 5,
    passed: 0,
    maxIterations: 20,
    maxConcurrent: 4,
    maxCostUsd: 5,
    maxTokens: null,
    maxTimeMs: null,
    uiUrl: 'http://127.0.0.1:8233/namespaces/default/workflows/ralph%3Atodo-cli-1f2e3d%3Adue-dates',
  }),
  event('baseline-gate-ended', null, {
    gate: 'lint',
    ok: true,
    verdict: 'ok',
    exitCode: 0,
    durationMs: 700,
    summary: '',
  }),
  event('baseline-gate-ended', null, {
    gate: 'test',
    ok: true,
    verdict: 'ok',
    exitCode: 0,
    durationMs: 900,
    summary: '',
  }),
  started('US-001:1', 'Store due dates'),
  think('US-001:1', 1),
  answer('US-001:1', 1, ['write']),
  event('step-started', 'US-001:1', { step: 1, label: 'write src/due.js' }),
  event('tool-ended', 'US-001:1', { step: 1, tool: 'write', label: 'write src/due.js', ok: true, durationMs: 8 }),
  think('US-001:1', 2),
  answer('US-001:1', 2, []),
  gate('US-001:1', 'lint', true),
  gate('US-001:1', 'test', true),
  gate('US-001:1', 'lint', true, 'merged'),
  gate('US-001:1', 'test', true, 'merged'),
  passed('US-001:1', 'a1b2c3d4e5f60718293a4b5c6d7e8f9012345678'),
  started('US-002:1', 'Parse "tomorrow", "fri"'),
  started('US-003:1', 'Overdue in red'),
  think('US-002:1', 1),
  answer('US-002:1', 1, []),
  gate('US-002:1', 'lint', true),
  gate('US-002:1', 'test', false),
  event('attempt-failed', 'US-002:1', {
    reason: 'gate-failed',
    message: 'gate test: 1 of 14 tests (parse.test.js)',
    triesLeft: 2,
    durationMs: 31_000,
  }),
  event('step-started', 'US-003:1', { step: 1, label: 'bash npm test' }),
  event('step-output', 'US-003:1', { step: 1, line: 'not ok 3 - overdue is red' }),
  started('US-002:2', 'Parse "tomorrow", "fri"'),
  event('run-paused', null, {}),
  event('run-resumed', null, {}),
  event('worker-recovered', null, { interrupted: 1 }),
  event('tool-interrupted', 'US-003:1', { step: 1, tool: 'bash', rerun: false }),
  think('US-002:2', 1),
  answer('US-002:2', 1, []),
  gate('US-002:2', 'lint', true),
  gate('US-002:2', 'test', true),
  gate('US-002:2', 'lint', true, 'merged'),
  gate('US-002:2', 'test', true, 'merged'),
  passed('US-002:2', '9f8e7d6c5b4a39281706f5e4d3c2b1a098765432'),
  started('US-004:1', 'Export to iCal'),
  event('attempt-failed', 'US-003:1', {
    reason: 'max-steps',
    message: 'not finished after 50 steps',
    triesLeft: 0,
    durationMs: 62_000,
  }),
  event('story-failed', 'US-003:1', {
    message: 'not finished after 50 steps',
    attempts: 1,
    workspace: '/home/ada/todo-cli/.codetether-worktrees/us-003',
  }),
  think('US-004:1', 1),
  event('story-blocked', 'US-005', { by: ['US-003'] }),
  event('run-ended', null, {
    outcome: 'quality-failed',
    message: '3 of 5 stories did not pass',
    passed: 2,
    total: 5,
    branch: 'feature/due-dates',
    tip: '9f8e7d6c5b4a39281706f5e4d3c2b1a098765432',
    commits: 2,
    tokens: 18_000,
    costUsd: 0.08,
    durationMs: 544_000,
  }),
];

/** What the API answers after the event `headSeq`: the store's projection, written anew and apart from the board. */
export function snapshotAt(headSeq: number): RunDetailView {
  const run = structuredClone(firstRun);
  run.headSeq = headSeq;
  for (const happened of events.filter((candidate) => candidate.seq <= headSeq)) project(run, happened);
  run.passed = run.stories.filter((story) => story.status === 'passed').length;
  return run;
}

function project(run: RunDetailView, happened: RunEvent): void {
  const { kind, body, at } = happened;
  if (kind === 'run-started')
    Object.assign(run, { status: 'running', base: body.base, startedAt: at, uiUrl: body.uiUrl });
  if (kind === 'run-paused') run.status = 'paused';
  if (kind === 'run-resumed') run.status = 'running';
  if (kind === 'model-answered') {
    run.spentTokens += body.inputTokens + body.outputTokens;
    run.spentUsd += body.costUsd;
  }
  if (kind === 'run-ended') {
    Object.assign(run, { status: body.outcome, message: body.message, tip: body.tip, endedAt: at });
    for (const open of run.stories) if (open.status === 'running') open.status = 'open';
  }
  const story = run.stories.find((candidate) => candidate.storyId === happened.storyId);
  if (story === undefined) return;
  projectStory(story, happened);
  if (kind === 'story-passed') run.tip = body.commit;
}

function projectStory(story: StoryView, { kind, body, attempt }: RunEvent): void {
  if (kind === 'story-started') Object.assign(story, { status: 'running', attempts: attempt });
  if (kind === 'model-answered') {
    story.usage.inputTokens += body.inputTokens;
    story.usage.outputTokens += body.outputTokens;
    story.usage.costUsd += body.costUsd;
  }
  if (kind === 'attempt-failed' || kind === 'story-passed') story.durationMs += body.durationMs;
  if (kind === 'attempt-failed') Object.assign(story, { status: 'open', problem: body.message });
  if (kind === 'story-failed') story.status = 'failed';
  if (kind === 'story-blocked') story.status = 'blocked';
  if (kind === 'story-passed') Object.assign(story, { status: 'passed', commit: body.commit, problem: null });
}
