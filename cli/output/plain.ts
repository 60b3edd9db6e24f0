import { recoveredText } from '../../domain/run/board.ts';
import type { RunEvent } from '../../domain/run/events.ts';
import { formatClock, formatCost, formatDuration, formatTokens, shortCommit } from './format.ts';
import { cleanLine, counted } from './text.ts';

/**
 * One event as one line with its local time, e.g. `12:05:19 US-001 passed, attempt 1, 48s, 9.1k tokens, commit a1b2c3d`;
 * undefined for events that are only of interest live (output lines) or, unless `verbose`, in detail.
 */
export function plainLine(runId: string, event: RunEvent, options: { readonly verbose: boolean }): string | undefined {
  const text = sentence(runId, event, options.verbose);
  return text === undefined ? undefined : `${formatClock(event.at)} ${cleanLine(text)}`;
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
        : `baseline: gate ${event.body.gate} is red before any story: ${event.body.summary}`;
    case 'story-started':
      return `${story} attempt ${event.attempt ?? 1} started: ${event.body.title}`;
    case 'step-started':
      // What comes of the thinking is the next line.
      if (event.body.label === 'thinking…' && !verbose) return undefined;
      return `${story} step ${event.body.step}: ${event.body.label}`;
    case 'step-output':
      return undefined;
    case 'model-answered': {
      if (!verbose) return undefined;
      const { step, inputTokens, outputTokens, costUsd, durationMs, toolCalls } = event.body;
      const tokens = inputTokens + outputTokens;
      const asks = toolCalls.length === 0 ? 'asks for no tool' : `asks for ${toolCalls.join(', ')}`;
      return `${story} step ${step}: answered in ${formatDuration(durationMs)}, ${formatTokens(tokens)} tokens, cost ${formatCost({ usd: costUsd, tokens })}, ${asks}`;
    }
    case 'tool-ended': {
      if (event.body.ok && !verbose) return undefined;
      const { step, label, ok, durationMs } = event.body;
      return `${story} step ${step}: ${label} ${ok ? 'done' : 'failed'}, ${formatDuration(durationMs)}`;
    }
    case 'tool-interrupted':
      return `${story} step ${event.body.step}: ${event.body.tool} was interrupted, ${event.body.rerun ? 'runs again' : 'the model was told'}`;
    case 'gate-ended': {
      const { gate, where, ok, durationMs, summary } = event.body;
      const name = gate === 'verification' ? 'verification' : `gate ${gate}`;
      const tree = where === 'merged' ? ' on the merged tree' : '';
      return `${story} ${name} is ${ok ? 'green' : 'red'}${tree}, ${formatDuration(durationMs)}${ok ? '' : `: ${summary}`}`;
    }
    case 'attempt-failed':
      return `${story} attempt ${event.attempt ?? 1} failed: ${event.body.message}${event.body.triesLeft > 0 ? '; trying again with that' : ''}`;
    case 'story-passed': {
      const { attempts, durationMs, tokens, commit } = event.body;
      return `${story} passed, attempt ${attempts}, ${formatDuration(durationMs)}, ${formatTokens(tokens)} tokens, commit ${shortCommit(commit)}`;
    }
    case 'story-failed':
      return `${story} failed after ${counted(event.body.attempts, 'attempt')}: ${event.body.message}${event.body.workspace === null ? '' : `; kept in ${event.body.workspace}`}`;
    case 'story-blocked':
      return `${story} blocked by ${event.body.by.join(', ')}`;
    case 'merge-waiting':
      return `${story} waits to be merged: ${event.body.message}`;
    case 'run-paused':
      return 'run paused: steps under way finish, nothing new starts';
    case 'run-resumed':
      return 'run goes on';
    case 'run-stopping':
      return event.body.mode === 'stop' ? 'run is stopping: steps under way finish' : 'run is being cancelled';
    case 'worker-recovered':
      return recoveredText(event.body.interrupted);
    case 'warning':
      return `warning: ${event.body.message}`;
    case 'run-ended': {
      const { outcome, message, passed, total, durationMs } = event.body;
      return `run ended: ${outcome}, ${passed} of ${total} stories passed in ${formatDuration(durationMs)}${message === '' ? '' : `: ${message}`}`;
    }
  }
}
