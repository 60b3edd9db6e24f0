import { basename, dirname } from 'node:path';
import type {
  AttemptRef,
  ToolActivities,
  ToolCallInput,
  ToolCallResult,
  ToolRisk,
} from '../../domain/contracts/activities.ts';
import type { Store, WorkspaceRecord } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { OwnPrices } from '../../domain/model/prices.ts';
import type { NewRunEvent } from '../../domain/run/events.ts';
import { changesNothing } from '../../domain/run/risk.ts';
import { attemptId, toolCallKey, whoseStep, workspaceId } from '../../domain/run/ids.ts';
import type { Skill } from '../../domain/session/extensions.ts';
import { mayCall } from '../../domain/session/agents.ts';
import { mayRepeat, repeatsNotice, repeatsOf, repeatsToTell } from '../../domain/session/repetition.ts';
import type { ToolDeeds } from '../../domain/session/turn-facts.ts';
import type { NewSessionEvent, RequestedToolCall, SessionEvent } from '../../domain/session/transcript.ts';
import { beginOnce } from '../effects/ledger.ts';
import { startOutputLines } from '../model/output-lines.ts';
import { createScriptReader } from '../model/script-file.ts';
import { untilStored } from '../model/until-stored.ts';
import { createQueues } from '../one-at-a-time.ts';
import type { RunCommand } from '../process/run-command.ts';
import { buildStoryPrompt, buildSystemPrompt } from '../ralph/prompt.ts';
import { readPromptInputs } from '../ralph/read-prompt-inputs.ts';
import { createCheckpoint, restoreCheckpoint } from '../workspace/checkpoint.ts';
import { requireWorkspace } from '../workspace/deps.ts';
import type { Git } from '../workspace/git.ts';
import { inWorktree, requireWorktree } from '../workspace/worktree.ts';
import { listFiles, listFolder } from './list-files.ts';
import { cleanLine, limitText, maxOutputCharacters, plainText } from './output-text.ts';
import { createToolRegistry, type ToolRegistry } from './registry.ts';
import { openToolSession } from './tool-session.ts';
import type { ToolContext, ToolOutcome } from './tool.ts';

export interface ToolActivitiesDeps {
  readonly store: Pick<
    Store,
    | 'getRun'
    | 'getStory'
    | 'listChecks'
    | 'getBlob'
    | 'readSession'
    | 'hasSessionEvent'
    | 'getSession'
    | 'appendSessionEvents'
    | 'appendRunEvents'
    | 'getWorkspace'
    | 'recordToolResult'
    | 'beginEffect'
    | 'getEffect'
    | 'openToolCalls'
    | 'settleEffect'
  >;
  readonly git: Git;
  readonly runCommand: RunCommand;
  /** The user's own, with windows; default: none. */
  readonly ownPrices?: () => Promise<OwnPrices>;
  /** Default: the tools that need nothing but the workspace. */
  readonly registry?: ToolRegistry;
  /** Skills for work in a folder; default: none. */
  readonly skills?: (folder: string) => Promise<readonly Skill[]>;
  /** Of the activity that is running: aborts when it is cancelled. */
  readonly cancellationSignal: () => AbortSignal;
}

/** A quick tool's start is written together with its end; one that takes longer is announced after this time. */
const announceAfterMs = 40;
const outputLineIntervalMs = 250;
/** Of an event. */
const mostFiles = 50;
const mostPathCharacters = 300;
/** Rows at the end of a transcript that hold a step's calls and results in all but the strangest cases. */
const usualTail = 64;

const interruptedOutput =
  'error: interrupted: the worker was lost while this command ran. The workspace was put back to the state before ' +
  'the command; whether it had effects outside the workspace is unknown. Look before you run it again.';

const interruptedInPlace =
  'error: interrupted: the worker was lost while this call ran. Whether it has done its work, or part of it, is unknown, and ' +
  'nothing was undone. Look before you do it again.';

