import { effectiveTranscript } from './transcript.ts';
import type { SessionEvent } from './transcript.ts';

export const listTools = 'list_tools';

/** First line of the result that shows one tool. */
export function shownToolLine(name: string): string {
  return `tool ${name}`;
}

/**
 * Tools that the agent has looked up by name, in the order in which it did, each once: a provider is told of them from the next
 * step on. One that comes later changes nothing of the order, so that a prompt cache holds up to there.
 */
export function lookedUpTools(rows: readonly SessionEvent[]): readonly string[] {
  const names = effectiveTranscript(rows).flatMap((row) => {
    if (row.kind !== 'tool-result' || row.body.tool !== listTools || !row.body.ok) return [];
    return /^tool (\S+)$/m.exec(row.body.output.split('\n', 1)[0] ?? '')?.[1] ?? [];
  });
  return [...new Set(names)];
}
