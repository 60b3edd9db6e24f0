/**
 * Ids of runs and of everything below them. They are wire format: workflow ids, commit trailers,
 * event bodies and the command line all use the same strings.
 */

/** Lower-case letters, digits and single dashes; never empty; at most 60 characters. */
export function slug(text: string): string {
  const plain = text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60)
    .replace(/-+$/, '');
  return plain === '' ? 'x' : plain;
}

/** Whose runs have ids without a tenant: that of the local stack. */
export const defaultTenant = 'default';

/** A tenant's name: a part of ids, keys and addresses. */
export const tenantPattern = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

/** `<kind>:`, and `@<tenant>:` behind it for another than the default one, so that ids are unique in an engine that tenants share. */
function idPrefix(kind: string, tenant: string): string {
  return tenant === defaultTenant ? `${kind}:` : `${kind}:@${tenant}:`;
}

/** Whose work a workflow does; its id says so. */
export function tenantOf(workflowId: string): string {
  return /^[^:]+:@([^:]+):/.exec(workflowId)?.[1] ?? defaultTenant;
}

/**
 * `ralph:<repository>:<prd>`, e.g. `ralph:todo-cli-1f2e3d:due-dates`.
 * @param repositoryKey folder name plus six hex digits of the repository's path, so that two clones differ
 * @param branch the run branch; a leading `feature/` is dropped
 */
export function ralphRunId(repositoryKey: string, branch: string, tenant = defaultTenant): string {
  return `${idPrefix('ralph', tenant)}${repositoryKey}:${slug(branch.replace(/^feature\//, ''))}`;
}

/** The repository's key in the id of a run of a PRD. */
export function repositoryOf(runId: string): string {
  return runId.split(':').at(-2) ?? runId;
}

/** Id of a session's run, its workflow and its transcript. */
export function sessionRunId(id: string, tenant = defaultTenant): string {
  return `${idPrefix('session', tenant)}${id}`;
}

/** Id of the run that pays for what a principal chats on a day (`2026-11-21`). */
export function chatRunId({ principal, day }: { readonly principal: string; readonly day: string }): string {
  return `chat:${principal}:${day}`;
}

/** Id of the workflow of an A2A task. */
export function taskWorkflowId(taskId: string, tenant = defaultTenant): string {
  return `${idPrefix('task', tenant)}${taskId}`;
}

/** Id of the workflow that tells a receiver of what happens to a task. */
export function pushWorkflowId(taskId: string, configId: string, tenant = defaultTenant): string {
  return `${idPrefix('push', tenant)}${taskId}:${configId}`;
}

/** It works for a task, which is no run: what the task does is in a run of its own. */
export function isTaskWorkflowId(workflowId: string): boolean {
  return workflowId.startsWith('task:') || workflowId.startsWith('push:');
}

/** The run that a workflow works for: `ralph:<repository>:<prd>`, `session:<id>`; of a task's, its own id. */
export function runIdOf(workflowId: string): string {
  const own = isSessionRunId(workflowId) || isTaskWorkflowId(workflowId) ? 2 : 3;
  const parts = tenantOf(workflowId) === defaultTenant ? own : own + 1;
  return workflowId.split(':').slice(0, parts).join(':');
}

export function isSessionRunId(runId: string): boolean {
  return runId.startsWith('session:');
}

/** Stands where work on a PRD has the id of a story: a session has one agent, and its turns are counted like attempts. */
export const sessionAgentId = 'main';

/** Workflow id of one attempt, and the session id of its agent. */
export function attemptId(runId: string, storyId: string, attempt: number): string {
  return `${runId}:${storyId}:${attempt}`;
}

export function workspaceId(runId: string, storyId: string): string {
  return `${runId}:${storyId}`;
}

/** Workflow id and transcript of an agent that a tool call has started. */
export function agentSessionId(parentSessionId: string, callId: string): string {
  return `${parentSessionId}:agent:${callId}`;
}

/** The same for one that works beside its starter, which has given it a name (without a dot). */
export function besideSessionId(parentSessionId: string, { name, callId }: { name: string; callId: string }): string {
  return agentSessionId(parentSessionId, `${name}.${callId}`);
}

/**
 * The agent that a transcript belongs to, as events name it: `scout`, `scout/helper`; undefined for that of a story or a session. One
 * that was given no name is `agent-` and the end of its call's id.
 */
export function agentPath(sessionId: string): string | undefined {
  const [, ...parts] = sessionId.split(':agent:');
  return parts.length === 0 ? undefined : parts.map(nameOf).join('/');
}

function nameOf(part: string): string {
  const [name = '', callId] = part.split('.');
  return callId === undefined ? `${unnamed}${name.slice(-6)}` : name;
}

/** Begins the names of agents that were given none; no given name has a dash. */
export const unnamed = 'agent-';

/** For the bodies of events: whose step it is, where it is not that of the story's or session's own agent. */
export function whoseStep(sessionId: string): { readonly agent?: string } {
  const agent = agentPath(sessionId);
  return agent === undefined ? {} : { agent };
}

/** How many agents have started one another down to this one; 0 for that of a story or a session. */
export function agentDepth(sessionId: string): number {
  return sessionId.split(':agent:').length - 1;
}

/** Idempotency key of the model call of one step. */
export function modelCallKey(sessionId: string, step: number): string {
  return `${sessionId}:${step}`;
}

/** Idempotency key of a message to a session; `messageId` is the sender's. */
export function messageKey(sessionId: string, messageId: string): string {
  return `${sessionId}:message:${messageId}`;
}

/** Idempotency key of the model call that summarises a range of a transcript. */
export function summaryKey(sessionId: string, range: { readonly fromSeq: number; readonly toSeq: number }): string {
  return `${sessionId}:summary:${range.fromSeq}-${range.toSeq}`;
}

/** Idempotency key of one tool call; `callId` is the model's own id for it, unique in its session. */
export function toolCallKey(sessionId: string, step: number, callId: string): string {
  return `${sessionId}:${step}:${callId}`;
}

/** Idempotency key of one hook; `what` is the event with its step, and its tool call where it is about one. */
export function hookKey(sessionId: string, what: string, index: number): string {
  return `${sessionId}:hook:${what}:${index}`;
}

/** Idempotency key of the commit of one attempt. */
export function commitKey(ref: { readonly runId: string; readonly storyId: string; readonly attempt: number }): string {
  return `${attemptId(ref.runId, ref.storyId, ref.attempt)}:commit`;
}

/** Idempotency key of moving the run branch to `commit`, which names its story and attempt and is made once. */
export function mergeKey(runId: string, commit: string): string {
  return `${runId}:merge:${commit}`;
}

/** Idempotency key of removing the worktree and the branch of a story after one attempt. */
export function removalKey(ref: {
  readonly runId: string;
  readonly storyId: string;
  readonly attempt: number;
}): string {
  return `${attemptId(ref.runId, ref.storyId, ref.attempt)}:worktree-removal`;
}

export function hostQueue(hostId: string): string {
  return `codetether.host.${hostId}`;
}

export const taskQueues = {
  workflows: 'codetether.workflows',
  model: 'codetether.model',
  /** Database projections. */
  service: 'codetether.service',
  /** Push notifications to other servers. */
  push: 'codetether.push',
} as const;

/** The last part of a run id, which people may use for it: `due-dates`. */
export function shortRunId(runId: string): string {
  return runId.slice(runId.lastIndexOf(':') + 1);
}

/** Characters that a story id may have; it becomes a folder, a branch and a workflow id. */
export const storyIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
