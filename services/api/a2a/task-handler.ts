import { randomUUID } from 'node:crypto';
import { Message, Task, TaskState as WireState } from '@a2a-js/sdk';
import type { AgentCard, StreamResponse } from '@a2a-js/sdk';
import {
  A2AError,
  RequestMalformedError,
  TaskNotCancelableError,
  TaskNotFoundError,
  UnsupportedOperationError,
} from '@a2a-js/sdk/errors';
import type { A2ARequestHandler, ServerCallContext } from '@a2a-js/sdk/server';
import { z } from 'zod';
import { isInterrupted, isTerminal, TaskMessage, taskSnapshot, taskStates, textOf } from '../../../domain/a2a/task.ts';
import type { WireVersion } from '../../../domain/a2a/push.ts';
import type { TaskEvent, TaskSnapshot, TaskState } from '../../../domain/a2a/task.ts';
import type { Principal } from '../../../domain/access/permissions.ts';
import type { TaskLog, TaskPlace, TaskRecord } from '../../../domain/contracts/task-store.ts';
import { asCodetetherError, CodetetherError } from '../../../domain/errors.ts';
import { isAnswerTo, possibleAnswers } from '../../../domain/run/approval.ts';
import { defaultTenant } from '../../../domain/run/ids.ts';
import { currentTenant } from '../../store/current-tenant.ts';
import type { ApiDeps } from '../deps.ts';
import { kitsWork, withKitsWishes } from './kits-handler.ts';
import { workOf } from './send-request.ts';
import { createPushConfigs } from './push-configs.ts';
import { taskEvents } from './task-events.ts';
import type { ReadTask } from './task-reader.ts';
import { eventView, taskView } from './task-view.ts';

const legacyVersion = '0.3';
/** How long a request waits for a task; the task goes on, and its state then is the answer. */
const longestWaitMs = 5 * 60_000;
const cancelWaitMs = 60_000;
/** A row is written before the engine hears of it. */
const startingMs = 5_000;
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const defaultPageSize = 50;
const longestContextId = 200;

/** Who asks, and until when: put into the context of each call. */
export interface Caller {
  readonly principal: Principal;
  readonly signal: AbortSignal;
  /** Of the protocol that the request speaks. */
  readonly version: string;
}
export const callerKey = 'codetether';

interface Accepted {
  readonly task: TaskLog;
  /** What was there before the message, so that it is no answer to it. */
  readonly afterSeq: number;
}

/**
 * The A2A methods over the store and the engine. Nothing is held here: any replica answers for any task, before and after any restart.
 * Errors are the SDK's.
 */
