import { recoveredText, rollbackFailedText } from '../../domain/run/board.ts';
import { hostLostText } from '../../domain/run/board-story.ts';
import type { CheckVerdict, RunEvent, RunEventBody } from '../../domain/run/events.ts';
import { formatBytes } from '../../domain/text/bytes.ts';
import { formatClock, formatCost, formatDuration, formatTokens, formatUsd, shortCommit } from './format.ts';
import { heldText } from './held-text.ts';
import { answerCommands, answeredLine, withoutOne } from './questions.ts';
import { reloadText } from './reload-lines.ts';
import { cleanLine, counted } from './text.ts';

/**
 * One event as one line with its local time, e.g. `12:05:19 US-001 passed, attempt 1, 48s, 9.1k tokens, commit a1b2c3d`;
 * undefined for events that are only of interest live (output lines) or, unless `verbose`, in detail.
 */
export function plainLine(runId: string, event: RunEvent, options: { readonly verbose: boolean }): string | undefined {
  const text = sentence(runId, event, options.verbose);
  return text === undefined ? undefined : `${formatClock(event.at)} ${cleanLine(text)}`;
}

/** `caps of $5.00, 400k tokens`. */
function capsText({ maxCostUsd, maxTokens, maxTotalSteps, maxTimeMs }: RunEventBody<'caps-changed'>): string {
  const caps = [
    ...(maxCostUsd === null ? [] : [formatUsd(maxCostUsd)]),
    ...(maxTokens === null ? [] : [`${formatTokens(maxTokens)} tokens`]),
    ...(maxTotalSteps === null ? [] : [`${maxTotalSteps} steps`]),
    ...(maxTimeMs === null ? [] : [formatDuration(maxTimeMs)]),
  ];
  return caps.length === 0 ? 'no cap' : `caps of ${caps.join(', ')}`;
}

