import type {
  ModelCallAnswer,
  ModelCallReservation,
  ModelCallStore,
  RunRecord,
  RunStore,
  SessionRecord,
  SessionStore,
} from '../../domain/contracts/store.ts';
import { addUsage, brokenCap, noUsage, totalTokens } from '../../domain/run/budget.ts';
import type { BudgetCaps, Usage } from '../../domain/run/budget.ts';
import type { NewRunEvent } from '../../domain/run/events.ts';
import type { ContextPolicy } from '../../domain/session/context-policy.ts';
import type { NewSessionEvent, SessionEvent } from '../../domain/session/transcript.ts';

type Needed = ModelCallStore &
  Pick<SessionStore, 'readSession' | 'getSession' | 'appendSessionEvents'> &
  Pick<RunStore, 'appendRunEvents' | 'countRunEvents' | 'getRun'>;

export interface FakeModelStore extends Needed {
  readonly runEvents: NewRunEvent[];
  readonly reservations: ReadonlyMap<string, ModelCallReservation>;
  readonly answers: ReadonlyMap<string, ModelCallAnswer>;
  /** How often a method was called. */
  readonly calls: { [method in 'reserve' | 'release' | 'answer' | 'readSession']: number };
  spent(): Usage;
  add(sessionId: string, ...events: NewSessionEvent[]): void;
  /** Fails so many of the next `answerModelCall` with the error. */
  failAnswers(times: number, error: Error): void;
}

/** The part of the store that model calls use, in memory, for one run. */
export function createFakeModelStore(
  options: {
    readonly caps?: Partial<BudgetCaps>;
    readonly spent?: Partial<Usage>;
    readonly policy?: ContextPolicy;
  } = {},
): FakeModelStore {
  const caps: BudgetCaps = { maxCostUsd: null, maxTokens: null, maxTotalSteps: null, ...options.caps };
  let usage: Usage = { ...noUsage, ...options.spent };
  let failing = { times: 0, error: new Error('unused') };
  const runEvents: NewRunEvent[] = [];
  const reservations = new Map<string, ModelCallReservation>();
  const answers = new Map<string, ModelCallAnswer>();
  const sessions = new Map<string, SessionEvent[]>();
  const calls = { reserve: 0, release: 0, answer: 0, readSession: 0 };

  const ledger = () => ({
    spentUsd: usage.costUsd,
    spentTokens: totalTokens(usage),
    reservedUsd: sum([...reservations.values()].map((call) => call.usd)),
    reservedTokens: sum([...reservations.values()].map((call) => call.tokens)),
    steps: reservations.size + answers.size,
  });
  const addSession = (sessionId: string, event: NewSessionEvent) => {
    const session = sessions.get(sessionId) ?? [];
    session.push({ seq: session.length + 1, kind: event.kind, body: event.body } as SessionEvent);
    sessions.set(sessionId, session);
  };
  const addRunEvents = (events: readonly NewRunEvent[]) => {
    for (const event of events) if (!runEvents.some((known) => known.key === event.key)) runEvents.push(event);
  };

  return {
    runEvents,
    reservations,
    answers,
    calls,
    spent: () => usage,
    add: (sessionId, ...events) => events.forEach((event) => addSession(sessionId, event)),
    failAnswers: (times, error) => (failing = { times, error }),
    getModelCall: async (key) => answers.get(key)?.result,
    reserveModelCall: async (call) => {
      calls.reserve++;
      if (answers.has(call.key)) return { kind: 'answered' };
      const held = reservations.get(call.key);
      if (held?.model === call.model) return { kind: 'reserved', tokens: held.tokens };
      reservations.delete(call.key);
      const budget = brokenCap(caps, ledger(), call);
      if (budget !== null) return { kind: 'budget-exceeded', budget };
      reservations.set(call.key, call);
      return { kind: 'reserved', tokens: call.tokens };
    },
    answerModelCall: async (answer) => {
      calls.answer++;
      if (failing.times-- > 0) throw failing.error;
      if (answers.has(answer.key)) return;
      answers.set(answer.key, answer);
      reservations.delete(answer.key);
      usage = addUsage(usage, answer.result.usage);
      addSession(answer.sessionId, answer.sessionEvent);
      addRunEvents(answer.runEvents);
    },
    releaseModelCall: async (key) => {
      calls.release++;
      reservations.delete(key);
    },
    modelCallUsage: async (key) => {
      const answer = answers.get(key);
      return answer === undefined ? undefined : { model: answer.model, usage: answer.result.usage };
    },
    lastModelStep: async ({ sessionId }) =>
      Math.max(
        0,
        ...[...reservations.values(), ...answers.values()].map((call) =>
          call.sessionId === sessionId ? Number(call.key.split(':').at(-1)) : 0,
        ),
      ),
    spending: async () => [],
    budget: async () => ({ caps, ledger: ledger() }),
    readSession: async (sessionId) => {
      calls.readSession++;
      return [...(sessions.get(sessionId) ?? [])];
    },
    // Only what model calls read of it.
    getSession: async (sessionId) =>
      options.policy === undefined ? undefined : ({ sessionId, policy: options.policy } as SessionRecord),
    appendSessionEvents: async (sessionId, events) => events.forEach((event) => addSession(sessionId, event)),
    countRunEvents: async (_runId, { keyPrefix }) => runEvents.filter(({ key }) => key.startsWith(keyPrefix)).length,
    appendRunEvents: async (_runId, events) => addRunEvents(events),
    // Only what model calls read of it.
    getRun: async (runId) => ({ runId, ledger: ledger() }) as RunRecord,
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
