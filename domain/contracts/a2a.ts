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
