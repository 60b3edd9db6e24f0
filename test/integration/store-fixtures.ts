import type { NewRunEvent } from '../../domain/run/events.ts';
import type { RunPlan } from '../../domain/contracts/store.ts';
import { Prd } from '../../domain/ralph/prd.ts';

export interface PlanOptions {
  readonly runId?: string;
  readonly stories?: readonly {
    readonly id: string;
    readonly passes?: boolean;
    readonly dependsOn?: readonly string[];
    readonly title?: string;
  }[];
  readonly maxCostUsd?: number | null;
  readonly maxTokens?: number | null;
  readonly maxTotalSteps?: number;
  readonly askAtPercent?: number;
  readonly prdPath?: string;
}

export function plan(options: PlanOptions = {}): RunPlan {
  const stories = options.stories ?? [{ id: 'US-1' }, { id: 'US-2', dependsOn: ['US-1'] }, { id: 'US-3' }];
  return {
    runId: options.runId ?? 'ralph:todo-1f2e3d:due-dates',
    repoPath: '/repo',
    prdPath: options.prdPath ?? '/repo/prd.json',
    branch: 'feature/due-dates',
    hostId: 'tiger-1f2e3d',
    options: {
      model: 'scripted/x.yaml',
      maxIterations: 10,
      maxAttempts: 3,
      maxSteps: 50,
      maxConcurrent: 4,
      maxCostUsd: options.maxCostUsd ?? null,
      maxTokens: options.maxTokens ?? null,
      ...(options.maxTotalSteps === undefined ? {} : { maxTotalSteps: options.maxTotalSteps }),
      ...(options.askAtPercent === undefined ? {} : { askAtPercent: options.askAtPercent }),
      maxTimeMs: null,
    },
    prd: Prd.parse({
      project: 'todo',
      feature: 'due dates',
      qualityChecks: { test: 'node --test' },
      stories: stories.map((story) => ({ title: `Story ${story.id}`, description: '', ...story })),
    }),
  };
}

export function warning(key: string, message = key): NewRunEvent {
  return { key, kind: 'warning', body: { message } };
}
