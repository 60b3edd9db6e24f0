import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ContentTypeNotSupportedError } from '@a2a-js/sdk/errors';
import { textOf } from '../../../domain/a2a/task.ts';
import type { TaskMessage } from '../../../domain/a2a/task.ts';
import type { Principal } from '../../../domain/access/permissions.ts';
import { MessageRequest } from '../../../domain/contracts/api.ts';
import type { NamedWorkspace } from '../../../domain/contracts/store.ts';
import type { TaskWork } from '../../../domain/contracts/task-store.ts';
import { CodetetherError } from '../../../domain/errors.ts';
import { sessionRunId } from '../../../domain/run/ids.ts';
import { AgentName } from '../../../domain/session/agents.ts';
import { requireAllowed } from '../allowed-paths.ts';
import type { ApiDeps } from '../deps.ts';
import { prepareTurn, requireFolder, titleOf } from '../prepare-turn.ts';

/** What a message's metadata can ask for; all else in it is the sender's own. */
const Wishes = z.object({
  /** Name of a named workspace; it may be absent where there is only one. */
  workspace: z.string().min(1).optional(),
  /** `provider/model[:effort]`; it may be absent where a default model is set. */
  model: z.string().min(1).optional(),
  agent: AgentName.optional(),
});

/**
 * What a message asks for: the turn of a session. The session belongs to the context: what a principal sends under one context
 * id goes to one session.
 * @throws `request-invalid` and what {@link prepareTurn} throws
 */
export async function workOf(
  deps: ApiDeps,
  principal: Principal,
  task: {
    readonly taskId: string;
    readonly contextId: string;
    readonly message: TaskMessage;
    readonly metadata: { readonly [key: string]: unknown };
  },
): Promise<TaskWork> {
  const wishes = Wishes.safeParse(task.metadata);
  if (!wishes.success)
    throw malformed(wishes.error.issues.map(({ path, message }) => `metadata.${path.join('.')}: ${message}`));
  const sessionId = sessionRunId(sessionUuid(principal.id, task.contextId), principal.tenant);
  const known = await deps.store.getSessionRun(sessionId);
  const folder = await requireFolder(
    known?.folder ?? chosen(await deps.store.listNamedWorkspaces(), wishes.data.workspace, deps.hostId),
  );
  const request = MessageRequest.safeParse({
    text: wordsOf(task.message),
    onAsk: 'wait',
    model: wishes.data.model,
    agent: wishes.data.agent,
  });
  if (!request.success)
    throw malformed(request.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`));
  const model = known?.model ?? deps.defaultModel;
  await requireAllowed(deps, principal, { paths: [folder], models: [request.data.model] });
  const session = known ?? {
    sessionId,
    folder,
    hostId: deps.hostId,
    title: titleOf(request.data.text),
    agent: 'build',
  };
  const { opening, message } = await prepareTurn(
    deps,
    { ...session, model },
    { ...request.data, messageId: task.taskId },
  );
  return { executor: 'agent', opening, message };
}

function chosen(workspaces: readonly NamedWorkspace[], name: string | undefined, hostId: string): string {
  const here = workspaces.filter((workspace) => workspace.hostId === hostId);
  const [first, ...others] = name === undefined ? here : here.filter((workspace) => workspace.name === name);
  if (first !== undefined && others.length === 0) return first.folder;
  const names = here.map((workspace) => workspace.name).join(', ');
  const next = names === '' ? 'there is none' : `there are: ${names}`;
  throw malformed([
    name === undefined ? `metadata.workspace: is needed; ${next}` : `metadata.workspace: there is no ${name}; ${next}`,
  ]);
}

/** Text and data; files are nothing that an agent is told. */
function wordsOf(message: TaskMessage): string {
  if (message.parts.some((part) => 'raw' in part || 'url' in part))
    throw new ContentTypeNotSupportedError('files are not taken; send text or data');
  const data = message.parts.flatMap((part) => ('data' in part ? JSON.stringify(part.data, null, 2) : []));
  return [textOf(message), ...data].filter((words) => words !== '').join('\n\n');
}

function sessionUuid(principal: string, contextId: string): string {
  const hex = createHash('sha256').update(`${principal}\n${contextId}`).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

function malformed(problems: readonly string[]): CodetetherError {
  return new CodetetherError('request-invalid', problems.join('; '), { problems: [...problems] });
}
