/** What requests look like, beyond what the SDK holds them to; the shapes of both versions, where they differ in more than names. */
import { z } from 'zod';

const Id = z
  .string()
  .min(1)
  .max(200)
  .refine((id) => !id.includes('\0'), 'must not hold NUL');
const OptionalId = z.union([z.literal(''), Id]).nullish();
const Length = z.number().int().nonnegative().nullish();
const kinds: readonly unknown[] = ['text', 'file', 'data'];

const Part = z
  .looseObject({})
  .refine(
    (part) =>
      kinds.includes(part['kind']) || ['text', 'raw', 'url', 'data'].filter((member) => member in part).length === 1,
    'needs one of text, raw, url and data (0.3: a kind)',
  );

const Push = z.looseObject({
  id: OptionalId,
  url: z.string(),
  token: z.string().nullish(),
  authentication: z.looseObject({ scheme: z.string().nullish(), credentials: z.string().nullish() }).nullish(),
});
const LegacyPush = Push.extend({
  authentication: z
    .looseObject({ schemes: z.array(z.string()).nullish(), credentials: z.string().nullish() })
    .nullish(),
});

const Sending = z.looseObject({
  message: z.looseObject({
    messageId: Id,
    role: z.enum(['user', 'agent', 'ROLE_USER', 'ROLE_AGENT']),
    parts: z.array(Part).min(1).max(100),
    taskId: OptionalId,
    contextId: OptionalId,
  }),
  configuration: z
    .looseObject({
      historyLength: Length,
      taskPushNotificationConfig: Push.nullish(),
      pushNotificationConfig: LegacyPush.nullish(),
    })
    .nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
});
const OneTask = z.looseObject({ id: Id, historyLength: Length });
const Listing = z.looseObject({
  contextId: OptionalId,
  pageSize: z.number().int().min(1).max(100).nullish(),
  pageToken: z.string().nullish(),
  historyLength: Length,
  statusTimestampAfter: z.iso.datetime({ offset: true }).or(z.literal('')).nullish(),
});

/** As JSON of protocol buffers may have it, too. */
const OfTask = z
  .looseObject({ taskId: Id.nullish(), task_id: Id.nullish() })
  .refine((params) => (params.taskId ?? params.task_id) !== undefined, 'taskId is needed');
const OnePush = OfTask.and(z.looseObject({ id: Id }));
const LegacyOnePush = z.looseObject({ id: Id, pushNotificationConfigId: Id });

const params: { readonly [method: string]: z.ZodType } = {
  'message/send': Sending,
  'message/stream': Sending,
  'tasks/get': OneTask,
  'tasks/cancel': OneTask,
  'tasks/resubscribe': OneTask,
  SendMessage: Sending,
  SendStreamingMessage: Sending,
  GetTask: OneTask,
  CancelTask: OneTask,
  SubscribeToTask: OneTask,
  ListTasks: Listing,
  'tasks/pushNotificationConfig/set': z.looseObject({ taskId: Id, pushNotificationConfig: LegacyPush }),
  'tasks/pushNotificationConfig/get': LegacyOnePush.extend({ pushNotificationConfigId: OptionalId }),
  'tasks/pushNotificationConfig/list': z.looseObject({ id: Id }),
  'tasks/pushNotificationConfig/delete': LegacyOnePush,
  CreateTaskPushNotificationConfig: OfTask.and(Push),
  GetTaskPushNotificationConfig: OnePush,
  ListTaskPushNotificationConfigs: OfTask,
  DeleteTaskPushNotificationConfig: OnePush,
};

/** A request's envelope, of which the SDK checks the rest. */
export const Envelope = z.looseObject({
  jsonrpc: z.literal('2.0'),
  method: z.string().min(1),
  id: z.union([z.string(), z.number(), z.null()]).optional(),
});

/** What is wrong with the parameters of a method; undefined: nothing. */
export function problemOf(method: string, value: unknown): string | undefined {
  const isLegacy = method.includes('/');
  const checked = params[method]?.safeParse(isLegacy ? value : camelCased(value));
  if (checked === undefined || checked.success) return undefined;
  return checked.error.issues.map(({ path, message }) => `${path.join('.') || 'params'}: ${message}`).join('; ');
}

/** Deeper there is nothing that has a shape. */
const deepest = 4;
const anybodys: ReadonlySet<string> = new Set(['metadata', 'data']);

/** The JSON of protocol buffers may have the fields' own names: `task_id` for `taskId`. */
function camelCased(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || depth === deepest) return value;
  if (Array.isArray(value)) return value.map((item) => camelCased(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replaceAll(/_([a-z])/g, (_whole, letter: string) => letter.toUpperCase()),
      anybodys.has(key) ? inner : camelCased(inner, depth + 1),
    ]),
  );
}
