import type { SessionStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { windowsAsOf } from '../../domain/model/windows.ts';
import { defaultContextPolicy } from '../../domain/session/context-policy.ts';
import type { ContextPolicy } from '../../domain/session/context-policy.ts';
import { deriveContext, rowTokens } from '../../domain/session/derive-context.ts';
import type { ContextWindow, DerivedContext } from '../../domain/session/derive-context.ts';
import type { NewSessionEvent, SaidRow, SessionEvent } from '../../domain/session/transcript.ts';
import type { CallContext } from './provider-call.ts';

type Derived = Extract<DerivedContext, { kind: 'derived' }>;

/** A session's transcript as one model call reads it. */
export interface OpenContext {
  /** The rows as they are now; the next {@link read} goes by them. */
  load(): Promise<readonly SessionEvent[]>;
  /** See `PrepareOptions.readContext`. Throws `context-too-long`. */
  read(window: ContextWindow): Promise<CallContext>;
  /** What was read last; undefined when the call did not need the transcript. */
  readonly derived: Derived | undefined;
  readonly policy: ContextPolicy;
  readonly rows: readonly SessionEvent[];
  /** The row that says that what was read last is too long for its model, so that half of it is the most from now on. */
  tooLong(key: string): NewSessionEvent | undefined;
}

/** @param mostSteps see `ContextWindow` */
export function openContext(
  store: Pick<SessionStore, 'readSession' | 'getSession'>,
  { sessionId, mostSteps }: { readonly sessionId: string; readonly mostSteps: number | undefined },
): OpenContext {
  let rows: readonly SessionEvent[] = [];
  let policy: ContextPolicy = defaultContextPolicy;
  let derived: Derived | undefined;
  let model = '';
  let isLoaded = false;
  const load = async () => {
    rows = await store.readSession(sessionId);
    isLoaded = true;
    return rows;
  };
  return {
    load,
    read: async (window) => {
      const [session] = await Promise.all([store.getSession(sessionId), isLoaded ? rows : load()]);
      isLoaded = false;
      model = window.model;
      policy = session?.policy ?? defaultContextPolicy;
      const limited = mostSteps === undefined ? window : { ...window, mostSteps };
      const context = deriveContext(rows, policy, limited);
      if (context.kind === 'too-long') throw tooLong(context, window, policy);
      derived = context;
      const since = rowsSince(rows, context, (earlier) => deriveContext(earlier, policy, limited));
      return { messages: context.messages, since };
    },
    tooLong: (key) => {
      if (derived === undefined || policy.kind === 'off') return undefined;
      const tokens = Math.max(1, Math.floor(derived.tokens / 2));
      return { key: `${key}:too-long:${tokens}`, kind: 'window', body: { model, tokens } };
    },
    get derived() {
      return derived;
    },
    get policy() {
      return policy;
    },
    get rows() {
      return rows;
    },
  };
}

/**
 * What the call has more than the session's last one: the last answer and all after it. Undefined when the context does not go on
 * where the last one ended, since it was compacted in between.
 */
function rowsSince(
  rows: readonly SessionEvent[],
  now: Derived,
  derive: (rows: readonly SessionEvent[]) => DerivedContext,
): readonly SessionEvent[] | undefined {
  const last = rows.findLastIndex((row) => row.kind === 'assistant');
  const since = rows.slice(last);
  if (last === -1 || now.leftOut.length === 0) return since;
  const before = derive(rows.slice(0, last));
  const goesOn =
    before.kind === 'derived' && before.messages.every((message, index) => isSame(message, now.messages[index]));
  return goesOn ? since : undefined;
}

function isSame(a: SaidRow, b: SaidRow | undefined): boolean {
  return b !== undefined && (a === b || (a.seq === b.seq && a.kind === b.kind && rowTokens(a) === rowTokens(b)));
}

function tooLong(
  context: Extract<DerivedContext, { kind: 'too-long' }>,
  { model, contextTokens }: ContextWindow,
  policy: ContextPolicy,
): CodetetherError {
  const size = `${context.tokens} tokens, and ${model} takes ${context.budgetTokens} beside its answer (window ${contextTokens}, list of ${windowsAsOf})`;
  const what =
    policy.kind === 'off'
      ? `the conversation has ${size}; its context policy is off`
      : context.why === 'required'
        ? `what may not be left out of the conversation has ${size}`
        : `leaving out all that may be left out frees next to nothing: the conversation has ${size}`;
  return new CodetetherError('context-too-long', what, {
    details: { model, why: context.why, tokens: context.tokens, budgetTokens: context.budgetTokens },
  });
}
