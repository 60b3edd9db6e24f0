/** What a person is asked before a run goes on, and what happens when nobody answers. */

export const approvalKinds = ['tool-risk', 'quota', 'budget-line', 'merge', 'plan'] as const;
export type ApprovalKind = (typeof approvalKinds)[number];

export const approvalStates = ['pending', 'answered', 'expired'] as const;
export type ApprovalState = (typeof approvalStates)[number];

/**
 * What a run does when something has to be asked: `wait` for a person until the time is up, `deny` it, or `approve-safe`
 * (approve what can be undone on this machine, deny the rest).
 */
export const onAskPolicies = ['wait', 'deny', 'approve-safe'] as const;
export type OnAsk = (typeof onAskPolicies)[number];

export const defaultAskTimeoutMs = 24 * 60 * 60 * 1000;

/** The first choice is a yes, the last one a no; the last one also counts when nobody answers. */
export interface ApprovalQuestion {
  readonly kind: ApprovalKind;
  /** Empty when the whole run waits. */
  readonly storyId: string;
  /** At most 300 characters. */
  readonly question: string;
  readonly choices: readonly [yes: string, no: string];
  /** What `approve-safe` approves. */
  readonly isSafe: boolean;
}

export interface Approval {
  /** Short, and unique for ever. */
  readonly approvalId: string;
  readonly runId: string;
  /** Takes the answer. */
  readonly workflowId: string;
  readonly storyId: string;
  readonly kind: ApprovalKind;
  readonly question: string;
  readonly choices: readonly string[];
  readonly defaultChoice: string;
  /** RFC 3339. */
  readonly expiresAt: string;
}

export interface ApprovalSettlement {
  readonly approvalId: string;
  readonly runId: string;
  readonly storyId: string;
  readonly state: Exclude<ApprovalState, 'pending'>;
  readonly answer: string;
  /** A person, or what has answered in the place of one: `on-ask`, `timeout`, `stop`, `cancelled`, `moot`. */
  readonly answeredBy: string;
  readonly note: string;
}

/** Who waits for an answer, for people. */
export function askedBy(storyId: string): string {
  return storyId === '' ? 'run' : storyId;
}

/** Update of every workflow that asks. */
export const answerUpdate = 'answer';

export interface ApprovalAnswer {
  readonly approvalId: string;
  readonly choice: string;
  readonly answeredBy: string;
  /** At most 1,000 characters. */
  readonly note: string;
}
