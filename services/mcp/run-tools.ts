import { z } from 'zod';
import {
  CheckLogView,
  ReloadResponse,
  ReloadRunRequest,
  ResumeRequest,
  ResumeResponse,
  RollbackResponse,
  RollbackStoryRequest,
  RunDetailView,
  RunEventView,
  RunListView,
  RunPrdView,
  StartRunRequest,
  StartRunResponse,
  SteerResponse,
  StoryDetailView,
  TellStoryRequest,
} from '../../domain/contracts/api.ts';
import { isActive } from '../../domain/run/status.ts';
import { readEvents } from './read-events.ts';
import { RunInput, mcpTool, waitMs } from './tool.ts';
import type { McpTool } from './tool.ts';
import { waitForRun } from './waiting.ts';

const StoryInput = RunInput.extend({ storyId: z.string().min(1).max(100).describe('Id of the story, such as US-001') });
/** A page of an event log; give `next` as `afterSeq` to read on. */
export const EventPage = z.object({ events: z.array(RunEventView), next: z.number(), headSeq: z.number() });
export const eventPage = {
  afterSeq: z.number().int().nonnegative().default(0).describe('Only events after this one'),
  limit: z.number().int().positive().max(500).default(100),
};
const longestLog = 200_000;

const start = mcpTool({
  name: 'start_run',
  title: 'Start a run',
  description:
    'Starts a Ralph run: agents work through the stories of a PRD file until its checks are green, durably. ' +
    'A run of the same PRD that goes on is attached to; dryRun checks everything and starts nothing. Follow it with wait_for_run.',
  input: StartRunRequest.omit({ kind: true }),
  output: StartRunResponse,
  effect: 'work',
  repeatable: true,
  permission: 'runs:write',
  run: async (input, { client }) => await client.startRun({ kind: 'ralph', ...input }),
});

const list = mcpTool({
  name: 'list_runs',
  title: 'List runs',
  description: 'Runs with status, progress and spending, newest first.',
  input: z.strictObject({ limit: z.number().int().positive().max(500).default(20) }),
  output: RunListView,
  effect: 'read',
  permission: 'runs:read',
  run: async (input, { client }) => await client.listRuns(input),
});

const get = mcpTool({
  name: 'get_run',
  title: 'Look at a run',
  description: 'One run with its stories, what it asks people, what it waits for, and what it has spent.',
  input: RunInput,
  output: RunDetailView,
  effect: 'read',
  permission: 'runs:read',
  run: async ({ runId }, { client }) => await client.getRun(runId),
});

const prd = mcpTool({
  name: 'get_run_prd',
  title: "Read a run's PRD",
  description: 'The PRD as the run follows it now.',
  input: RunInput,
  output: RunPrdView,
  effect: 'read',
  permission: 'runs:read',
  run: async ({ runId }, { client }) => await client.getPrd(runId),
});

const wait = mcpTool({
  name: 'wait_for_run',
  title: 'Wait for a run',
  description:
    'Waits until the run has ended or waitMs are over, and reports progress. Giving up the wait does not touch the run; a further call finds it where it is.',
  input: RunInput.extend({ waitMs: waitMs.default(50_000) }),
  output: z.object({ ended: z.boolean(), run: RunDetailView }),
  effect: 'read',
  permission: 'runs:read',
  run: async (input, call) => {
    const run = await waitForRun(call, input.runId, input.waitMs);
    return { ended: !isActive(run.status), run };
  },
});

const events = mcpTool({
  name: 'get_run_events',
  title: "Read a run's events",
  description: 'What has happened in a run, in order, after an event that was seen; does not wait for more.',
  input: RunInput.extend(eventPage),
  output: EventPage,
  effect: 'read',
  permission: 'runs:read',
  run: async ({ runId, ...page }, { client, signal }) => {
    const { headSeq } = await client.getRun(runId);
    return await readEvents((options) => client.events(runId, { ...options, signal }), { ...page, headSeq });
  },
});

const story = mcpTool({
  name: 'get_story',
  title: 'Look at a story',
  description:
    'One story of a run: its attempts, every check with its verdict, and what red checks of the newest attempt wrote.',
  input: StoryInput,
  output: StoryDetailView,
  effect: 'read',
  permission: 'runs:read',
  run: async ({ runId, storyId }, { client }) => await client.getStory(runId, storyId),
});

