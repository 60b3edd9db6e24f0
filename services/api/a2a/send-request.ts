import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { ContentTypeNotSupportedError } from '@a2a-js/sdk/errors';
import { textOf } from '../../../domain/a2a/task.ts';
import type { TaskMessage } from '../../../domain/a2a/task.ts';
import type { Principal } from '../../../domain/access/permissions.ts';
import { MessageRequest, StartRunRequest } from '../../../domain/contracts/api.ts';
import type { NamedWorkspace } from '../../../domain/contracts/store.ts';
import type { TaskWork, TaskWorkOf } from '../../../domain/contracts/task-store.ts';
import { CodetetherError } from '../../../domain/errors.ts';
import { sessionRunId } from '../../../domain/run/ids.ts';
import { AgentName } from '../../../domain/session/agents.ts';
import { requireAllowed } from '../allowed-paths.ts';
import type { ApiDeps } from '../deps.ts';
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
  { taskId, message }: Asked,
  wishes: Wishes,
): Promise<TaskWorkOf<'ralph'>> {
  const repoPath = await requireFolder(await workspaceOf(deps, wishes));
  const model = wishes.model ?? deps.defaultModel;
  if (model === undefined) throw malformed(['metadata.model: is needed; no default model is set']);
  const prdPath =
    wishes.prd === undefined ? await keepPrd(deps.prdFolder, taskId, message) : resolve(repoPath, wishes.prd);
  const inWorkspace = wishes.prd === undefined ? [repoPath] : [repoPath, prdPath];
  await requireAllowed(deps, principal, { paths: inWorkspace, models: [model] });
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
  try {
    const { plan } = await deps.preflight({ ...request, dryRun: false });
    return { executor: 'ralph', runId: plan.runId, request };
  } catch (error) {
    if (wishes.prd === undefined) await rm(prdPath, { force: true });
    throw error;
  }
}

/** A run works with the file of its PRD for as long as it lives; one of the same task is the same one. */
async function keepPrd(folder: string, taskId: string, message: TaskMessage): Promise<string> {
  const [prd, ...others] = message.parts.flatMap((part) => ('data' in part ? [part.data] : []));
  if (prd === undefined || others.length > 0)
    throw malformed(['metadata.prd: is needed (a path in the workspace), or one data part that is the PRD']);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, `${taskId}.json`);
  await writeFile(file, `${JSON.stringify(prd, null, 2)}\n`, { mode: 0o600 });
  return file;
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

async function workspaceOf(deps: ApiDeps, { workspace }: Wishes): Promise<string> {
  return chosen(await deps.store.listNamedWorkspaces(), workspace, deps.hostId);
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
