import type { z } from 'zod';
import type {
  ApprovalView,
  CheckView,
  HostListView,
  RunEventView,
  RunView,
  StoryView,
  SpendingView,
} from '../../domain/contracts/api.ts';
import type {
  ApprovalRecord,
  HostRecord,
  RunPlan,
  RunRecord,
  StoryRecord,
  CheckRecord,
  ModelSpending,
} from '../../domain/contracts/store.ts';
import { budgetCaps, leftOf } from '../../domain/run/budget.ts';
import type { RunEvent } from '../../domain/run/events.ts';
import { leaseMs } from '../../domain/run/placement.ts';

export interface UiLocation {
  /** Null when the engine has no UI that we know of. */
  readonly uiUrl: string | null;
  readonly namespace: string;
}

/** Where the engine's UI shows the run. */
export function runUiUrl(ui: UiLocation, runId: string): string | null {
  if (ui.uiUrl === null) return null;
  const base = ui.uiUrl.replace(/\/+$/, '');
  return `${base}/namespaces/${encodeURIComponent(ui.namespace)}/workflows/${encodeURIComponent(runId)}`;
}

export function runView(run: RunRecord, ui: UiLocation): RunView {
  return {
    runId: run.runId,
    kind: run.kind,
    status: run.status,
    project: run.project,
    feature: run.feature,
    repoPath: run.repoPath,
    prdPath: run.prdPath,
    branch: run.branch,
    base: run.base,
    tip: run.tip,
    hostId: run.hostId,
    remote: run.options.remote ?? null,
    model: run.options.model,
    execution: run.execution,
    passed: run.passed,
    total: run.total,
    maxCostUsd: run.options.maxCostUsd,
    maxTokens: run.options.maxTokens,
    maxTotalSteps: run.options.maxTotalSteps ?? null,
    maxTimeMs: run.options.maxTimeMs,
    ...run.ledger,
    ...leftOf(budgetCaps(run.options), run.ledger),
    message: run.outcomeMessage,
    createdAt: run.createdAt.toISOString(),
    startedAt: run.startedAt.toISOString(),
    endedAt: run.endedAt?.toISOString() ?? null,
    headSeq: run.headSeq,
    uiUrl: runUiUrl(ui, run.runId),
    flakyGates: [...run.flakyGates],
    redGates: [...run.redGates],
  };
}

/** A run that would be started: as it is now, with what the plan would make of it. */
export function plannedRunView(plan: RunPlan, existing: RunRecord | undefined, ui: UiLocation, now: Date): RunView {
  const { stories, ...prd } = plan.prd;
  const planned: RunRecord = {
    status: 'starting',
    base: null,
    tip: null,
    execution: 0,
    ledger: { spentUsd: 0, spentTokens: 0, reservedUsd: 0, reservedTokens: 0, steps: 0 },
    usage: { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, costUsd: 0 },
    outcomeMessage: '',
    createdAt: now,
    startedAt: now,
    endedAt: null,
    headSeq: 0,
    openedSeq: 0,
    flakyGates: [],
    redGates: [],
    ...existing,
    runId: plan.runId,
    kind: 'ralph',
    project: prd.project,
    feature: prd.feature,
    repoPath: plan.repoPath,
    prdPath: plan.prdPath,
    branch: plan.branch,
    hostId: plan.hostId,
    options: plan.options,
    prd,
    passed: stories.filter((story) => story.passes).length,
    total: stories.length,
  };
  return runView(planned, ui);
}

export function spendingView({ storyId, model, calls, usage, price, ...reserved }: ModelSpending): SpendingView {
  return { storyId, model, calls, ...usage, ...reserved, price };
}

export function storyView(record: StoryRecord): StoryView {
  return {
    storyId: record.story.id,
    title: record.story.title,
    status: record.status,
    priority: record.story.priority,
    dependsOn: record.story.dependsOn,
    attempts: record.attempts,
    commit: record.commit,
    problem: record.feedback?.message ?? null,
    usage: record.usage,
    durationMs: record.durationMs,
  };
}

export function approvalView(approval: ApprovalRecord): ApprovalView {
  return {
    id: approval.approvalId,
    runId: approval.runId,
    storyId: approval.storyId,
    kind: approval.kind,
    question: approval.question,
    choices: [...approval.choices],
    defaultChoice: approval.defaultChoice,
    expiresAt: approval.expiresAt,
    state: approval.state,
    answer: approval.answer,
    answeredBy: approval.answeredBy,
    note: approval.note,
    createdAt: approval.createdAt.toISOString(),
  };
}

export function checkView(check: CheckRecord & { readonly at: Date }, output: string | null): CheckView {
  return {
    attempt: check.attempt,
    where: check.where,
    name: check.name,
    command: check.command,
    tree: check.tree,
    commit: check.commit,
    ok: check.ok,
    verdict: check.verdict,
    exitCode: check.exitCode,
    durationMs: check.durationMs,
    summary: check.summary,
    output,
    log: check.log,
    at: check.at.toISOString(),
  };
}

export function eventView(runId: string, event: RunEvent): z.infer<typeof RunEventView> {
  return { schemaVersion: 1, runId, ...event };
}

export function hostView(host: HostRecord, now: number): HostListView['hosts'][number] {
  return {
    hostId: host.hostId,
    name: host.name,
    pid: host.pid,
    version: host.version,
    slots: host.slots,
    slotsUsed: host.slotsUsed,
    leases: host.leases,
    seenAt: host.seenAt.toISOString(),
    alive: isAlive(host, now),
  };
}

export function isAlive(host: HostRecord, now: number): boolean {
  return now - host.seenAt.getTime() <= leaseMs;
}
