/**
 * Agents of a session by what they may do: `build` works on the files, `plan` and `explore` only read: they are given no other tools,
 * and a call of one is refused.
 */
export const agentKinds = ['build', 'plan', 'explore'] as const;
export type AgentKind = (typeof agentKinds)[number];

/** Model calls of one turn, where nobody says otherwise. */
export const defaultMaxSteps: Readonly<Record<AgentKind, number>> = { build: 100, plan: 50, explore: 20 };

export function readsOnly(agent: AgentKind): boolean {
  return agent !== 'build';
}
