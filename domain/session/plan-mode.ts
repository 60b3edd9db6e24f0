import { planTools } from './plan-tools.ts';
import { effectiveTranscript } from './transcript.ts';
import type { SessionEvent } from './transcript.ts';

/**
 * The newest plan of an agent that is in plan mode, as its tool has shown it; undefined for one that is not. From a
 * `plan_enter` on, over turns, until a `plan_exit` was approved: every call that changes something is refused meanwhile. It is
 * read off the transcript, so that undo, redo and fork carry it.
 *
 * ```
 * working ── plan_enter ──▶ planning ── plan_exit approved ──▶ working
 *                            │    ▲
 *                            └────┘ plan_enter (another plan), plan_exit denied or not answered
 * ```
 */
export function planOf(rows: readonly SessionEvent[]): string | undefined {
  let plan: string | undefined;
  for (const row of effectiveTranscript(rows)) {
    if (row.kind !== 'tool-result' || !row.body.ok) continue;
    if (row.body.tool === planTools.enter) plan = row.body.output;
    else if (row.body.tool === planTools.exit) plan = undefined;
  }
  return plan;
}
