import { createModelActivities } from '../../activities/model/model-activities.ts';
import type { ModelActivitiesDeps } from '../../activities/model/model-activities.ts';
import { createToolRegistry, toolCatalogue } from '../../activities/tools/registry.ts';
import type { AnswerSpool } from '../../activities/model/answer-spool.ts';
import type { ModelStepInput, ModelStepResult } from '../../domain/contracts/activities.ts';
import type { ModelCallAnswer } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { SessionEventBody } from '../../domain/session/transcript.ts';
import { createFakeModelStore } from './fake-model-store.ts';
import type { FakeModelStore } from './fake-model-store.ts';
import { modelSettings } from './model-server.ts';

/** An {@link AnswerSpool} in memory. */
export function createMemorySpool<Answer extends { readonly key: string } = ModelCallAnswer>(): AnswerSpool<Answer> & {
  readonly answers: ReadonlyMap<string, Answer>;
} {
  const answers = new Map<string, Answer>();
  return {
    answers,
    read: async (key) => answers.get(key),
    write: async (answer) => void answers.set(answer.key, answer),
    remove: async (key) => void answers.delete(key),
  };
}

/** A session that has just begun, and the model activity that works on it. */
export interface ModelSession {
  readonly store: FakeModelStore;
  step(step?: number, input?: Partial<ModelStepInput>): Promise<ModelStepResult & { readonly kind: 'answered' }>;
  /** What the step failed with. */
  failure(step?: number, input?: Partial<ModelStepInput>): Promise<CodetetherError>;
  /** Answers a tool call. */
  result(callId: string, tool: string, output: string): void;
  /** The newest answer in the transcript. */
  answer(): Promise<SessionEventBody<'assistant'>>;
}

export function startSession(
  url: string,
  model: string,
  prompt: string,
  deps: Partial<ModelActivitiesDeps> & { readonly store?: FakeModelStore } = {},
): ModelSession {
  const store = deps.store ?? createFakeModelStore();
  const { modelStep } = createModelActivities({
    settings: modelSettings(url),
    tools: toolCatalogue(createToolRegistry(), 'lean'),
    cancellationSignal: () => new AbortController().signal,
    attemptNumber: () => 1,
    spool: createMemorySpool(),
    ...deps,
    store,
  });
  store.add(
    's',
    { key: 'system', kind: 'system', body: { text: 'You write software.' } },
    { key: 'user', kind: 'user', body: { text: prompt } },
  );
  const call = async (step: number, input: Partial<ModelStepInput>) =>
    await modelStep({ runId: 'r', storyId: 'US-001', attempt: 1, sessionId: 's', step, model, ...input });
  return {
    store,
    step: async (step = 1, input = {}) => {
      const result = await call(step, input);
      if (result.kind !== 'answered') throw new Error(result.kind);
      return result;
    },
    failure: async (step = 1, input = {}) => {
      try {
        await call(step, input);
      } catch (error) {
        if (error instanceof CodetetherError) return error;
        throw error;
      }
      throw new Error('the step did not fail');
    },
    result: (callId, tool, output) =>
      store.add('s', { key: `result:${callId}`, kind: 'tool-result', body: { callId, tool, ok: true, output } }),
    answer: async () => {
      const last = (await store.readSession('s')).findLast((event) => event.kind === 'assistant');
      if (last?.kind !== 'assistant') throw new Error('no answer yet');
      return last.body;
    },
  };
}
