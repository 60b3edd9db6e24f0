import type { Permission } from '../../../domain/access/permissions.ts';

/** Of both versions. */
const writingMethods: ReadonlySet<string> = new Set([
  'message/send',
  'message/stream',
  'tasks/cancel',
  'tasks/pushNotificationConfig/set',
  'tasks/pushNotificationConfig/delete',
  'CreateTaskPushNotificationConfig',
  'DeleteTaskPushNotificationConfig',
  'SendMessage',
  'SendStreamingMessage',
  'CancelTask',
]);

/** What a principal needs for a method. */
export function permissionOf(method: string): Permission {
  return writingMethods.has(method) ? 'runs:write' : 'runs:read';
}
