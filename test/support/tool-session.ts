import type { ToolSession } from '../../activities/tools/tool-session.ts';
import type { ContextPolicy } from '../../domain/session/context-policy.ts';
import type { SessionEvent } from '../../domain/session/transcript.ts';

/** A {@link ToolSession} in memory; `rows` grows with what is appended. */
export function memoryToolSession(
  options: { readonly rows?: SessionEvent[]; readonly policy?: ContextPolicy; readonly contextTokens?: number } = {},
): ToolSession & { readonly rows: readonly SessionEvent[] } {
  const rows = options.rows ?? [];
  return {
    rows,
    id: 's',
    events: async () => [...rows],
    append: async (row) => void rows.push({ seq: (rows.at(-1)?.seq ?? 0) + 1, ...row }),
    model: async () => 'openai/x',
    policy: async () => options.policy ?? { kind: 'incremental' },
    window: async () => ({ model: 'openai/x', contextTokens: options.contextTokens ?? 20_000, reservedTokens: 0 }),
  };
}
