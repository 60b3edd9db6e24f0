import type { NewTaskEvent, TaskEvent, TaskMessage, TaskState } from '../a2a/task.ts';
import type { RunEventBody } from '../run/events.ts';
import type { StartRunRequest } from './api.ts';
import type { SessionMessage } from './session.ts';
import type { SessionOpening } from './store.ts';

/** What a task's work is; each executor has a function of its own, see `activities/a2a`. Written when the task is, and not changed. */
export type TaskWork =
  /** A turn of the session that belongs to the task's context. */
  | { readonly executor: 'agent'; readonly opening: SessionOpening; readonly message: SessionMessage }
  /** An execution of a run. */
  | { readonly executor: 'ralph'; readonly runId: string; readonly request: StartRunRequest }
  /** What the official kits want of it, see `domain/a2a/conformance.ts`. */
  | {
      readonly executor: 'conformance';
      /** Where messages lead to that name no behaviour. */
      readonly otherwise: 'completed' | 'input-required';
      /** What a long while is. */
      readonly longMs: number;
    };
export type TaskWorkOf<Executor extends TaskWork['executor']> = Extract<TaskWork, { readonly executor: Executor }>;

/** The run, or the session, that does it; what is asked and what ends there is told to the task. Null: there is none. */
export function runOfWork(work: TaskWork): string | null {
  switch (work.executor) {
    case 'agent':
      return work.opening.sessionId;
    case 'ralph':
      return work.runId;
    case 'conformance':
      return null;
  }
}

export interface TaskPlan {
  /** A UUID. */
  readonly taskId: string;
  readonly contextId: string;
  /** Whose it is: nobody else sees it. */
  readonly principal: string;
  readonly work: TaskWork;
  readonly message: TaskMessage;
}

export interface TaskRecord extends Pick<TaskPlan, 'taskId' | 'contextId' | 'principal' | 'work'> {
  readonly state: TaskState;
  /** When it came to this state. */
  readonly statusAt: Date;
  readonly createdAt: Date;
  /** Of its newest event. */
  readonly headSeq: number;
}

/** A task with all that has happened to it, oldest first. */
export interface TaskLog extends TaskRecord {
  readonly events: readonly TaskEvent[];
}

export interface TaskQuery {
  readonly principal: string;
  readonly contextId?: string;
  readonly state?: TaskState;
  /** Only tasks that came to their state then or later. */
  readonly since?: Date;
}

/** A task in a list; those with the newest status come first. */
export type TaskPlace = Pick<TaskRecord, 'taskId' | 'statusAt'>;

export type TurnProgress =
  /** Nobody has begun with it. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'begun' }
  | { readonly kind: 'ended'; readonly end: RunEventBody<'turn-ended'> };

/** Tasks of the A2A protocol. */
export interface TaskStore {
  /** A message that its sender has sent before makes no further task: undefined. */
  createTask(plan: TaskPlan): Promise<TaskLog | undefined>;
  /** The same for a further message to a task. */
  noteTaskMessage(
    note: { readonly taskId: string; readonly principal: string },
    said: { readonly message: TaskMessage; readonly approvalId?: string },
  ): Promise<{ readonly taskId: string; readonly isNew: boolean }>;
  /** The task of a message that was sent before. */
  findTaskOf(message: { readonly principal: string; readonly messageId: string }): Promise<string | undefined>;
  getTask(taskId: string): Promise<TaskLog | undefined>;
  /** Those that are there, in any order. */
  getTasks(taskIds: readonly string[]): Promise<readonly TaskLog[]>;
  /** Those with the newest status first, and how many there are in all. */
  listTasks(
    query: TaskQuery,
    page: { readonly limit: number; readonly after?: TaskPlace | undefined },
  ): Promise<{ readonly tasks: readonly TaskLog[]; readonly total: number }>;
  /** Ids of tasks whose work a run or a session does and that are not over. */
  openTasksOf(runId: string): Promise<readonly string[]>;
  /** Appends in order, skipping keys that are there, and whatever comes after a terminal state; wakes readers. */
  appendTaskEvents(taskId: string, events: readonly NewTaskEvent[]): Promise<void>;
  /** Events with `seq > afterSeq`, in order. */
  readTaskEvents(taskId: string, options: { readonly afterSeq: number }): Promise<readonly TaskEvent[]>;
  /** How far the turn of a message is. */
  turnProgress(sessionId: string, messageId: string): Promise<TurnProgress>;
  /** As `watchRunEvents`, for tasks. */
  watchTasks(onAppend: (taskId: string | null) => void): Promise<() => Promise<void>>;
}
