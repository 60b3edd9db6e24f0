import {
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  isCancellation,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import { listenToAnswers } from './approval.ts';
import { childSignals, stateQuery } from '../domain/contracts/ralph.ts';
import type { RalphStoryInput, RalphStoryResult, RalphStoryState } from '../domain/contracts/ralph.ts';
import type { AttemptRef, StoryCheckInput } from '../domain/contracts/activities.ts';
import { noUsage } from '../domain/run/budget.ts';
import type { AttemptFailure } from '../domain/run/events.ts';
import { attemptId } from '../domain/run/ids.ts';
import { runAgentLoop } from './agent-loop.ts';
import type { AgentLoopEnd } from './agent-loop.ts';
import { listenToParent } from './control.ts';
import { activityError } from './failure.ts';
import { hostFor } from './placed-host.ts';
import type { Host } from './policies.ts';

/** No attempt does better before a person has mended the configuration. */
const unusableCodes = ['model-unknown', 'provider-key-missing', 'script-invalid', 'config-invalid', 'provider-quota'];

/**
 * One attempt at one story: workspace, fresh agent, gates, verification, one commit. Its workflow id is the
 * attempt's id, so an attempt can never run twice. The commit is not on the run branch yet: that is the
 * parent's merge lane. Leaves the worktree as it is, whatever the result.
 */
export async function ralphStory(input: RalphStoryInput): Promise<RalphStoryResult> {
  const control = listenToParent();
  const approver = listenToAnswers({
    runId: input.runId,
    policy: () => ({ onAsk: input.onAsk, timeoutMs: input.askTimeoutMs }),
    control,
  });
  let { baselineEnded } = input;
  setHandler(defineSignal(childSignals.baselineEnded), () => {
    baselineEnded = true;
  });
  let details = '';
  setHandler(defineQuery<string>(stateQuery), () => details);
  const show = (text: string) => {
    details = `**${input.storyId}** ${input.title} · attempt ${input.attempt}\n\n${text}`;
    setCurrentDetails(details);
  };

  const attempt: AttemptRef = { runId: input.runId, storyId: input.storyId, attempt: input.attempt };
  const sessionId = attemptId(input.runId, input.storyId, input.attempt);
  const host = hostFor(input, attempt);
  let usage = input.resume?.usage ?? noUsage;
  const startedAtMs = input.resume?.startedAtMs ?? Date.now();
  const durationMs = () => Math.max(0, Date.now() - startedAtMs);
  const red = (reason: AttemptFailure, message: string): RalphStoryResult => ({
    kind: 'red',
    reason,
    message,
    usage,
    durationMs: durationMs(),
  });

  try {
    let state = input.resume;
    if (state === undefined) {
      show('preparing the workspace');
      await host.workspaces.prepareWorkspace.executeWithOptions({ summary: `${input.storyId}: prepare workspace` }, [
        { ...attempt, start: input.start },
      ]);
      await host.tools.openSession.executeWithOptions({ summary: `${input.storyId}: write the prompt` }, [
        { ...attempt, sessionId, start: input.start },
      ]);
      state = { step: 1, startedAtMs, usage: noUsage } satisfies RalphStoryState;
    }
    const loop: AgentLoopEnd = await runAgentLoop(
      {
        attempt,
        sessionId,
        model: input.model,
        fallbackModel: input.fallbackModel,
        maxSteps: input.maxSteps,
        host,
        control,
        approver,
        agents: {
          hostId: input.hostId,
          ...(input.isShared === undefined ? {} : { isShared: input.isShared }),
          onAsk: input.onAsk,
          askTimeoutMs: input.askTimeoutMs,
        },
        onStep: (step, what) => show(`step ${step} of ${input.maxSteps}: ${what}`),
      },
      state,
    );
    usage = loop.usage;
    switch (loop.kind) {
      case 'continue-as-new':
        return await continueAsNew<typeof ralphStory>({
          ...input,
          baselineEnded,
          resume: { ...state, step: loop.step, usage, agents: loop.agents },
        });
      case 'stopped':
        return { kind: 'stopped', usage, durationMs: durationMs() };
      case 'budget-exceeded':
        return { kind: 'budget-exceeded', budget: loop.budget, usage, durationMs: durationMs() };
      case 'looping':
        return red('looping', `the same ${loop.repeats} times with the same result: ${loop.label}`);
      case 'unusable-answers':
        return red('model-failed', loop.message);
      case 'max-steps':
        return red('max-steps', `not finished after ${input.maxSteps} steps`);
      case 'finished':
        break;
    }

    if (!baselineEnded) {
      show('waiting for the baseline of the gates');
      await condition(() => baselineEnded || control.stopping);
      if (!baselineEnded) return { kind: 'stopped', usage, durationMs: durationMs() };
    }
    const failed = await runChecks(
      host,
      { ...attempt, where: 'workspace', gates: input.gates, verificationSteps: input.verificationSteps },
      show,
    );
    if (failed !== undefined) return red(failed.reason, failed.message);

    show('committing');
    const commit = await host.workspaces.commitStory.executeWithOptions({ summary: `${input.storyId}: commit` }, [
      attempt,
    ]);
    if (commit.kind === 'nothing-changed' && commit.isAllowed) {
      return { kind: 'green', commit: commit.base, filesChanged: 0, files: [], usage, durationMs: durationMs() };
    }
    if (commit.kind === 'nothing-changed')
      return red('nothing-changed', 'the agent said it was done, but no file has changed');
    if (commit.kind === 'conflict-markers')
      return red('conflict-markers', `a conflict marker stands at ${commit.file}:${commit.line}`);
    const { filesChanged, files } = commit;
    return { kind: 'green', commit: commit.commit, filesChanged, files, usage, durationMs: durationMs() };
  } catch (error) {
    const failure = isCancellation(error) ? undefined : activityError(error);
    if (failure === undefined) throw error;
    if (unusableCodes.includes(failure.code)) return { kind: 'unusable', ...failure, usage, durationMs: durationMs() };
    if (failure.code === 'disk-quota') return red('disk-quota', failure.message);
    return red(isModelCode(failure.code) ? 'model-failed' : 'tool-failed', failure.message);
  }
}

function isModelCode(code: string): boolean {
  return code.startsWith('provider-') || code.startsWith('script-');
}

export interface Checks extends StoryCheckInput {
  readonly gates: readonly string[];
  readonly verificationSteps: number;
}

/** Inspects the change, runs the gates up to the first that is red, then the verification steps; undefined when nothing stops the story. */
export async function runChecks(
  host: Host,
  checks: Checks,
  show: (text: string) => void,
): Promise<{ readonly reason: AttemptFailure; readonly message: string } | undefined> {
  const { runId, storyId, attempt, where, commit } = checks;
  const check = { runId, storyId, attempt, where, ...(commit === undefined ? {} : { commit }) };
  const merged = where === 'merged';
  const inspected = await host.gates.inspectChange.executeWithOptions(
    { summary: `${storyId}: inspect the change${merged ? ' (merged)' : ''}` },
    [check],
  );
  if (!inspected.ok) return { reason: 'tampered', message: inspected.message };
  for (const gate of checks.gates) {
    show(`gate ${gate}${merged ? ' on the merged tree' : ''}`);
    const result = await host.gates.runGate.executeWithOptions(
      { summary: `${storyId}: gate ${gate}${merged ? ' (merged)' : ''}` },
      [{ ...check, gate }],
    );
    if (result.verdict === 'red')
      return { reason: merged ? 'merged-gate-failed' : 'gate-failed', message: `gate ${gate}: ${result.summary}` };
  }
  if (checks.verificationSteps > 0) {
    show('verification steps');
    const result = await host.gates.runVerification.executeWithOptions({ summary: `${storyId}: verification` }, [
      check,
    ]);
    if (!result.ok) return { reason: merged ? 'merged-gate-failed' : 'verification-failed', message: result.summary };
  }
  return undefined;
}
