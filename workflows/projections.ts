import type {
  FinishRunInput,
  ReadyStoriesResult,
  RecordInput,
  ReloadPrdInput,
} from '../domain/contracts/activities.ts';
import type { ReloadResult } from '../domain/contracts/ralph.ts';
import { projections } from './policies.ts';
import type { Host } from './policies.ts';

/** Writes events and states in one transaction, once, whatever happens. */
export async function record(input: RecordInput): Promise<void> {
  const summary = input.events.map((event) => [event.storyId, event.kind].filter(Boolean).join(' ')).join(', ');
  await projections.record.executeWithOptions({ summary: `note: ${summary}`.slice(0, 200) }, [input]);
}

export async function readyStories(
  runId: string,
  options: { readonly inFlight: readonly string[]; readonly limit: number },
): Promise<ReadyStoriesResult> {
  return await projections.readyStories.executeWithOptions({ summary: 'which stories may start' }, [
    { runId, ...options },
  ]);
}

export async function finishRun(input: FinishRunInput): Promise<void> {
  await projections.finishRun.executeWithOptions({ summary: `note: ${input.outcome}` }, [input]);
}

export async function reloadPrd(input: ReloadPrdInput): Promise<ReloadResult> {
  return await projections.reloadPrd.executeWithOptions({ summary: 'note: the PRD was edited' }, [input]);
}

export async function syncPrdFiles(host: Host, runId: string): Promise<void> {
  await host.files.syncPrdFiles.executeWithOptions({ summary: 'write prd.json and progress.txt' }, [{ runId }]);
}
