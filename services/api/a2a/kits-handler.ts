import { randomUUID } from 'node:crypto';
import { Message, StreamResponse } from '@a2a-js/sdk';
import type { SendMessageRequest } from '@a2a-js/sdk';
import { PushNotificationNotSupportedError, UnsupportedOperationError } from '@a2a-js/sdk/errors';
import type { A2ARequestHandler } from '@a2a-js/sdk/server';
import { directAnswer } from '../../../domain/a2a/conformance.ts';
import type { ConformanceCard } from '../../../domain/a2a/conformance.ts';
import { TaskMessage } from '../../../domain/a2a/task.ts';
import type { TaskWorkOf } from '../../../domain/contracts/task-store.ts';
import type { ApiDeps } from '../deps.ts';
import type { Caller } from './task-handler.ts';

/** The TCK of 0.3 goes on with tasks and cancels them, whatever it has sent; that of 1.0 wants them completed. */
export function kitsWork(
  { longTaskMs = 5_000 }: Pick<ApiDeps, 'longTaskMs'>,
  { version }: Caller,
): TaskWorkOf<'conformance'> {
  return { executor: 'conformance', otherwise: version === '0.3' ? 'input-required' : 'completed', longMs: longTaskMs };
}

/** The handler with what the official kits want beside tasks: answers without a task, and capabilities that are not there. */
export function withKitsWishes(handler: A2ARequestHandler, card: ConformanceCard): A2ARequestHandler {
  const kits: A2ARequestHandler = {
    ...handler,
    getAuthenticatedExtendedAgentCard: refusing(
      () => new UnsupportedOperationError('an extended card is not supported'),
    ),
    sendMessage: async (params, context) => answerTo(params) ?? (await handler.sendMessage(own(params), context)),
    sendMessageStream: async function* (params, context) {
      const answer = answerTo(params);
      if (answer === undefined) yield* handler.sendMessageStream(own(params), context);
      else yield { payload: { $case: 'message', value: answer } };
    },
  };
  if (card !== 'minimal') return kits;
  const noPush = refusing(() => new PushNotificationNotSupportedError('push notifications are not supported'));
  return {
    ...kits,
    sendMessageStream: noStream,
    resubscribe: noStream,
    createTaskPushNotificationConfig: noPush,
    getTaskPushNotificationConfig: noPush,
    listTaskPushNotificationConfigs: noPush,
    deleteTaskPushNotificationConfig: noPush,
  };
}

function refusing(error: () => Error): () => Promise<never> {
  return async () => {
    throw error();
  };
}

// eslint-disable-next-line require-yield -- it is refused as a stream is: when it is read
async function* noStream(): AsyncGenerator<StreamResponse, void, undefined> {
  throw new UnsupportedOperationError('streaming is not supported');
}

/** The TCK of 1.0 sends one message id for many messages, which would be one message. */
function own(params: SendMessageRequest): SendMessageRequest {
  const { message } = params;
  if (message === undefined || !message.messageId.startsWith('tck-')) return params;
  return { ...params, message: { ...message, messageId: `${message.messageId}-${randomUUID()}` } };
}

/** The answer to a message that no task comes of. */
function answerTo({ message: given }: SendMessageRequest): Message | undefined {
  const read = TaskMessage.safeParse(given === undefined ? undefined : Message.toJSON(given));
  // The handler says what is wrong.
  if (!read.success) return undefined;
  const text = directAnswer(read.data);
  if (text === undefined) return undefined;
  return Message.fromJSON({ messageId: randomUUID(), role: 'ROLE_AGENT', parts: [{ text }] });
}
