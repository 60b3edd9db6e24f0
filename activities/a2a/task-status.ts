import type { NewTaskEvent, TaskMessage, TaskPart, TaskState } from '../../domain/a2a/task.ts';
import type { TaskRecord } from '../../domain/contracts/task-store.ts';
import type { RunOutcome } from '../../domain/run/events.ts';

/** Nobody may be able to tell that something has changed. */
export const slowMs = 5 * 60_000;
/** It is known that something will change soon. */
export const busyMs = 5_000;
const mostText = 100_000;

/** Writes what has happened to a task. */
export type Append = (...events: readonly NewTaskEvent[]) => Promise<void>;

/** The agent says it, in the words that are there. */
export function status(
  task: TaskRecord,
  state: TaskState,
  {
    key,
    text = '',
    ...more
  }: Omit<Extract<NewTaskEvent, { kind: 'status' }>['body'], 'state' | 'message'> & {
    readonly key: string;
    readonly text?: string;
    /** Behind the text. */
    readonly parts?: readonly TaskPart[];
  },
): NewTaskEvent {
  const { parts = [], ...body } = more;
  const said = text === '' ? {} : { message: agentSays(task, key, text, parts) };
  return { key, kind: 'status', body: { state, ...said, ...body } };
}

function agentSays(
  { taskId, contextId }: TaskRecord,
  key: string,
  text: string,
  parts: readonly TaskPart[],
): TaskMessage {
  return { messageId: `${taskId}:${key}`, taskId, contextId, role: 'ROLE_AGENT', parts: [{ text }, ...parts] };
}

/** A whole artifact of one part; nothing where there is nothing to show. */
export function artifact(
  content: Pick<TaskPart, 'text' | 'data'> | undefined,
  { id, mediaType, description }: { readonly id: string; readonly mediaType: string; readonly description: string },
): readonly NewTaskEvent[] {
  if (content === undefined) return [];
  const shown = {
    artifactId: id,
    name: id,
    ...(description === '' ? {} : { description }),
    parts: [{ ...content, mediaType }],
  };
  return [{ key: id, kind: 'artifact', body: { artifact: shown, append: false, lastChunk: true } }];
}

/** The artifacts of work in a repository; a patch comes cut already. */
export function results({
  answer,
  changes,
  patch,
}: {
  readonly answer: string;
  readonly changes: { readonly data: unknown; readonly description: string } | undefined;
  readonly patch: string | undefined;
}): readonly NewTaskEvent[] {
  return [
    ...artifact(answer === '' ? undefined : { text: answer.slice(0, mostText).toWellFormed() }, {
      id: 'answer',
      mediaType: 'text/markdown',
      description: '',
    }),
    ...artifact(changes === undefined ? undefined : { data: changes.data }, {
      id: 'changes',
      mediaType: 'application/json',
      description: changes?.description ?? '',
    }),
    ...artifact(patch === undefined || patch === '' ? undefined : { text: patch }, {
      id: 'diff',
      mediaType: 'text/x-diff',
      description: 'What was changed, as a patch; cut at 100,000 characters.',
    }),
  ];
}

export function stateOf(outcome: RunOutcome): TaskState {
  if (outcome === 'completed') return 'completed';
  return outcome === 'cancelled' || outcome === 'stopped' ? 'canceled' : 'failed';
}
