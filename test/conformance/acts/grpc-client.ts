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
import { fromGrpcError } from '@a2a-js/sdk/errors/grpc';
import { A2AService } from '@a2a-js/sdk/server/grpc';
import { credentials, makeGenericClientConstructor, Metadata } from '@grpc/grpc-js';
import type { ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import { errorOfReason, methodOf, streamMs } from './clients.ts';
import type { ActsClient, Answer, Method } from './clients.ts';

const nothing = { toJSON: () => ({}) };
/** Of what is sent, and of what is answered. */
const codecs: {
  readonly [method in Method]: readonly [{ fromJSON(json: unknown): unknown }, { toJSON(answered: never): unknown }];
} = {
  SendMessage: [SendMessageRequest, SendMessageResponse],
  SendStreamingMessage: [SendMessageRequest, StreamResponse],
  GetTask: [GetTaskRequest, Task],
  ListTasks: [ListTasksRequest, { toJSON: withPageToken }],
  CancelTask: [CancelTaskRequest, Task],
  SubscribeToTask: [SubscribeToTaskRequest, StreamResponse],
  CreateTaskPushNotificationConfig: [TaskPushNotificationConfig, TaskPushNotificationConfig],
  GetTaskPushNotificationConfig: [GetTaskPushNotificationConfigRequest, TaskPushNotificationConfig],
  ListTaskPushNotificationConfigs: [ListTaskPushNotificationConfigsRequest, ListTaskPushNotificationConfigsResponse],
  DeleteTaskPushNotificationConfig: [DeleteTaskPushNotificationConfigRequest, nothing],
  GetExtendedAgentCard: [GetExtendedAgentCardRequest, AgentCard],
};

type Unary = (
  request: unknown,
  metadata: Metadata,
  options: { readonly deadline: number },
  done: (error: ServiceError | null, answer: unknown) => void,
) => void;
type Streaming = (
  request: unknown,
  metadata: Metadata,
  options: { readonly deadline: number },
) => ClientReadableStream<unknown>;

/** Messages as JSON, by the SDK's codecs. */
export function grpcClient(url: string): ActsClient {
  const Client = makeGenericClientConstructor(A2AService, 'A2AService');
  return async ({ operation, params }) => {
    const client = new Client(url.replace(/^\w+:\/\//, ''), credentials.createInsecure());
    const method = methodOf(operation);
    const [request, response] = codecs[method];
    const sent = request.fromJSON(params);
    const metadata = new Metadata();
    metadata.set('a2a-version', '1.0');
    const options = { deadline: Date.now() + streamMs };
    const json = (answered: unknown): unknown => response.toJSON(answered as never);
    const named = client[`${method.charAt(0).toLowerCase()}${method.slice(1)}`];
    try {
      if (method === 'SendStreamingMessage' || method === 'SubscribeToTask') {
        const events: unknown[] = [];
        for await (const event of (named as Streaming).call(client, sent, metadata, options)) events.push(json(event));
        return { body: undefined, status: 200, events };
      }
      const answered = await new Promise((resolve, reject) => {
        const done = (error: ServiceError | null, answer: unknown) =>
          error === null ? resolve(answer) : reject(error);
        (named as Unary).call(client, sent, metadata, options, done);
      });
      return { body: json(answered) ?? {}, status: 200 };
    } catch (error) {
      return { body: undefined, status: 0, error: told(error as ServiceError) };
    } finally {
      client.close();
    }
  };
}

/** An empty text is not sent over gRPC, and is there all the same. */
function withPageToken(answered: ListTasksResponse): object {
  return { nextPageToken: answered.nextPageToken, ...Object(ListTasksResponse.toJSON(answered)) };
}

function told(error: ServiceError): NonNullable<Answer['error']> {
  const { reason, message } = fromGrpcError(error);
  return { code: errorOfReason(reason), message, data: { reason } };
}
