import type { ToolCallInput } from '../../domain/contracts/activities.ts';
import type { Store } from '../../domain/contracts/store.ts';
import { toolCallKey } from '../../domain/run/ids.ts';
import { defaultContextPolicy } from '../../domain/session/context-policy.ts';
import type { ContextPolicy } from '../../domain/session/context-policy.ts';
import type { ContextWindow } from '../../domain/session/derive-context.ts';
import type { NewSessionEvent, SessionEvent } from '../../domain/session/transcript.ts';
import { readWindow } from '../model/context-window.ts';
import type { WindowMeans } from '../model/context-window.ts';

/** The session that a tool was called in; there is no way to another one. */
export interface ToolSession {
  readonly id: string;
  /** All rows, newest last. */
  readonly events: () => Promise<readonly SessionEvent[]>;
  /** Twice by one call: appended once for each kind. */
  readonly append: (row: RowOf<NewSessionEvent>) => Promise<void>;
  readonly policy: () => Promise<ContextPolicy>;
  /** `provider/model[:effort]`. */
  readonly model: () => Promise<string>;
  /** Of the session's model; an unlimited one where the model has none. */
  readonly window: () => Promise<ContextWindow>;
}

type RowOf<Row> = Row extends { readonly kind: infer Kind; readonly body: infer Body }
  ? { readonly kind: Kind; readonly body: Body }
  : never;

export interface ToolSessionDeps extends WindowMeans {
  readonly store: Pick<Store, 'readSession' | 'appendSessionEvents' | 'getSession' | 'getRun'>;
}

export function openToolSession(
  { store, ...means }: ToolSessionDeps,
  { runId, sessionId, step, callId }: ToolCallInput,
): ToolSession {
  const model = async (): Promise<string> => {
    const session = await store.getSession(sessionId);
    return session?.model ?? (await store.getRun(runId))?.options.model ?? '';
  };
  return {
    id: sessionId,
    model,
    events: () => store.readSession(sessionId),
    append: async ({ kind, body }) => {
      const key = `${toolCallKey(sessionId, step, callId)}:${kind}`;
      // Kind and body belong together: they come from one row.
      await store.appendSessionEvents(sessionId, [{ key, kind, body } as NewSessionEvent]);
    },
    policy: async () => (await store.getSession(sessionId))?.policy ?? defaultContextPolicy,
    window: async () => await readWindow(await model(), means),
  };
}