export function createTaskHandler(
  deps: ApiDeps & { readonly readTask: ReadTask },
  cards: { readonly card: () => AgentCard; readonly extendedCard: () => Promise<AgentCard> },
): A2ARequestHandler {
  const { store, engine, readTask } = deps;

  const handler: A2ARequestHandler = {
    getAgentCard: async () => cards.card(),
    getAuthenticatedExtendedAgentCard: async () => await protocolErrors(cards.extendedCard),
    sendMessage: async (params, context) =>
      await protocolErrors(async () => {
        const caller = callerOf(context);
        const { task, afterSeq } = await acceptWithPush(params, context);
        const { configuration } = params;
        const isWaiting =
          configuration === undefined ? context.requestedVersion !== legacyVersion : !configuration.returnImmediately;
        const settled = isWaiting ? await untilSettled(task, afterSeq, within(caller, longestWaitMs)) : task.events;
        return view(task, settled, configuration?.historyLength);
      }),
    sendMessageStream: (params, context) => {
      const caller = callerOf(context);
      return streamed(async () => await acceptWithPush(params, context), caller);
    },
    getTask: async ({ id, historyLength }, context) =>
      await protocolErrors(async () => {
        const task = await ownTask(id, callerOf(context));
        await startAgain(task);
        return view(task, task.events, historyLength);
      }),
    listTasks: async (params, context) => await protocolErrors(async () => await list(params, callerOf(context))),
    cancelTask: async ({ id }, context) =>
      await protocolErrors(async () => {
        const caller = callerOf(context);
        const task = await ownTask(id, caller);
        if (isTerminal(task.state)) throw new TaskNotCancelableError(`the task is ${task.state}`);
        await engine.tellTask(task.taskId, 'cancel', caller.principal.tenant);
        const events = await untilTerminal(task, within(caller, cancelWaitMs));
        const { state } = taskSnapshot(events).status;
        if (isTerminal(state) && state !== 'canceled') throw new TaskNotCancelableError(`the task is ${state}`);
        return view(task, events);
      }),
    resubscribe: (params, context) => {
      const caller = callerOf(context);
      return streamed(async () => {
        const task = await ownTask(params.id, caller);
        if (isTerminal(task.state)) throw new UnsupportedOperationError(`the task is ${task.state}`);
        await startAgain(task);
        // Questions end no subscription.
        return { task, afterSeq: Number.MAX_SAFE_INTEGER };
      }, caller);
    },
    createTaskPushNotificationConfig: async (params, context) =>
      await protocolErrors(async () => {
        const caller = callerOf(context);
        const task = await ownTask(params.taskId, caller);
        return await pushConfigsOf(caller).set(task, params, { version: versionOf(context) });
      }),
    getTaskPushNotificationConfig: async ({ taskId, id }, context) =>
      await protocolErrors(async () => {
        const caller = callerOf(context);
        return await pushConfigsOf(caller).get(await ownTask(taskId, caller), id);
      }),
    listTaskPushNotificationConfigs: async ({ taskId }, context) =>
      await protocolErrors(async () => {
        const caller = callerOf(context);
        const configs = await pushConfigsOf(caller).list(await ownTask(taskId, caller));
        return { configs, nextPageToken: '' };
      }),
    deleteTaskPushNotificationConfig: async ({ taskId, id }, context) =>
      await protocolErrors(async () => {
        const task = await ownTask(taskId, callerOf(context));
        await store.deletePushConfig(task.taskId, id);
      }),
  };
  return deps.conformance === undefined ? handler : withKitsWishes(handler, deps.conformance);

  function pushConfigsOf({ principal }: Caller) {
    return createPushConfigs(deps, principal.tenant);
  }

  /** A config that cannot be set is known before anything is done. */
  async function acceptWithPush(
    params: Parameters<A2ARequestHandler['sendMessage']>[0],
    context: ServerCallContext,
  ): Promise<Accepted> {
    const caller = callerOf(context);
    const given = params.configuration?.taskPushNotificationConfig;
    if (given === undefined) return await accept(params, caller);
    const configs = pushConfigsOf(caller);
    const taskId = params.message?.taskId ?? '';
    await configs.check(given, taskId === '' ? undefined : await ownTask(taskId, caller));
    const accepted = await accept(params, caller);
    const messageId = params.message?.messageId ?? '';
    await configs.set(accepted.task, given, { version: versionOf(context), messageId });
    return accepted;
  }

  async function accept(params: Parameters<A2ARequestHandler['sendMessage']>[0], caller: Caller): Promise<Accepted> {
    const { principal } = caller;
    const message = readMessage(params.message);
    const known = await store.findTaskOf({ principal: principal.id, messageId: message.messageId });
    if (known !== undefined) return await again(known, caller);
    if (message.taskId !== undefined && message.taskId !== '') return await followUp(message.taskId, message, caller);
    const taskId = randomUUID();
    const contextId = message.contextId === undefined || message.contextId === '' ? randomUUID() : message.contextId;
    if (contextId.length > longestContextId) throw new RequestMalformedError('contextId is too long');
    const said = { ...message, taskId, contextId };
    const metadata = { ...message.metadata, ...params.metadata };
    const work =
      deps.conformance === undefined
        ? await workOf(deps, principal, { taskId, contextId, message, metadata })
        : kitsWork(deps, caller);
    const created = await store.createTask({ taskId, contextId, principal: principal.id, work, message: said });
    if (created === undefined) return await accept(params, caller);
    await engine.tellTask(taskId, 'look', principal.tenant);
    return { task: created, afterSeq: 0 };
  }

  /** A message that has come before. */
  async function again(taskId: string, caller: Caller): Promise<Accepted> {
    const task = await ownTask(taskId, caller);
    await startAgain(task, 0);
    const isSettled = isTerminal(task.state) || isInterrupted(task.state);
    return { task, afterSeq: isSettled ? 0 : task.headSeq };
  }

  /** The answer to what a task waits for. */
  async function followUp(taskId: string, message: TaskMessage, caller: Caller): Promise<Accepted> {
    const { principal } = caller;
    const task = await ownTask(taskId, caller);
    if (message.contextId !== undefined && message.contextId !== '' && message.contextId !== task.contextId)
      throw new RequestMalformedError('the task belongs to another context');
    const { status } = taskSnapshot(task.events);
    if (isTerminal(status.state))
      throw new UnsupportedOperationError(`the task is ${status.state}: send a new one with its contextId`);
    if (task.work.executor === 'conformance') return await note({ message: { ...message, contextId: task.contextId } });
    const approval = status.approvalId === undefined ? undefined : await store.getApproval(status.approvalId);
    if (approval?.state !== 'pending') throw new UnsupportedOperationError('the task is at work and has asked nothing');
    if (approval.kind !== 'question' && !principal.permissions.has('approvals:answer'))
      throw new UnsupportedOperationError('it takes the permission approvals:answer to answer that');
    if (!isAnswerTo(approval, textOf(message).trim()))
      throw new RequestMalformedError(`the question can be answered by ${possibleAnswers(approval)}`);
    return await note({ message: { ...message, contextId: task.contextId }, approvalId: approval.approvalId });

    async function note(said: Parameters<typeof store.noteTaskMessage>[1]): Promise<Accepted> {
      const noted = await store.noteTaskMessage({ taskId, principal: principal.id }, said);
      if (!noted.isNew) return await again(noted.taskId, caller);
      await engine.tellTask(taskId, 'look', principal.tenant);
      return { task: await ownTask(taskId, caller), afterSeq: task.headSeq };
    }
  }

  async function list(
    params: Parameters<A2ARequestHandler['listTasks']>[0],
    { principal }: Caller,
  ): ReturnType<A2ARequestHandler['listTasks']> {
    const { contextId, status, statusTimestampAfter: since, pageToken } = params;
    const pageSize = params.pageSize ?? defaultPageSize;
    const { tasks, total } = await store.listTasks(
      {
        principal: principal.id,
        ...(contextId === '' ? {} : { contextId }),
        ...(status === WireState.TASK_STATE_UNSPECIFIED ? {} : { state: stateOf(status) }),
        ...(since === undefined || since === '' ? {} : { since: new Date(since) }),
      },
      { limit: pageSize + 1, after: pageToken === '' ? undefined : readPageToken(pageToken) },
    );
    const page = tasks.slice(0, pageSize);
    const last = page.at(-1);
    return {
      tasks: page.map((task) =>
        taskView(task, taskSnapshot(task.events), {
          historyLength: params.historyLength,
          artifacts: params.includeArtifacts === true,
        }),
      ),
      nextPageToken: last === undefined || tasks.length <= pageSize ? '' : pageTokenOf(last),
      pageSize,
      totalSize: total,
    };
  }

  /** The task as it is, then what happens to it: the same for everybody, in the same order. */
  async function* streamed(
    open: () => Promise<Accepted>,
    caller: Caller,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const { task, afterSeq } = await protocolErrors(open);
    const snapshot = taskSnapshot(task.events);
    yield { payload: { $case: 'task', value: taskView(task, snapshot) } };
    if (isSettled(snapshot, afterSeq)) return;
    for await (const event of follow(task, caller)) {
      const told = eventView(task, event);
      if (told !== undefined) yield told;
      if (event.kind === 'status' && isInterrupted(event.body.state) && event.seq > afterSeq) return;
    }
  }

  /** What happens to it from there. */
  function follow({ taskId, headSeq }: TaskRecord, { principal, signal }: Caller) {
    return taskEvents(store, { taskId, tenant: principal.tenant, afterSeq: headSeq, signal });
  }

  /** Its log when it is over or waits for its sender, or the time is up. */
  async function untilSettled(task: TaskLog, afterSeq: number, caller: Caller): Promise<readonly TaskEvent[]> {
    const events = [...task.events];
    if (isSettled(taskSnapshot(events), afterSeq)) return events;
    for await (const event of follow(task, caller)) {
      events.push(event);
      if (event.kind === 'status' && isInterrupted(event.body.state)) break;
    }
    return events;
  }

  async function untilTerminal(task: TaskLog, caller: Caller): Promise<readonly TaskEvent[]> {
    const events = [...task.events];
    for await (const event of follow(task, caller)) events.push(event);
    return events;
  }

  /** What is not the caller's is not there. */
  async function ownTask(taskId: string, { principal }: Caller): Promise<TaskLog> {
    const task = uuid.test(taskId) ? await readTask(taskId) : undefined;
    if (task?.principal === principal.id) return task;
    throw new TaskNotFoundError(`task not found: ${taskId.slice(0, 100)}`);
  }

  /** Whoever has written the task may have died before the engine heard of it. */
  async function startAgain(task: TaskRecord, afterMs = startingMs): Promise<void> {
    if (task.state !== 'submitted' || Date.now() - task.createdAt.getTime() < afterMs) return;
    await engine.tellTask(task.taskId, 'look', currentTenant() ?? defaultTenant);
  }
}