/** See {@link ToolActivities}. */
export function createToolActivities(deps: ToolActivitiesDeps) {
  const { store, git } = deps;
  const { registry = createToolRegistry() } = deps;
  const sessions = {
    store,
    ownPrices: deps.ownPrices ?? (async () => ({})),
    scripts: createScriptReader(),
    toolBytes: Buffer.byteLength(JSON.stringify(registry.definitions('full'))),
  };
  /** A recovery waits for a call of the same workspace that this worker is still ending. */
  const inTurn = createQueues();

  return {
    async openSession(input) {
      const systemKey = `${input.sessionId}:system`;
      const storyKey = `${input.sessionId}:story`;
      if (await store.hasSessionEvent(input.sessionId, storyKey)) return;
      const workspace = await workspaceOf(input);
      const inputs = await readPromptInputs(
        { store, git },
        {
          ...input,
          workspacePath: workspace.path,
          base: workspace.base,
        },
      );
      await store.appendSessionEvents(input.sessionId, [
        { key: systemKey, kind: 'system', body: { text: buildSystemPrompt(inputs) } },
        { key: storyKey, kind: 'user', body: { text: buildStoryPrompt(inputs) } },
      ]);
    },

    async toolCall(input) {
      const call = await findCall(input);
      if (call.kind === 'recorded') return { ok: call.ok, durationMs: 0, repeats: await tellRepeats(input, call.rows) };
      const { risk, label } = registry.describe(call.request.name, call.request.args);
      const isAllowed = mayCall(input, { ...call.request, risk });
      const work = async () =>
        isAllowed ? await runCall(input, { request: call.request, risk, label }) : await refuse(input, call.request);
      const result = await (changesNothing(risk) ? work() : inTurn(workspaceId(input.runId, input.storyId), work));
      return { ...result, repeats: await tellRepeats(input, call.rows) };
    },

    async denyToolCall(input) {
      const call = await findCall(input);
      if (call.kind === 'recorded') return;
      await tellNotRun(input, call.request, `it was denied (${input.reason}). Do without it.`);
    },

    async recoverToolCall(input) {
      return inTurn(workspaceId(input.runId, input.storyId), async () => {
        const call = await findCall(input);
        if (call.kind === 'recorded') return { kind: 'recorded', isBegun: true };
        const { runId, storyId, attempt, step } = input;
        const key = toolCallKey(input.sessionId, step, input.callId);
        const isBegun = (await store.getEffect(key)) !== undefined;
        if (changesNothing(input.risk) || !isBegun) return { kind: 'rerun', isBegun };
        const workspace = await workspaceOf(input);
        const isUndone = workspace.kind === 'worktree';
        if (isUndone) await restoreCheckpoint(git, workspace);
        const rerun = isUndone && input.risk === 'write';
        const tool = cleanLine(call.request.name, 100);
        const event: NewRunEvent = {
          key: `${key}:interrupted`,
          kind: 'tool-interrupted',
          storyId,
          attempt,
          body: { ...whoseStep(input.sessionId), step, tool, rerun },
        };
        if (rerun) {
          await store.appendRunEvents(runId, [event]);
          await store.settleEffect(key, { state: 'interrupted' });
          return { kind: 'rerun', isBegun };
        }
        await store.recordToolResult({
          sessionId: input.sessionId,
          sessionEvent: resultEvent(
            key,
            call.request,
            { ok: false, output: isUndone ? interruptedOutput : interruptedInPlace },
            { files: [], commands: [] },
          ),
          workspaceId: workspace.workspaceId,
          checkpoint: null,
          runId,
          runEvents: [event],
          effect: { state: 'interrupted' },
        });
        return { kind: 'interrupted', isBegun };
      });
    },
  } satisfies ToolActivities;

  async function refuse(
    input: ToolCallInput,
    request: RequestedToolCall,
  ): Promise<Pick<ToolCallResult, 'ok' | 'durationMs'>> {
    const name = cleanLine(request.name, 100);
    const why =
      input.tools !== undefined && !mayCall({ tools: input.tools }, { ...request, risk: 'read' })
        ? `this agent has these tools: ${input.tools.join(', ')}`
        : input.isPlanning === true
          ? `${name} would change something, and this is plan mode. Go on planning without it; plan_exit asks whether the plan is to be carried out`
          : `${name} changes things, and this agent only reads`;
    await tellNotRun(input, request, why);
    return { ok: false, durationMs: 0 };
  }

  async function tellNotRun(input: ToolCallInput, request: RequestedToolCall, why: string): Promise<void> {
    const { runId, storyId, attempt, step } = input;
    const key = toolCallKey(input.sessionId, step, input.callId);
    const { label } = registry.describe(request.name, request.args);
    const output = `error: not run: ${why}`;
    await store.appendSessionEvents(input.sessionId, [resultEvent(key, request, { ok: false, output })]);
    const tool = cleanLine(request.name, 100);
    const ended = { ...whoseStep(input.sessionId), step, tool, label, ok: false, durationMs: 0 };
    await store.appendRunEvents(runId, [{ key: `${key}:end`, kind: 'tool-ended', storyId, attempt, body: ended }]);
  }

  async function workspaceOf(input: AttemptRef): Promise<WorkspaceRecord> {
    const workspace = await requireWorkspace(store, input);
    if (workspace.attempt === input.attempt) return workspace;
    throw new CodetetherError(
      'workspace-failed',
      `The workspace of ${input.storyId} belongs to attempt ${workspace.attempt}, not to ${input.attempt}.`,
    );
  }

  /** Reads the end of the transcript first: it is short, the whole of it can be long. */
  async function findCall(
    input: ToolCallInput,
  ): Promise<
    | { readonly kind: 'recorded'; readonly ok: boolean; readonly rows: readonly SessionEvent[] }
    | { readonly kind: 'asked'; readonly request: RequestedToolCall; readonly rows: readonly SessionEvent[] }
  > {
    for (const options of [{ last: usualTail }, {}]) {
      const rows = await store.readSession(input.sessionId, options);
      for (const row of rows.toReversed()) {
        if (row.kind === 'tool-result' && row.body.callId === input.callId)
          return { kind: 'recorded', ok: row.body.ok, rows };
        if (row.kind !== 'assistant') continue;
        const request = row.body.toolCalls.find((call) => call.id === input.callId);
        if (request !== undefined) return { kind: 'asked', request, rows };
      }
    }
    throw new CodetetherError('internal', `session ${input.sessionId} has no tool call ${input.callId}`);
  }

  /**
   * How often the step has repeated itself, once all of its results are there (see `repeatsOf`); the model is told from
   * {@link repeatsToTell} on. Looks again at the transcript only when the same was asked before.
   * @param rows its end, as it was before the call
   */
  async function tellRepeats(input: ToolCallInput, rows: readonly SessionEvent[]): Promise<number> {
    if (!mayRepeat(rows)) return 0;
    const repeats = repeatsOf(await store.readSession(input.sessionId, { last: usualTail }));
    if (repeats >= repeatsToTell) {
      const key = `${input.sessionId}:${input.step}:repeats`;
      const body = { text: repeatsNotice(repeats), aside: true } as const;
      await store.appendSessionEvents(input.sessionId, [{ key, kind: 'user', body }]);
    }
    return repeats;
  }

  async function runCall(
    input: ToolCallInput,
    call: { readonly request: RequestedToolCall; readonly risk: ToolRisk; readonly label: string },
  ): Promise<Omit<ToolCallResult, 'repeats'>> {
    const { runId, storyId, attempt, step } = input;
    const signal = deps.cancellationSignal();
    signal.throwIfAborted();
    const workspace = await workspaceOf(input);
    const key = toolCallKey(input.sessionId, step, input.callId);
    const frame = { storyId, attempt } as const;
    const who = whoseStep(input.sessionId);
    const started: NewRunEvent = {
      key: `${key}:start`,
      kind: 'step-started',
      ...frame,
      body: { ...who, step, label: call.label },
    };
    if (!changesNothing(call.risk)) {
      // Of this call nothing is undone: that it was begun is for its recovery.
      await undoLostCalls(input, workspace, { except: key });
      await beginOnce(store, { key, runId, storyId, kind: 'tool-call' });
    }
    const announcement = announceLater(() => store.appendRunEvents(runId, [started]));
    const lines = startOutputLines({
      intervalMs: outputLineIntervalMs,
      append: async (line, number) => {
        await announcement.now();
        const body = { ...who, step, line };
        await store.appendRunEvents(runId, [{ key: `${key}:out:${number}`, kind: 'step-output', ...frame, body }]);
      },
    });
    const startedMs = performance.now();
    let outcome: ToolOutcome;
    try {
      const session = openToolSession(sessions, input);
      const onLine = (line: string) => lines.add(`${line}\n`);
      const context = await toolContext(workspace, { session, signal, rules: input, onLine });
      outcome = await registry.call(call.request.name, call.request.args, context);
    } catch (error) {
      // An agent that was interrupted: others work on in the same files, and nobody recovers its call.
      if (signal.aborted && who.agent !== undefined && !changesNothing(call.risk))
        await undoLostCalls(input, workspace).catch(() => undefined);
      throw error;
    } finally {
      await lines.end();
      await announcement.end();
    }
    const durationMs = Math.round(performance.now() - startedMs);
    const mayHaveChanged = workspace.kind === 'worktree' && !changesNothing(call.risk);
    const checkpoint = mayHaveChanged
      ? await untilStored(() => createCheckpoint(git, workspace), signal)
      : workspace.checkpoint;
    const tool = cleanLine(call.request.name, 100);
    const files = changedPaths(outcome);
    const ended = {
      ...who,
      step,
      tool,
      label: call.label,
      ok: outcome.ok,
      durationMs,
      ...(files.length === 0 ? {} : { files }),
    };
    await untilStored(
      () =>
        store.recordToolResult({
          sessionId: input.sessionId,
          sessionEvent: resultEvent(key, call.request, outcome, deedsOf(call.risk, outcome)),
          workspaceId: workspace.workspaceId,
          checkpoint: checkpoint === workspace.checkpoint ? null : checkpoint,
          runId,
          runEvents: [started, { key: `${key}:end`, kind: 'tool-ended', ...frame, body: ended }],
          effect: { state: 'done', outcome: { ok: outcome.ok, durationMs } },
        }),
      signal,
    );
    return { ok: outcome.ok, durationMs };
  }

  /**
   * Where several agents work in one worktree, one of them can come here before the lost call of another is recovered. What that call left
   * is undone first: else it would be in the next checkpoint, and a recovery could not tell it from recorded work any more.
   */
  async function undoLostCalls(
    input: AttemptRef,
    workspace: WorkspaceRecord,
    { except }: { readonly except?: string } = {},
  ): Promise<void> {
    if (workspace.kind !== 'worktree') return;
    const ofAttempt = `${attemptId(input.runId, input.storyId, input.attempt)}:`;
    const lost = (await store.openToolCalls(input)).filter((key) => key.startsWith(ofAttempt) && key !== except);
    if (lost.length === 0) return;
    await restoreCheckpoint(git, workspace);
    for (const key of lost) await store.settleEffect(key, { state: 'interrupted' });
  }

  async function toolContext(
    workspace: WorkspaceRecord,
    given: Pick<ToolContext, 'session' | 'signal' | 'rules' | 'onLine'>,
  ): Promise<ToolContext> {
    if (workspace.kind === 'folder') {
      return {
        workspace: { root: workspace.path, mainCheckout: null },
        workspaceId: workspace.workspaceId,
        runCommand: deps.runCommand,
        listFiles: () => listFolder(git, workspace.path),
        git: (args, call) => git(args, { cwd: workspace.path, ...call }),
        branch: null,
        ...skillsFor(workspace.path),
        ...given,
      };
    }
    const worktree = await requireWorktree(workspace.path);
    const mainCheckout = basename(worktree.commonDir) === '.git' ? dirname(worktree.commonDir) : null;
    return {
      workspace: { root: workspace.path, mainCheckout },
      workspaceId: workspace.workspaceId,
      runCommand: deps.runCommand,
      listFiles: () => listFiles(git, worktree),
      git: (args, call) => git(args, { ...inWorktree(worktree), ...call }),
      branch: workspace.branch,
      ...skillsFor(mainCheckout ?? workspace.path),
      ...given,
    };
  }

  function skillsFor(folder: string): Pick<ToolContext, 'skills'> {
    const { skills } = deps;
    return skills === undefined ? {} : { skills: () => skills(folder) };
  }
}

