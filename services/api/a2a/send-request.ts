import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { z } from 'zod';
import { ContentTypeNotSupportedError } from '@a2a-js/sdk/errors';
import { textOf } from '../../../domain/a2a/task.ts';
import type { TaskMessage } from '../../../domain/a2a/task.ts';
import type { Principal } from '../../../domain/access/permissions.ts';
import { MessageRequest, StartRunRequest } from '../../../domain/contracts/api.ts';
import type { TaskWork, TaskWorkOf } from '../../../domain/contracts/task-store.ts';
import { CodetetherError } from '../../../domain/errors.ts';
import { parsePrd } from '../../../domain/ralph/parse-prd.ts';
import { sessionRunId } from '../../../domain/run/ids.ts';
import { AgentName } from '../../../domain/session/agents.ts';
import { requireAllowed } from '../allowed-paths.ts';
import { chosenWorkspace } from '../chosen-workspace.ts';
import type { ApiDeps } from '../deps.ts';
import { keepPrd } from '../kept-prd.ts';
import { prepareTurn, requireFolder, titleOf } from '../prepare-turn.ts';

/** What a message's metadata can ask for; all else in it is the sender's own. */
const Wishes = z.object({
  /** What is to be done with it; see the card. */
  skill: z.enum(['agent', 'ralph']).default('agent'),
  /** Name of a named workspace; it may be absent where there is only one. */
  workspace: z.string().min(1).optional(),
  /** `provider/model[:effort]`; it may be absent where a default model is set. */
  model: z.string().min(1).optional(),
  agent: AgentName.optional(),
  /** Of skill `ralph`: where the PRD is, relative to the workspace; absent: the message's data part is the PRD. */
  prd: z.string().min(1).max(1_000).optional(),
  /** Of skill `ralph`. */
  branch: StartRunRequest.shape.branch,
  maxCostUsd: StartRunRequest.shape.maxCostUsd,
  maxConcurrent: StartRunRequest.shape.maxConcurrent,
  allowUnchecked: z.boolean().optional(),
  allowDirty: z.boolean().optional(),
});
type Wishes = z.infer<typeof Wishes>;

interface Asked {
  readonly taskId: string;
  readonly contextId: string;
  readonly message: TaskMessage;
  readonly metadata: { readonly [key: string]: unknown };
}

/**
 * What a message asks for, checked as far as it can be before it begins.
 * @throws `request-invalid`, what {@link prepareTurn} and the checks before a run throw
 */
export async function workOf(deps: ApiDeps, principal: Principal, task: Asked): Promise<TaskWork> {
  const wishes = parsed(Wishes, task.metadata, 'metadata');
  return wishes.skill === 'ralph'
    ? await runOfPrd(deps, principal, task, wishes)
    : await turnOfContext(deps, principal, task, wishes);
}

/** A turn of the context's session: what a principal sends under one context id goes to one session. */
async function turnOfContext(
  deps: ApiDeps,
  principal: Principal,
  task: Asked,
  wishes: Wishes,
): Promise<TaskWorkOf<'agent'>> {
  const sessionId = sessionRunId(sessionUuid(principal.id, task.contextId), principal.tenant);
  const known = await deps.store.getSessionRun(sessionId);
  const folder = await requireFolder(known?.folder ?? (await workspaceOf(deps, wishes)));
  const request = parsed(
    MessageRequest,
    { text: wordsOf(task.message), onAsk: 'wait', model: wishes.model, agent: wishes.agent },
    '',
  );
  const model = known?.model ?? deps.defaultModel;
  await requireAllowed(deps, principal, { paths: [folder], models: [request.model] });
  const session = known ?? {
    sessionId,
    folder,
    hostId: deps.hostId,
    title: titleOf(request.text),
    agent: 'build',
  };
  const { opening, message } = await prepareTurn(deps, { ...session, model }, { ...request, messageId: task.taskId });
  return { executor: 'agent', opening, message };
}

/** An execution of the run of a PRD, which is a file of the workspace or comes with the message. */
async function runOfPrd(
  deps: ApiDeps,
  principal: Principal,
  { message }: Asked,
  wishes: Wishes,
): Promise<TaskWorkOf<'ralph'>> {
  const repoPath = await requireFolder(await workspaceOf(deps, wishes));
  const model = wishes.model ?? deps.defaultModel;
  if (model === undefined) throw malformed(['metadata.model: is needed; no default model is set']);
  const ownPath = wishes.prd === undefined ? undefined : resolve(repoPath, wishes.prd);
  await requireAllowed(deps, principal, { paths: [repoPath, ownPath], models: [model] });
  const prdPath = ownPath ?? (await keepPrd(deps.prdFolder, prdOf(message)));
  const { branch, maxCostUsd, maxConcurrent, allowUnchecked = false, allowDirty = false } = wishes;
  const request = {
    kind: 'ralph',
    prdPath,
    repoPath,
    model,
    onAsk: 'wait',
    ...(branch === undefined ? {} : { branch }),
    ...(maxCostUsd === undefined ? {} : { maxCostUsd }),
    ...(maxConcurrent === undefined ? {} : { maxConcurrent }),
    allowUnchecked,
    allowDirty,
  } as const;
  const { plan } = await deps.preflight({ ...request, dryRun: false });
  return { executor: 'ralph', runId: plan.runId, request };
}

/** The one data part; what is no PRD is not kept. */
function prdOf(message: TaskMessage): unknown {
  const [prd, ...others] = message.parts.flatMap((part) => ('data' in part ? [part.data] : []));
  if (prd === undefined || others.length > 0)
    throw malformed(['metadata.prd: is needed (a path in the workspace), or one data part that is the PRD']);
  parsePrd(prd);
  return prd;
}

function parsed<T extends z.ZodType>(schema: T, value: unknown, place: string): z.output<T> {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  throw malformed(
    read.error.issues.map(
      ({ path, message }) => `${[place, ...path].filter((part) => part !== '').join('.')}: ${message}`,
    ),
  );
}

async function workspaceOf(deps: ApiDeps, { workspace: name }: Wishes): Promise<string> {
  const { workspace, names } = await chosenWorkspace(deps, name);
  if (workspace !== undefined) return workspace.folder;
  const problem = name === undefined ? 'is needed' : `there is no ${name}`;
  const next = names.length === 0 ? 'there is none' : `there are: ${names.join(', ')}`;
  throw malformed([`metadata.workspace: ${problem}; ${next}`]);
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
