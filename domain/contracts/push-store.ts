import type { WireVersion } from '../a2a/push.ts';

/** Where the sender of a task is told what happens to it. */
export interface PushConfig {
  readonly taskId: string;
  /** Unique in its task. */
  readonly configId: string;
  readonly url: string;
  /** Of the request that has set it: that is how it is told. */
  readonly wireVersion: WireVersion;
  /** Token and credentials, encrypted; null where there are none. */
  readonly sealed: Uint8Array | null;
}

/** What was sent, or is to be: one event of a task to one config. */
export interface Push {
  readonly config: PushConfig;
  readonly seq: number;
  /** That have failed; 0: it was not tried, or is replayed. */
  readonly attempts: number;
}

export interface PushFailure {
  readonly reason: string;
  /** HTTP's; null where there was no answer. */
  readonly status: number | null;
  /** Null: it is not tried any more, and a dead letter. */
  readonly againInMs: number | null;
}

/** An event of a task that could not be delivered. */
export interface DeadLetter {
  readonly deadLetterId: string;
  readonly taskId: string;
  readonly configId: string;
  readonly url: string;
  readonly seq: number;
  readonly attempts: number;
  readonly reason: string;
  readonly status: number | null;
  /** When it became one. */
  readonly at: Date;
  /** Nothing is sent to its config any more. */
  readonly isDisabled: boolean;
}

/** Push notifications: where they go, how far each has come, and what could not be delivered. */
export interface PushStore {
  /**
   * Sets or replaces a config, which is not disabled any more. One that is there goes on where it was; a new one begins after the
   * message that it came with, else with what happens next.
   * @returns false when the task has `most` others
   */
  setPushConfig(
    config: PushConfig,
    options: { readonly most: number; readonly messageId?: string | undefined },
  ): Promise<boolean>;
  getPushConfig(taskId: string, configId: string): Promise<PushConfig | undefined>;
  /** In the order in which they were set first. */
  listPushConfigs(taskId: string): Promise<readonly PushConfig[]>;
  /** With its dead letters. Twice is once. */
  deletePushConfig(taskId: string, configId: string): Promise<void>;
  /** Ids of a task's configs that have something to be sent. */
  pushConfigsBehind(taskId: string): Promise<readonly string[]>;
  /** What is sent next, or when; undefined: nothing, until something happens. Changes nothing. */
  nextPush(config: {
    readonly taskId: string;
    readonly configId: string;
  }): Promise<Push | { readonly inMs: number } | undefined>;
  /** Twice is once. */
  pushDelivered(push: Push): Promise<void>;
  /** Twice is once. Too many dead letters in a row disable the config. */
  pushFailed(push: Push, failure: PushFailure): Promise<void>;
  /** The newest first. @param query.principal of their tasks; absent: everybody's */
  listDeadLetters(query: {
    readonly principal?: string | undefined;
    /** Id of the one to go on after. */
    readonly before?: string | undefined;
    readonly limit: number;
  }): Promise<readonly DeadLetter[]>;
  /**
   * Has it tried again as if for the first time; its config is not disabled any more.
   * @returns undefined where there is no such dead letter (any more)
   */
  replayDeadLetter(query: {
    readonly deadLetterId: string;
    readonly principal?: string | undefined;
  }): Promise<DeadLetter | undefined>;
}