function changedPaths({ changedFiles = [] }: ToolOutcome): string[] {
  return [...new Set(changedFiles.map(({ relative }) => cleanLine(relative, mostPathCharacters)))].slice(0, mostFiles);
}

/** Undefined where it could change nothing. */
function deedsOf(risk: ToolRisk, { changedFiles = [], commands = [] }: ToolOutcome): ToolDeeds | undefined {
  if (changesNothing(risk)) return undefined;
  return { files: changedFiles.map(({ relative, change }) => ({ path: relative, change })), commands: [...commands] };
}

function resultEvent(key: string, request: RequestedToolCall, outcome: ToolOutcome, did?: ToolDeeds): NewSessionEvent {
  const output = limitText(plainText(outcome.output), {
    maxCharacters: maxOutputCharacters,
    advice: 'ask for less at once',
  });
  const body = { callId: request.id, tool: request.name, ok: outcome.ok, output };
  return { key, kind: 'tool-result', body: did === undefined ? body : { ...body, did } };
}

/** Runs once: after a moment, or when asked to. Never throws: what it announces is recorded again at the end. */
function announceLater(announce: () => Promise<void>): {
  readonly now: () => Promise<void>;
  readonly end: () => Promise<void>;
} {
  let announced: Promise<void> | undefined;
  const now = (): Promise<void> => {
    announced ??= announce().catch(() => undefined);
    return announced;
  };
  const timer = setTimeout(() => void now(), announceAfterMs);
  return {
    now,
    end: async () => {
      clearTimeout(timer);
      await announced;
    },
  };
}