function versionOf({ requestedVersion }: ServerCallContext): WireVersion {
  return requestedVersion === legacyVersion ? legacyVersion : '1.0';
}

/** Over, or waiting for its sender since it has said something. */
function isSettled({ status, statusSeq }: TaskSnapshot, afterSeq: number): boolean {
  return isTerminal(status.state) || (isInterrupted(status.state) && statusSeq > afterSeq);
}

function view(task: TaskRecord, events: readonly TaskEvent[], historyLength?: number): Task {
  return taskView(task, taskSnapshot(events), { historyLength });
}

function callerOf(context: ServerCallContext): Caller {
  // Put there by the route.
  return context.state.get(callerKey) as Caller;
}

function within({ signal, ...caller }: Caller, ms: number): Caller {
  return { ...caller, signal: AbortSignal.any([signal, AbortSignal.timeout(ms)]) };
}

function readMessage(given: Message | undefined): TaskMessage {
  const read = TaskMessage.safeParse(given === undefined ? undefined : Message.toJSON(given));
  if (read.success) return read.data;
  const problems = read.error.issues.map(({ path, message }) => `message.${path.join('.')}: ${message}`);
  throw new RequestMalformedError(problems.join('; '));
}

function stateOf(state: WireState): TaskState {
  const found = taskStates.find((each) => WireState[state] === `TASK_STATE_${each.toUpperCase().replaceAll('-', '_')}`);
  if (found === undefined) throw new RequestMalformedError('status: there is no such state');
  return found;
}

