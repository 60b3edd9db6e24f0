import { randomUUID } from 'node:crypto';
import { isObject } from './matches.ts';
import type { Transport } from './cases.ts';

type Json = { readonly [key: string]: unknown };

/** What came of a call. */
export interface Answer {
  readonly body: unknown;
  /** Of HTTP; 200 or 0 where there is none. */
  readonly status: number;
  readonly headers?: Headers;
  readonly error?: { readonly code: string; readonly message: string; readonly data: unknown };
  /** Of a stream, in order. */
  readonly events?: readonly unknown[];
}

export interface Call {
  readonly operation: string;
  readonly params: Json;
}

export type ActsClient = (call: Call) => Promise<Answer>;

/** How long a stream is read. */
export const streamMs = 30_000;

/** By which JSON-RPC code each error of the specification is told. */
const codes: { readonly [code: number]: string } = {
  [-32001]: 'TaskNotFoundError',
  [-32002]: 'TaskNotCancelableError',
  [-32003]: 'PushNotificationNotSupportedError',
  [-32004]: 'UnsupportedOperationError',
  [-32005]: 'ContentTypeNotSupportedError',
  [-32006]: 'InvalidAgentResponseError',
  [-32007]: 'ExtendedAgentCardNotConfiguredError',
  [-32008]: 'ExtensionSupportRequiredError',
  [-32009]: 'VersionNotSupportedError',
};

/** The specification's methods, by what cases call them. */
const operations = {
  send_message: 'SendMessage',
  send_streaming_message: 'SendStreamingMessage',
  get_task: 'GetTask',
  list_tasks: 'ListTasks',
  cancel_task: 'CancelTask',
  subscribe_to_task: 'SubscribeToTask',
  set_push_notification_config: 'CreateTaskPushNotificationConfig',
  get_push_notification_config: 'GetTaskPushNotificationConfig',
  list_push_notification_configs: 'ListTaskPushNotificationConfigs',
  delete_push_notification_config: 'DeleteTaskPushNotificationConfig',
  get_extended_agent_card: 'GetExtendedAgentCard',
} as const;
export type Method = (typeof operations)[keyof typeof operations];

/**
 * The requests of a case as the specification wants them: ids belong into the message, which needs an id of its own, and a webhook's
 * settings are flat.
 */
export function wireParams({ taskId, contextId, message, pushNotificationConfig, ...params }: Json): Json {
  if (isObject(message)) {
    const ids = { ...(taskId === undefined ? {} : { taskId }), ...(contextId === undefined ? {} : { contextId }) };
    return { ...params, message: { messageId: randomUUID(), ...message, ...ids } };
  }
  const context = contextId === undefined ? {} : { contextId };
  const task = taskId === undefined ? {} : { taskId };
  return { ...params, ...context, ...task, ...(isObject(pushNotificationConfig) ? pushNotificationConfig : {}) };
}

export function jsonRpcClient(url: string): ActsClient {
  return async ({ operation, params }) => {
    const body = { jsonrpc: '2.0', id: 1, method: methodOf(operation), params };
    const answer = await request(url, { method: 'POST', body });
    const { events, body: answered, ...rest } = answer;
    if (events !== undefined) {
      const failed = events.find((event) => isObject(event) && 'error' in event);
      if (failed !== undefined) return { ...rest, body: failed, error: jsonRpcError(failed) };
      return { ...rest, body: undefined, events: events.map((event) => (isObject(event) ? event['result'] : event)) };
    }
    if (isObject(answered) && 'error' in answered) return { ...rest, body: answered, error: jsonRpcError(answered) };
    return { ...rest, body: isObject(answered) ? answered['result'] : answered };
  };
}

export function restClient(url: string): ActsClient {
  return async ({ operation, params }) => {
    const answer = await request(`${url}${restPath(operation, params)}`, restRequest(operation, params));
    if (answer.status < 400) return answer;
    return { ...answer, error: restError(answer.body) };
  };
}

