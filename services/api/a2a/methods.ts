import {
  AgentCard,
  CancelTaskRequest,
  DeleteTaskPushNotificationConfigRequest,
  GetExtendedAgentCardRequest,
  GetTaskPushNotificationConfigRequest,
  GetTaskRequest,
  ListTaskPushNotificationConfigsRequest,
  ListTaskPushNotificationConfigsResponse,
  ListTasksRequest,
  ListTasksResponse,
  SendMessageRequest,
  SendMessageResponse,
  StreamResponse,
  SubscribeToTaskRequest,
  Task,
  TaskPushNotificationConfig,
} from '@a2a-js/sdk';
import type { Message } from '@a2a-js/sdk';
import type { A2ARequestHandler } from '@a2a-js/sdk/server';
import type { OpenCall } from './calls.ts';

interface Codec {
  fromJSON(json: unknown): unknown;
  toJSON(message: never): unknown;
}

interface Method {
  /** Its name in the SDK's handler. */
  readonly of: keyof A2ARequestHandler;
  readonly request: Codec;
  readonly response: Codec;
}

const nothing: Codec = { fromJSON: () => ({}), toJSON: () => undefined };

/** The methods of A2A 1.0, with the codecs of their messages. */
export const methods = {
  SendMessage: { of: 'sendMessage', request: SendMessageRequest, response: SendMessageResponse },
  SendStreamingMessage: { of: 'sendMessageStream', request: SendMessageRequest, response: StreamResponse },
  GetTask: { of: 'getTask', request: GetTaskRequest, response: Task },
  ListTasks: { of: 'listTasks', request: ListTasksRequest, response: ListTasksResponse },
  CancelTask: { of: 'cancelTask', request: CancelTaskRequest, response: Task },
  SubscribeToTask: { of: 'resubscribe', request: SubscribeToTaskRequest, response: StreamResponse },
  CreateTaskPushNotificationConfig: {
    of: 'createTaskPushNotificationConfig',
    request: TaskPushNotificationConfig,
    response: TaskPushNotificationConfig,
  },
  GetTaskPushNotificationConfig: {
    of: 'getTaskPushNotificationConfig',
    request: GetTaskPushNotificationConfigRequest,
    response: TaskPushNotificationConfig,
  },
  ListTaskPushNotificationConfigs: {
    of: 'listTaskPushNotificationConfigs',
    request: ListTaskPushNotificationConfigsRequest,
    response: ListTaskPushNotificationConfigsResponse,
  },
  DeleteTaskPushNotificationConfig: {
    of: 'deleteTaskPushNotificationConfig',
    request: DeleteTaskPushNotificationConfigRequest,
    response: nothing,
  },
  GetExtendedAgentCard: {
    of: 'getAuthenticatedExtendedAgentCard',
    request: GetExtendedAgentCardRequest,
    response: AgentCard,
  },
} as const satisfies { readonly [name: string]: Method };
export type MethodName = keyof typeof methods;

export function isMethod(name: string): name is MethodName {
  return Object.hasOwn(methods, name);
}

/**
 * Calls a method with its message, that of the request, and answers with that of the response, or with a stream of them.
 * Throws the errors of the SDK and those of the catalogue.
 */
export async function perform(
  name: MethodName,
  params: unknown,
  { handler, context }: OpenCall,
): Promise<object | AsyncIterable<object>> {
  const method = handler[methods[name].of] as (
    params: unknown,
    context: unknown,
  ) => Promise<object | undefined> | AsyncIterable<object>;
  const answered = await method(params, context);
  if (name === 'SendMessage') return sendMessageResponse(answered as Message | Task);
  return answered ?? {};
}

function sendMessageResponse(sent: Message | Task): SendMessageResponse {
  return { payload: 'messageId' in sent ? { $case: 'message', value: sent } : { $case: 'task', value: sent } };
}