const PageToken = z.tuple([z.iso.datetime(), z.string().regex(uuid)]);

function pageTokenOf({ statusAt, taskId }: TaskPlace): string {
  return Buffer.from(JSON.stringify([statusAt.toISOString(), taskId])).toString('base64url');
}

function readPageToken(token: string): TaskPlace {
  try {
    const [statusAt, taskId] = PageToken.parse(JSON.parse(Buffer.from(token, 'base64url').toString('utf8')));
    return { statusAt: new Date(statusAt), taskId };
  } catch (error) {
    throw new RequestMalformedError({ message: 'pageToken: is none of ours', cause: error });
  }
}

/** Errors of the catalogue as the SDK's; what nobody foresaw is told as no more than that. */
async function protocolErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof A2AError) throw error;
    const { code, message, problems, entry } = asCodetetherError(error);
    const words = [message, ...problems.filter((problem) => !message.includes(problem))].join('; ');
    if (code === 'permission-denied') throw new UnsupportedOperationError({ message: words, cause: error });
    if (entry.http < 500) throw new RequestMalformedError({ message: words, cause: error });
    // eslint-disable-next-line preserve-caught-error -- the SDK sends the message of any other error as it is
    throw new CodetetherError(code, code === 'internal' ? 'something went wrong' : words);
  }
}