const log = mcpTool({
  name: 'get_check_log',
  title: "Read a check's log",
  description: 'All that one check of a story wrote, or its end.',
  input: StoryInput.extend({
    log: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .describe("`log` of one of the story's checks, see get_story"),
    lastCharacters: z.number().int().positive().max(longestLog).default(16_384),
  }),
  output: CheckLogView.extend({ omittedCharacters: z.number() }),
  effect: 'read',
  permission: 'runs:read',
  run: async ({ runId, storyId, log, lastCharacters }, { client }) => {
    const whole = (await client.getCheckLog(runId, storyId, log)).log;
    return { log: whole.slice(-lastCharacters), omittedCharacters: Math.max(0, whole.length - lastCharacters) };
  },
});

const steering = (
  [
    ['pause', 'change', 'Pause a run', 'No further story or step is begun until the run is resumed.'],
    ['stop', 'change', 'Stop a run', 'Stories under way are ended at their next step; the run can be resumed later.'],
    ['cancel', 'remove', 'Cancel a run', 'Ends the run and the work of its agents at once; what has passed stays.'],
  ] as const
).map(([verb, effect, title, description]) =>
  mcpTool({
    name: `${verb}_run`,
    title,
    description,
    input: RunInput,
    output: SteerResponse,
    effect,
    repeatable: true,
    permission: 'runs:write',
    run: async ({ runId }, { client }) => await client.steer(runId, verb),
  }),
);

const resume = mcpTool({
  name: 'resume_run',
  title: 'Resume a run',
  description: 'A paused run goes on; one that has ended starts again with what has not passed. May set new caps.',
  input: RunInput.extend(ResumeRequest.shape),
  output: ResumeResponse,
  effect: 'work',
  repeatable: true,
  permission: 'runs:write',
  run: async ({ runId, ...caps }, { client }) => await client.resume(runId, caps),
});

const reload = mcpTool({
  name: 'reload_run',
  title: 'Follow the edited PRD',
  description: 'The run follows its PRD file as it is now; dryRun only says what would change.',
  input: RunInput.extend(ReloadRunRequest.shape),
  output: ReloadResponse,
  effect: 'change',
  repeatable: true,
  permission: 'runs:write',
  run: async ({ runId, ...request }, { client }) => await client.reload(runId, request),
});

const nudge = mcpTool({
  name: 'nudge_story',
  title: "Tell a story's agent something",
  description: 'The agent that works on the story is told before its next step.',
  input: StoryInput.extend(TellStoryRequest.shape),
  output: ResumeResponse,
  effect: 'change',
  permission: 'runs:write',
  run: async ({ runId, storyId, text }, { client }) => await client.tellStory(runId, storyId, 'nudge', text),
});

const retry = mcpTool({
  name: 'retry_story',
  title: 'Retry a failed story',
  description: 'Opens a failed story again, with a hint for its agent; a run that has ended starts again.',
  input: StoryInput.extend({ text: TellStoryRequest.shape.text.default('').describe('A hint for the agent') }),
  output: ResumeResponse,
  effect: 'work',
  permission: 'runs:write',
  run: async ({ runId, storyId, text }, { client }) => await client.tellStory(runId, storyId, 'retry', text),
});

const rollback = mcpTool({
  name: 'rollback_story',
  title: 'Roll a story back',
  description:
    'Reverts the commits of a passed story on the run branch, with those that depend on it when cascade is set. Returns when it is under way; it ends with story-rolled-back or rollback-failed after afterSeq.',
  input: StoryInput.extend(RollbackStoryRequest.shape),
  output: RollbackResponse,
  effect: 'remove',
  permission: 'runs:write',
  run: async ({ runId, storyId, ...request }, { client }) => await client.rollBack(runId, storyId, request),
});

export const runTools: readonly McpTool[] = [
  start,
  list,
  get,
  prd,
  wait,
  events,
  story,
  log,
  ...steering,
  resume,
  reload,
  nudge,
  retry,
  rollback,
];