function restPath(operation: string, { id, taskId, contextId, historyLength, includeArtifacts }: Json): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ contextId, historyLength, includeArtifacts }))
    if (value !== undefined) query.set(name, typeof value === 'string' ? value : JSON.stringify(value));
  const asked = query.size === 0 ? '' : `?${query.toString()}`;
  const configs = `/tasks/${String(taskId)}/pushNotificationConfigs`;
  switch (methodOf(operation)) {
    case 'SendMessage':
      return '/message:send';
    case 'SendStreamingMessage':
      return '/message:stream';
    case 'GetTask':
      return `/tasks/${String(id)}${asked}`;
    case 'ListTasks':
      return `/tasks${asked}`;
    case 'CancelTask':
      return `/tasks/${String(id)}:cancel`;
    case 'SubscribeToTask':
      return `/tasks/${String(id)}:subscribe`;
    case 'CreateTaskPushNotificationConfig':
    case 'ListTaskPushNotificationConfigs':
      return configs;
    case 'GetExtendedAgentCard':
      return '/extendedAgentCard';
    case 'GetTaskPushNotificationConfig':
    case 'DeleteTaskPushNotificationConfig':
      return `${configs}/${String(id)}`;
  }
}

function restRequest(operation: string, params: Json): { readonly method: string; readonly body?: Json } {
  const method = methodOf(operation);
  if (method.startsWith('Delete')) return { method: 'DELETE' };
  if (method.startsWith('Get') || method.startsWith('List')) return { method: 'GET' };
  return { method: 'POST', body: method === 'CancelTask' || method === 'SubscribeToTask' ? {} : params };
}

export async function request(
  url: string,
  {
    method,
    body,
    headers = { 'content-type': 'application/json', 'a2a-version': '1.0' },
  }: { readonly method: string; readonly body?: unknown; readonly headers?: { readonly [name: string]: string } },
): Promise<Answer> {
  const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) };
  const response = await fetch(url, { method, headers, ...sent, signal: AbortSignal.timeout(streamMs) });
  const text = await response.text();
  const facts = { status: response.status, headers: response.headers };
  if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
    const lines = text.split('\n').filter((line) => line.startsWith('data:'));
    return { ...facts, body: undefined, events: lines.map((line): unknown => JSON.parse(line.slice(5))) };
  }
  return { ...facts, body: parsed(text) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text === '' ? {} : text;
  }
}

function jsonRpcError(answered: unknown): NonNullable<Answer['error']> {
  const error = isObject(answered) && isObject(answered['error']) ? answered['error'] : {};
  const code = Number(error['code']);
  return { code: codes[code] ?? String(code), message: String(error['message']), data: error['data'] };
}

/** AIP-193: the reason says which, as `TASK_NOT_FOUND`. */
function restError(body: unknown): NonNullable<Answer['error']> {
  const error = isObject(body) && isObject(body['error']) ? body['error'] : {};
  const details = Array.isArray(error['details']) ? error['details'] : [];
  const [reason] = details.flatMap((detail: unknown) => (isObject(detail) ? [detail['reason']] : []));
  return { code: errorOfReason(reason), message: String(error['message']), data: error['details'] };
}

/** `TASK_NOT_FOUND` is `TaskNotFoundError`. */
export function errorOfReason(reason: unknown): string {
  const squeezed = `${String(reason).replaceAll('_', '').toLowerCase()}error`;
  return Object.values(codes).find((name) => name.toLowerCase() === squeezed) ?? String(reason);
}

export function methodOf(operation: string): Method {
  if (!Object.hasOwn(operations, operation)) throw new Error(`the kit's operation ${operation} is not known here`);
  return operations[operation as keyof typeof operations];
}

/** By which name an agent card calls a transport. */
export const bindings: { readonly [transport in Transport]: string } = {
  jsonrpc: 'JSONRPC',
  rest: 'HTTP+JSON',
  grpc: 'GRPC',
};
