/** Workflow inputs and message names of agent sessions. Wire format: fields are only added. */
import type { OnAsk } from '../run/approval.ts';
import type { BudgetShare } from '../run/budget.ts';
import type { AgentRef } from './activities.ts';
import type { AgentEnd } from '../run/events.ts';
import type { SpawnRequest } from '../session/agent-requests.ts';
import type { AgentRules } from '../session/agents.ts';

/** The workflow's id is the session's; it ends when nothing was asked of it for a while, and is started again by the next message. */
export interface AgentSessionInput {
  /** `session:<id>`: of the run, the workflow and the transcript. */
  readonly sessionId: string;
  readonly hostId: string;
  /** Set by continue-as-new only. */
  readonly resume?: AgentSessionState;
}

export interface AgentSessionState {
  readonly queue: readonly SessionMessage[];
  readonly turn?: TurnState;
}

/** Argument of the update `message`. Texts lie in the store: they can be larger than what fits into a payload. */
export interface SessionMessage extends AgentRules {
  /** The sender's; a message that comes twice is one. */
  readonly messageId: string;
  /** Blob. */
  readonly text: string;
  /** Blob of the JSON schema that the answer has to follow. */
  readonly outputSchema?: string;
  readonly agent: string;
  /** Blob of what it is told; absent for one that is built in. */
  readonly agentPrompt?: string;
  /** As they were when the message was sent. */
  readonly hooks?: MessageHooks;
  /** `provider/model[:effort]`. */
  readonly model: string;
  readonly fallbackModel?: string;
  /** Model calls of the turn. */
  readonly maxSteps: number;
  /** Wall clock of the turn. */
  readonly maxTimeMs: number | null;
  readonly onAsk: OnAsk;
  readonly askTimeoutMs: number;
}

export interface MessageHooks {
  /** Blob with a `TurnHooks`. */
  readonly settings: string;
  /** See `hookPoints`. */
  readonly points: readonly string[];
}

/** A turn under way. */
export interface TurnState {
  readonly message: SessionMessage;
  /** From 1. */
  readonly turn: number;
  /** The turn's first step; steps are counted over the whole session. */
  readonly firstStep: number;
  /** The next one. */
  readonly step: number;
  readonly startedAtMs: number;
  /** The answer did not follow its schema once already. */
  readonly repaired: boolean;
  /** How often its hooks have asked for one more round. */
  readonly rounds?: number;
  /** As of `OpenTurnResult`. */
  readonly before?: string;
  readonly agents?: readonly BesideAgent[];
}

/** An agent that works beside the one that has started it, or has done so in the same turn or attempt. */
export interface BesideAgent {
  readonly as: SpawnRequest;
  /** The call that has started it. */
  readonly callId: string;
  readonly readsOnly: boolean;
  /** What came of its newest task; absent: it works on it. */
  readonly result?: SubAgentResult;
  /** The one that has started it knows what came of it. */
  readonly isTold: boolean;
}

/** What the workflow of an agent gives to that of its starter. Its answer is in its transcript. */
export interface SubAgentResult {
  readonly end: AgentEnd;
  /** Why there is no answer. At most 200 characters. */
  readonly message: string;
  /** It was told something when it had ended already. */
  readonly isUntold?: boolean;
}

/** An agent that another one has started; its workflow's id is that of its transcript. */
export interface SubAgentInput extends AgentRules {
  readonly agent: AgentRef;
  readonly hostId: string;
  readonly isShared?: boolean;
  readonly model: string;
  readonly fallbackModel?: string;
  readonly maxSteps: number;
  readonly onAsk: OnAsk;
  readonly askTimeoutMs: number;
  readonly shares: readonly BudgetShare[];
  /** Of the turn: they run around its tool calls, too. */
  readonly hooks?: MessageHooks;
  /** It works beside its starter; absent: the call that has started it waits for its answer. */
  readonly beside?: BesideTask;
  /** Set by continue-as-new only. */
  readonly resume?: SubAgentState;
}

export interface BesideTask {
  /** Built in, or described in a file. */
  readonly agent: string;
  /** Blob of what an agent from a file is told. */
  readonly prompt?: string;
  /** Its transcript begins with its starter's. */
  readonly forks: boolean;
}

export interface SubAgentState {
  readonly step: number;
  readonly firstStep: number;
  readonly startedAtMs: number;
  readonly agents?: readonly BesideAgent[];
}

export const subAgentType = 'subAgent';

export const sessionUpdates = {
  /** Argument: {@link SessionMessage}; queues it and answers how many are before it. */
  message: 'message',
  /** Argument: a `Nudge`; told to the agent at work before its next step; rejected when no turn is under way. */
  steer: 'steer',
  /**
   * Ends the turn under way, with what it is doing; rejected when there is none. Argument: absent, or an {@link Interruption}, which
   * is about the turn of one message, and takes the message out where it still waits.
   */
  interrupt: 'interrupt',
} as const;

export interface Interruption {
  readonly messageId: string;
}

export const agentSessionType = 'agentSession';
