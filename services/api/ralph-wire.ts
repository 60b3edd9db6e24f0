/** Between runs of ours and the wire format of `/v1/ralph`. */
import type { RalphLogView, RalphRunStatus, RalphRunView } from '../../domain/contracts/ralph-api.ts';
import type { RunRecord, StoryRecord } from '../../domain/contracts/store.ts';
import type { RunEvent, RunEventKind } from '../../domain/run/events.ts';
import type { RunStatus } from '../../domain/run/status.ts';

export const logKinds = [
  'run-started',
  'baseline-gate-ended',
  'story-started',
  'gate-ended',
  'attempt-failed',
  'story-passed',
  'story-failed',
  'story-blocked',
  'story-rolled-back',
  'approval-requested',
  'model-waiting',
  'run-paused',
  'run-resumed',
  'run-stopping',
  'warning',
  'run-ended',
] as const satisfies readonly RunEventKind[];

/** Statuses of a run by that of ours. */
const statuses: { readonly [status in RunStatus]: RalphRunStatus } = {
  starting: 'pending',
  running: 'running',
  paused: 'running',
  stopping: 'running',
  completed: 'completed',
  'quality-failed': 'failed',
  'max-iterations': 'failed',
  'budget-exceeded': 'failed',
  stopped: 'cancelled',
  cancelled: 'cancelled',
  error: 'failed',
};

export function ralphStatus(status: RunStatus): RalphRunStatus {
  return statuses[status];
}

export function ralphRunView(
  run: RunRecord,
  more: {
    readonly stories: readonly StoryRecord[];
    readonly codebaseId: string | null;
    readonly logs: readonly RalphLogView[];
  },
): RalphRunView {
  const { prd, options } = run;
  const status = ralphStatus(run.status);
  return {
    id: run.runId,
    prd: {
      project: prd.project,
      branchName: run.branch,
      description: prd.description === '' ? prd.feature : prd.description,
      userStories: more.stories.map(({ story: { id, title, description, acceptanceCriteria, priority } }) => ({
        id,
        title,
        description,
        acceptanceCriteria,
        priority,
      })),
    },
    codebase_id: more.codebaseId,
    model: options.model,
    status,
    max_iterations: options.maxIterations,
    current_iteration: more.stories.reduce((sum, { tries }) => sum + tries, 0),
    run_mode: options.maxConcurrent === 1 ? 'sequential' : 'parallel',
    max_parallel: options.maxConcurrent,
    story_results: more.stories.filter(({ attempts, status: own }) => attempts > 0 || own !== 'open').map(storyResult),
    logs: [...more.logs],
    created_at: run.createdAt.toISOString(),
    started_at: run.startedAt.toISOString(),
    completed_at: run.endedAt?.toISOString() ?? null,
    error: status === 'failed' && run.outcomeMessage !== '' ? run.outcomeMessage : null,
  };
}

const storyStatuses = {
  open: 'pending',
  running: 'running',
  passed: 'passed',
  failed: 'failed',
  blocked: 'skipped',
} as const satisfies { readonly [status in StoryRecord['status']]: string };

function storyResult(story: StoryRecord): RalphRunView['story_results'][number] {
  return {
    story_id: story.story.id,
    status: storyStatuses[story.status],
    task_id: null,
    iteration: story.attempts,
    result: story.commit,
    error: story.status === 'passed' ? null : (story.feedback?.message ?? null),
    started_at: story.startedAt?.toISOString() ?? null,
    completed_at: story.endedAt?.toISOString() ?? null,
  };
}

/** Undefined for an event that no line tells of. */
export function ralphLog(event: RunEvent): RalphLogView | undefined {
  const said = lineOf(event);
  if (said === undefined) return undefined;
  const [type, message] = said;
  return { id: event.seq, timestamp: event.at, type, message, story_id: event.storyId };
}

function lineOf(event: RunEvent): readonly [RalphLogView['type'], string] | undefined {
  const { kind, body } = event;
  const story = event.storyId ?? '';
  if (kind === 'run-started')
    return [
      'info',
      `Starting ${body.project} on ${body.branch}: ${body.total} stories, ${body.maxConcurrent} at a time`,
    ];
  if (kind === 'baseline-gate-ended') return ['info', `${body.gate} before the run: ${body.verdict}`];
  if (kind === 'story-started') return ['story_start', `Starting ${story}: ${body.title}`];
  if (kind === 'gate-ended') return [body.ok ? 'info' : 'error', `${story}: ${body.gate} ${body.verdict}`];
  if (kind === 'attempt-failed') return ['error', `${story}: ${body.message}`];
  if (kind === 'story-passed') return ['story_pass', `${story} PASSED: ${body.commit.slice(0, 10)}`];
  if (kind === 'story-failed') return ['story_fail', `${story} FAILED: ${body.message}`];
  if (kind === 'story-blocked') return ['story_fail', `${story} is blocked by ${body.by.join(', ')}`];
  if (kind === 'story-rolled-back') return ['info', `${story} was taken off the run branch`];
  if (kind === 'approval-requested') return ['info', `A person is asked: ${body.question}`];
  if (kind === 'model-waiting') return ['info', `Waiting for ${body.provider}: ${body.message}`];
  if (kind === 'run-paused') return ['info', 'Paused'];
  if (kind === 'run-resumed') return ['info', 'Goes on'];
  if (kind === 'run-stopping') return ['info', body.mode === 'cancel' ? 'Being cancelled' : 'Being stopped'];
  if (kind === 'warning') return ['info', body.message];
  if (kind !== 'run-ended') return undefined;
  const { outcome, passed, total, message } = body;
  const line = `Ralph ${outcome}: ${passed}/${total} stories passed${message === '' ? '' : `; ${message}`}`;
  return [outcome === 'completed' ? 'complete' : statuses[outcome] === 'failed' ? 'error' : 'info', line];
}

/** How a story stands after an event of that kind. */
const storyChanges: {
  readonly [kind in RunEventKind]?: (typeof storyStatuses)[keyof typeof storyStatuses];
} = {
  'story-started': 'running',
  'story-passed': 'passed',
  'story-failed': 'failed',
  'story-blocked': 'skipped',
  'attempt-failed': 'pending',
  'story-reopened': 'pending',
  'story-rolled-back': 'pending',
};

/**
 * What a stream of the platform tells of one event: `log`, `status`, `story`, `output`, `done`, each with the event's seq as its id, so that a
 * reader that comes back goes on after it. Empty for an event that it does not tell of.
 */
export function ralphFrames(event: RunEvent): string {
  const { kind, body, storyId, attempt } = event;
  const told: (readonly [string, object])[] = [];
  const log = ralphLog(event);
  if (log !== undefined) told.push(['log', log]);
  const status = storyChanges[kind];
  if (status !== undefined) told.push(['story', { story_id: storyId, status, iteration: attempt }]);
  if (kind === 'step-output') told.push(['output', { story_id: storyId, output: body.line }]);
  if (kind === 'tool-ended') told.push(['output', { story_id: storyId, output: body.label }]);
  if (kind === 'run-started' || kind === 'run-resumed') told.push(['status', { status: 'running' }]);
  if (kind === 'run-ended') {
    const ended = { status: statuses[body.outcome] };
    told.push(['status', ended], ['done', { ...ended, message: body.message }]);
  }
  // Whoever is cut off between two of them gets both again.
  return told
    .map(([name, data], index) => {
      const id = index === told.length - 1 ? `id: ${event.seq}\n` : '';
      return `${id}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
    })
    .join('');
}
