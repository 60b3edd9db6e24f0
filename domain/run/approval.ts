/** What a person is asked before a run goes on, and what happens when nobody answers. */

export const approvalKinds = ['tool-risk', 'quota', 'budget-line', 'merge', 'plan', 'question'] as const;
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

/** Whether something may be done. The first choice is a yes, the last one a no; the last one also counts when nobody answers. */
export interface Decision {
  readonly kind: Exclude<ApprovalKind, 'question'>;
  /** Empty when the whole run waits. */
  readonly storyId: string;
  /** Cut at {@link longestQuestion}. */
  readonly question: string;
  readonly choices: readonly [yes: string, no: string];
  /** What `approve-safe` approves. */
  readonly isSafe: boolean;
}

/** What an agent wants to know. No policy of a run can answer it: where nobody does, its agent decides itself. */
export interface AgentQuestion {
  readonly kind: 'question';
  readonly storyId: string;
  /** Cut at {@link longestQuestion}. */
  readonly question: string;
  /** One of them is the answer; none: any text is. */
  readonly choices: readonly string[];
  /** What its agent takes when nobody answers; empty: it has named nothing. */
  readonly defaultChoice: string;
}

export type ApprovalQuestion = Decision | AgentQuestion;

/** Characters; a plan or an agent's question can need several lines, what a run asks by itself does not. */
export function longestQuestion(kind: ApprovalKind): number {
  return kind === 'question' || kind === 'plan' ? 2_000 : 300;
}

/** Characters of an answer to a question without choices. */
export const longestAnswer = 1_000;

export interface Approval {
  /** Short, and unique for ever. */
  readonly approvalId: string;
  readonly runId: string;
  /** Takes the answer. */
  readonly workflowId: string;
  readonly storyId: string;
  readonly kind: ApprovalKind;
  readonly question: string;
  /** Empty for a question that any text answers. */
  readonly choices: readonly string[];
  /** What counts when nobody answers; empty: the agent that asks decides itself. */
  readonly defaultChoice: string;
  /** RFC 3339. */
  readonly expiresAt: string;
}

/** Whether it can be answered so. */
export function isAnswerTo({ choices }: Pick<Approval, 'choices'>, choice: string): boolean {
  if (choices.length > 0) return choices.includes(choice);
  return choice.trim() !== '' && choice.length <= longestAnswer;
}

/** How it can be answered, for people. */
export function possibleAnswers({ choices }: Pick<Approval, 'choices'>): string {
  return choices.length === 0 ? `a text of up to ${longestAnswer} characters` : choices.join(' or ');
}

/** What happens when nobody answers, for people. */
export function withoutAnswer({ defaultChoice }: Pick<Approval, 'defaultChoice'>): string {
  return defaultChoice === '' ? 'the agent decides' : defaultChoice;
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

/** False when nobody has answered, or the run's policy in the place of a person. */
export function isByPerson({ state, answeredBy }: Pick<ApprovalSettlement, 'state' | 'answeredBy'>): boolean {
  return state === 'answered' && answeredBy !== 'on-ask';
}

/** Who waits for an answer, for people. */
export function askedBy(storyId: string): string {
  return storyId === '' ? 'run' : storyId;
}

/** Update of every workflow that asks. */
export const answerUpdate = 'answer';

export interface ApprovalAnswer {
  readonly approvalId: string;
  /** One of the choices; where there are none, the answer itself. */
  readonly choice: string;
  readonly answeredBy: string;
  /** At most 1,000 characters. */
  readonly note: string;
}
