import { z } from 'zod';
import { AgentName } from './agents.ts';

/** What its starter calls an agent that works beside it; unique among those of a turn. */
export const besideName = z
  .string()
  .regex(/^[a-z0-9_]{1,40}$/, 'expected lower-case letters, digits and underscores, 40 at most');

/**
 * What a tool call asks of the agents that work beside the caller. Texts are not in here: they stay in the call, which the
 * transcript has.
 */
export const AgentRequest = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('spawn'),
    name: besideName,
    agent: AgentName,
    /** Whether it only reads; absent: it is not built in, and its file says it. */
    readsOnly: z.boolean().exactOptional(),
    /** Model calls; absent: what is usual for the agent. */
    maxSteps: z.number().exactOptional(),
    /** Its share of the run's money, over all of its tasks and with all that it starts itself. */
    maxCostUsd: z.number().exactOptional(),
    /** Its transcript begins with the caller's. */
    forks: z.boolean(),
  }),
  z.object({ kind: z.literal('list') }),
  /** Without a name: for any of them. */
  z.object({ kind: z.literal('wait'), name: besideName.exactOptional(), timeoutMs: z.number() }),
  z.object({ kind: z.literal('tell'), name: besideName }),
  z.object({ kind: z.literal('task'), name: besideName }),
  z.object({ kind: z.literal('interrupt'), name: besideName }),
]);
export type AgentRequest = z.infer<typeof AgentRequest>;
export type SpawnRequest = Extract<AgentRequest, { kind: 'spawn' }>;
