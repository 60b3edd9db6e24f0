import type { BoardFailure } from '../../domain/run/board-story.ts';
import type { AttemptFailure } from '../../domain/run/events.ts';

/** What went wrong on the way, e.g. `gate test failed twice, conflicted once`; empty when nothing did. */
export function failuresNote(failures: readonly BoardFailure[]): string {
  const counts = new Map<string, number>();
  for (const failure of failures) {
    const what = failure.gate === null || failure.gate === 'verification' ? words[failure.reason] : gateWords(failure);
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].map(([what, count]) => `${what} ${times(count)}`).join(', ');
}

const words: { readonly [reason in AttemptFailure]: string } = {
  'gate-failed': 'a gate failed',
  'verification-failed': 'verification failed',
  'nothing-changed': 'changed nothing',
  'max-steps': 'ran out of steps',
  looping: 'repeated itself',
  conflict: 'conflicted',
  'conflict-markers': 'left conflict markers',
  'merged-gate-failed': 'a gate failed after the merge',
  'model-failed': 'the model failed',
  'tool-failed': 'a tool failed',
  'disk-quota': 'took too much disk',
  'merge-denied': 'merge not approved',
  tampered: 'weakened its checks',
};

function gateWords({ reason, gate }: BoardFailure): string {
  return `gate ${gate} failed${reason === 'merged-gate-failed' ? ' after the merge' : ''}`;
}

function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`;
}
