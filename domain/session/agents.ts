import { z } from 'zod';
import type { ToolRisk } from '../contracts/activities.ts';
import { changesNothing } from '../run/risk.ts';

/** What an agent may do in a turn; fixed when its message is sent, whatever becomes of the agent's file meanwhile. */
export interface AgentRules {
  /** It is given no other tools than those that read, and a call of one is refused. */
  readonly readsOnly?: boolean;
  /** It is given these tools, and a call of another one is refused; absent: all. */
  readonly tools?: readonly string[];
}

/** Agents that are always there: `build` works on the files, `plan` and `explore` only read. */
export const builtInAgents = {
  build: { readsOnly: false, maxSteps: 100 },
  plan: { readsOnly: true, maxSteps: 50 },
  explore: { readsOnly: true, maxSteps: 20 },
} as const satisfies Readonly<Record<string, AgentRules & { readonly maxSteps: number }>>;
export type BuiltInAgent = keyof typeof builtInAgents;

export function isBuiltInAgent(name: string): name is BuiltInAgent {
  return Object.hasOwn(builtInAgents, name);
}

/** Of one that is built in, or of one in a file, see `extensions.ts`. */
export const AgentName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'expected lower-case letters, digits, dash and underscore, 64 at most');

export function mayUse(rules: AgentRules, tool: { readonly name: string; readonly risk: ToolRisk }): boolean {
  return (rules.readsOnly !== true || changesNothing(tool.risk)) && (rules.tools?.includes(tool.name) ?? true);
}

const Batch = z.object({ calls: z.array(z.object({ tool: z.string() })) });

/** Whether the agent may make the call, and each of those that come in a `batch`. @param args unchecked, as the model has sent them */
export function mayCall(
  rules: AgentRules,
  { name, risk, args }: { readonly name: string; readonly risk: ToolRisk; readonly args: unknown },
): boolean {
  if (!mayUse(rules, { name, risk })) return false;
  if (name !== 'batch' || rules.tools === undefined) return true;
  const batch = Batch.safeParse(args);
  // One that cannot be read, as JSON in a text, is not made either.
  return batch.success && batch.data.calls.every(({ tool }) => rules.tools?.includes(tool) === true);
}
