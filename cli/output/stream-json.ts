import type { RunEvent } from '../../domain/run/events.ts';

/**
 * One event as one NDJSON line without its line feed. Wire format:
 * `{"schema_version":1,"run_id":"ralph:…","seq":7,"at":"…Z","kind":"story-passed","story_id":"US-001","attempt":1,"body":{"commit":"…"}}`.
 * Split on LF only; resume with `--since-seq <seq of the last line that was read>`.
 */
export function streamJsonLine(runId: string, event: RunEvent): string {
  return JSON.stringify({
    schema_version: 1,
    run_id: runId,
    seq: event.seq,
    at: event.at,
    kind: event.kind,
    story_id: event.storyId,
    attempt: event.attempt,
    body: snakeKeys(event.body),
  });
}

/** A JSON value with all keys in snake_case, the way every `--json` of the program prints them. */
export function snakeKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [snakeCase(key), snakeKeys(inner)]));
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
