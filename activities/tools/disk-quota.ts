import { randomUUID } from 'node:crypto';
import path from 'node:path';
import type { ToolActivities, ToolCallInput } from '../../domain/contracts/activities.ts';
import type { RunStore, SessionStore, WorkspaceStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { workspaceId } from '../../domain/run/ids.ts';
import { formatBytes } from '../../domain/text/bytes.ts';
import { diskUsage } from '../workspace/disk-usage.ts';
import { runFolder } from '../workspace/names.ts';

export interface DiskQuotaDeps {
  readonly store: Pick<RunStore, 'getRun' | 'appendRunEvents'> &
    Pick<SessionStore, 'appendSessionEvents'> &
    Pick<WorkspaceStore, 'getWorkspace'>;
  /** Default: the machine's clock. */
  readonly nowMs?: () => number;
}

interface Measured {
  nextMs: number;
  /** What the events say. */
  shownBytes: number;
  /** Measurements over the quota since an agent was told, by session. */
  readonly told: Map<string, number>;
}

/** How long a measurement holds at least. */
const intervalMs = 30_000;
/** Looking costs at most a twentieth of a disk's time. */
const shareOfTime = 20;
/** Calls in which an agent can free what it takes before its attempt ends. */
const callsToFree = 3;
const shownChange = 0.05;

/**
 * Looks after tool calls how much the run's worktrees on this host take: not after each one, but now and then. Over the run's
 * quota, the agent with the largest worktree is told; when that does not help, its calls throw `disk-quota`.
 */
export function withDiskQuota<T extends Pick<ToolActivities, 'toolCall'>>(deps: DiskQuotaDeps, tools: T): T {
  const { store, nowMs = Date.now } = deps;
  const runs = new Map<string, Measured>();
  return {
    ...tools,
    toolCall: async (input: ToolCallInput) => {
      const result = await tools.toolCall(input);
      await check(input);
      return result;
    },
  };

  async function check(input: ToolCallInput): Promise<void> {
    const measured = runs.get(input.runId) ?? { nextMs: 0, shownBytes: 0, told: new Map<string, number>() };
    runs.set(input.runId, measured);
    const startedMs = nowMs();
    if (startedMs < measured.nextMs) return;
    // Calls at the same time rely on this one.
    measured.nextMs = Infinity;
    try {
      await measure(input, measured);
    } finally {
      const pauseMs = Math.max(intervalMs, shareOfTime * (nowMs() - startedMs));
      // Whoever was told is looked at after each call.
      measured.nextMs = measured.told.size > 0 ? 0 : nowMs() + pauseMs;
    }
  }

  async function measure(input: ToolCallInput, measured: Measured): Promise<void> {
    const { runId, storyId, sessionId, step, callId } = input;
    const run = await store.getRun(runId);
    const maxBytes = run?.options.maxDiskBytes;
    if (run === undefined || maxBytes === undefined) return;
    const usage = await diskUsage(runFolder(run));
    const bytes = [...usage.values()].reduce((sum, own) => sum + own, 0);
    if (Math.abs(bytes - measured.shownBytes) > shownChange * maxBytes || measured.shownBytes === 0) {
      measured.shownBytes = bytes;
      const key = `disk:${randomUUID()}`;
      await store.appendRunEvents(runId, [{ key, kind: 'disk-measured', body: { bytes, maxBytes } }]);
    }
    if (bytes <= maxBytes) return measured.told.clear();
    const workspace = await store.getWorkspace(workspaceId(runId, storyId));
    const own = usage.get(path.basename(workspace?.path ?? '')) ?? 0;
    if (own < Math.max(...usage.values())) return;
    const message = `the run's worktrees take ${formatBytes(bytes)} of the ${formatBytes(maxBytes)} that they may; this one takes ${formatBytes(own)}`;
    const times = (measured.told.get(sessionId) ?? 0) + 1;
    measured.told.set(sessionId, times);
    if (times > callsToFree) {
      measured.told.delete(sessionId);
      throw new CodetetherError('disk-quota', message, { details: { bytes, maxBytes, own } });
    }
    if (times > 1) return;
    const text = `The disk: ${message}. Remove what is not needed now, or this attempt ends.`;
    await store.appendSessionEvents(sessionId, [
      { key: `${sessionId}:${step}:${callId}:disk`, kind: 'user', body: { text } },
    ]);
  }
}