function sentence(runId: string, event: RunEvent, verbose: boolean): string | undefined {
  const story = event.storyId ?? 'run';
  switch (event.kind) {
    case 'run-started': {
      const { execution, total, passed, branch, base, gates, model } = event.body;
      const what =
        execution === 1
          ? `started, ${counted(total, 'story', 'stories')}`
          : `goes on (execution ${execution}), ${passed} of ${total} stories passed`;
      const checks = gates.length === 0 ? 'no gates' : `gates ${gates.join(', ')}`;
      return `run ${runId} ${what}, branch ${branch}, base ${shortCommit(base)}, ${checks}, model ${model}`;
    }
    case 'baseline-gate-ended':
      return event.body.ok
        ? `baseline: gate ${event.body.gate} is green, ${formatDuration(event.body.durationMs)}`
        : `baseline: gate ${event.body.gate} is ${event.body.verdict === 'flaky' ? 'flaky' : 'red'} before any story: ${event.body.summary}`;
    case 'story-started':
      return `${story} attempt ${event.attempt ?? 1} started: ${event.body.title}`;
    case 'step-started':
      // What comes of the thinking is the next line.
      if (event.body.label === 'thinking…' && !verbose) return undefined;
      return `${whoOf(story, event.body)} step ${event.body.step}: ${event.body.label}`;
    case 'step-output':
      return undefined;
    case 'model-answered': {
      if (!verbose) return undefined;
      const { step, inputTokens, outputTokens, costUsd, durationMs, toolCalls } = event.body;
      const tokens = inputTokens + outputTokens;
      const asks = toolCalls.length === 0 ? 'asks for no tool' : `asks for ${toolCalls.join(', ')}`;
      return `${whoOf(story, event.body)} step ${step}: answered in ${formatDuration(durationMs)}, ${formatTokens(tokens)} tokens, cost ${formatCost({ usd: costUsd, tokens })}, ${asks}`;
    }
    case 'model-waiting': {
      const { step, message, until, mayHaveCost, nextModel } = event.body;
      const then =
        nextModel === null
          ? `asks again at ${formatClock(until)}${mayHaveCost ? '' : ' (nothing is spent)'}`
          : `asks ${nextModel} instead`;
      return `${whoOf(story, event.body)} step ${step}: ${message}; ${then}`;
    }
    case 'tool-ended': {
      if (event.body.ok && !verbose) return undefined;
      const { step, label, ok, durationMs } = event.body;
      return `${whoOf(story, event.body)} step ${step}: ${label} ${ok ? 'done' : 'failed'}, ${formatDuration(durationMs)}`;
    }
    case 'tool-interrupted':
      return `${whoOf(story, event.body)} step ${event.body.step}: ${event.body.tool} was interrupted, ${event.body.rerun ? 'runs again' : 'the model was told'}`;
    case 'gate-ended': {
      const { gate, where, ok, verdict, durationMs, summary } = event.body;
      const name = gate === 'verification' ? 'verification' : `gate ${gate}`;
      const tree = where === 'merged' ? ' on the merged tree' : '';
      return `${story} ${name} is ${verdictWords[verdict]}${tree}, ${formatDuration(durationMs)}${ok ? '' : `: ${summary}`}`;
    }
    case 'attempt-failed':
      return `${story} attempt ${event.attempt ?? 1} failed: ${event.body.message}${event.body.triesLeft > 0 ? `; ${event.body.diagnosis === undefined ? 'trying again with that' : 'the same as before: trying once more with a diagnosis'}` : ''}`;
    case 'story-passed': {
      const { attempts, durationMs, tokens, commit } = event.body;
      return `${story} passed, attempt ${attempts}, ${formatDuration(durationMs)}, ${formatTokens(tokens)} tokens, commit ${shortCommit(commit)}`;
    }
    case 'story-failed':
      return `${story} failed after ${counted(event.body.attempts, 'attempt')}: ${event.body.message}${event.body.workspace === null ? '' : `; kept in ${event.body.workspace}`}`;
    case 'story-blocked':
      return `${story} blocked by ${event.body.by.join(', ')}`;
    case 'story-rolled-back':
      return `${story} was taken off the run branch, commit ${shortCommit(event.body.commit)}; it is open again`;
    case 'rollback-failed':
      return rollbackFailedText(event.body.storyIds, event.body.message);
    case 'story-held':
      return `${story} ${heldText(event.body.by, event.body.files)}`;
    case 'merge-waiting':
      return `${story} waits to be merged: ${event.body.message}`;
    case 'disk-measured': {
      const { bytes, maxBytes } = event.body;
      if (bytes <= maxBytes && !verbose) return undefined;
      return `the worktrees take ${formatBytes(bytes)} of ${formatBytes(maxBytes)}`;
    }
    case 'budget-line-reached': {
      const { percent, spentUsd, maxCostUsd } = event.body;
      return `run has spent ${formatUsd(spentUsd)} of ${formatUsd(maxCostUsd)}, ${percent}% is reached`;
    }
    case 'approval-requested': {
      const { question, expiresAt } = event.body;
      return `${story} waits for an answer: ${question}; ${answerCommands(event.body)}; ${withoutOne(event.body, expiresAt)}`;
    }
    case 'approval-answered':
      return `${story} ${answeredLine(event.body)}`;
    case 'agent-nudged':
      return `${story} is told: ${event.body.text}`;
    case 'story-reopened':
      return `${story} is open again${event.body.hint === '' ? '' : `: ${event.body.hint}`}`;
    case 'run-paused':
      return 'run paused: steps under way finish, nothing new starts';
    case 'caps-changed':
      return `run goes on under ${capsText(event.body)}`;
    case 'prd-reloaded':
      return `run follows the edited PRD: ${reloadText(event.body)}`;
    case 'run-resumed':
      return 'run goes on';
    case 'run-stopping':
      return event.body.mode === 'stop' ? 'run is stopping: steps under way finish' : 'run is being cancelled';
    case 'story-placed':
      return verbose ? `${story} is on host ${event.body.hostId}` : undefined;
    case 'host-lost':
      return `${event.storyId === null ? 'merging' : event.storyId}: ${hostLostText(event.body)}`;
    case 'worker-recovered':
      return recoveredText(event.body.interrupted);
    case 'turn-started':
      return `turn ${event.body.turn}: ${event.body.text}`;
    case 'turn-ended': {
      const { turn, outcome, message, durationMs } = event.body;
      return `turn ${turn} ended: ${outcome} in ${formatDuration(durationMs)}${message === '' ? '' : `: ${message}`}`;
    }
    case 'agent-started':
      return `${story} agent ${event.body.agent} starts${event.body.readsOnly ? ' (only reads)' : ''}: ${event.body.task}`;
    case 'agent-ended':
      return `${story} agent ${agentEndText(event.body)}`;
    case 'warning':
      return `warning: ${event.body.message}`;
    case 'run-ended': {
      const { outcome, message, passed, total, durationMs } = event.body;
      return `run ended: ${outcome}, ${passed} of ${total} stories passed in ${formatDuration(durationMs)}${message === '' ? '' : `: ${message}`}`;
    }
  }
}

/** `US-001 scout`, where it is a step of an agent that the story's has started. */
function whoOf(story: string, { agent }: { readonly agent?: string }): string {
  return agent === undefined ? story : `${story} ${agent}`;
}

/** `scout ended: max-steps in 12s: not finished after 5 steps`. */
export function agentEndText({ agent, end, message, durationMs }: RunEventBody<'agent-ended'>): string {
  const came = end === 'finished' ? 'has answered' : `ended: ${end}`;
  return `${agent} ${came}${durationMs === 0 ? '' : ` in ${formatDuration(durationMs)}`}${message === '' ? '' : `: ${message}`}`;
}

const verdictWords: { readonly [verdict in CheckVerdict]: string } = {
  ok: 'green',
  red: 'red',
  flaky: 'flaky',
  'red-as-before': 'red as before',
};
