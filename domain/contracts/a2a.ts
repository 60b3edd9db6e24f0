/** Workflow input and message names of A2A tasks. Wire format: fields are only added. */

/** The workflow's id is `task:<task id>`. It drives a task to its end by looking at it whenever something may have changed. */
export interface A2aTaskInput {
  readonly taskId: string;
  /** Set by continue-as-new only. */
  readonly isCanceling?: boolean;
}

export interface WorkOnTaskInput {
  readonly taskId: string;
  readonly isCanceling: boolean;
  /** Why it cannot be worked on: the task has failed. */
  readonly problem?: string;
}

export type WorkOnTaskResult =
  | { readonly isOver: true }
  /** Look at it again when something was heard, and after that time in any case. */
  | { readonly isOver: false; readonly waitMs: number };

export interface TaskActivities {
  /**
   * Brings a task as far as it can go now: hands its message over, asks whoever has sent it, hands their answers over, ends its work
   * when it is to be canceled, writes its result. Twice: nothing is done twice.
   */
  workOnTask(input: WorkOnTaskInput): Promise<WorkOnTaskResult>;
}

/** Without arguments. */
export const taskSignals = {
  /** Something may have changed. */
  look: 'look',
  /** Its work is to end. */
  cancel: 'cancel',
} as const;

export const a2aTaskType = 'a2aTask';

/** The workflow's id is `push:<task id>:<config id>`. It tells one receiver of what happens to a task, one event after the other. */
export interface PushDeliveryInput {
  readonly taskId: string;
  readonly configId: string;
}

export interface PushActivities {
  /**
   * Sends the next event that its receiver was not told of, where its time has come, and notes what came of it. Twice: an event
   * that was sent and not noted is sent again, under the same id.
   * @returns when there is something to be done again; null: not before something happens
   */
  deliverNext(input: PushDeliveryInput): Promise<{ readonly waitMs: number | null }>;
}

/** Without arguments. */
export const pushSignals = {
  /** There may be something to be told. */
  look: 'look',
} as const;

export const pushDeliveryType = 'pushDelivery';
