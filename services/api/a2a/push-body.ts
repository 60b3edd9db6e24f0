import { StreamResponse } from '@a2a-js/sdk';
import { V03PushNotificationSerializer } from '@a2a-js/sdk/compat/v0_3/server';
import { taskSnapshot } from '../../../domain/a2a/task.ts';
import type { TaskEvent } from '../../../domain/a2a/task.ts';
import type { WireVersion } from '../../../domain/a2a/push.ts';
import type { TaskRecord } from '../../../domain/contracts/task-store.ts';
import { CodetetherError } from '../../../domain/errors.ts';
import { eventView, taskView } from './task-view.ts';

/**
 * What a receiver is told of the newest of these events: in 1.0 the event as a stream tells it, in 0.3 the task as it is by it. The same
 * each time.
 */
export function pushBody(task: TaskRecord, events: readonly TaskEvent[], version: WireVersion): string {
  if (version === '0.3') {
    const value = taskView(task, taskSnapshot(events));
    return new V03PushNotificationSerializer().serialize({ payload: { $case: 'task', value } }).body;
  }
  const newest = events.at(-1);
  const told = newest === undefined ? undefined : eventView(task, newest);
  if (told === undefined) throw new CodetetherError('internal', 'nobody is told of that event');
  return JSON.stringify(StreamResponse.toJSON(told));
}
