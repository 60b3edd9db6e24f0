import type { AgentRules } from '../domain/session/agents.ts';

/** The rules alone, of what else is there. */
export function rulesOf({ readsOnly, tools }: AgentRules): AgentRules {
  return { ...(readsOnly === true ? { readsOnly } : {}), ...(tools === undefined ? {} : { tools }) };
}
