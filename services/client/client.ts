/**
 * The typed client of the API, over its Unix socket or an address. Loads nothing but Node's HTTP: answers are taken as the contract
 * describes them, since server and client are of one release.
 */
import type { DeadLetterListView, DeadLetterView } from '../../domain/contracts/push-api.ts';
import type {
  CheckLogView,
  AnswerApprovalRequest,
  ApprovalListView,
  ApprovalView,
  CleanupQuery,
  CleanupView,
  ForkRequest,
  HealthView,
  HostListView,
  MessageRequest,
  MessageResponse,
  ReadyView,
  ReloadResponse,
  ReloadRunRequest,
  ResumeRequest,
  ResumeResponse,
  RollbackResponse,
  RollbackStoryRequest,
  RunDetailView,
  RunListView,
  RunPrdView,
  SessionListView,
  SessionView,
  StartRunRequest,
  StartRunResponse,
  StartSessionRequest,
  TranscriptView,
  SteerResponse,
  SteerVerb,
  StoryDetailView,
  StoryVerb,
} from '../../domain/contracts/api.ts';
import type {
  AuditCheckView,
  AuditView,
  CreateTokenRequest,
  NameWorkspaceRequest,
  NewTokenView,
  RotateTokenRequest,
  TokenListView,
  TokenView,
  WorkspaceListView,
  WorkspaceView,
} from '../../domain/contracts/access-api.ts';
import type {
  ContextView,
  PinRequest,
  PinResponse,
  ResetRequest,
  ResetResponse,
  TurnView,
} from '../../domain/contracts/context.ts';
import type {
  FileListView,
  FileSearchView,
  FileView,
  ListFilesQuery,
  ReadFileQuery,
  SearchFilesQuery,
} from '../../domain/contracts/files-api.ts';
import type { StatsRequest, StatsView } from '../../domain/contracts/stats.ts';
import type { RunEvent } from '../../domain/run/events.ts';
import { runEvents } from './run-events.ts';
import type { RunEventsOptions } from './run-events.ts';
import { requestJson } from './request.ts';
import type { ApiAddress } from './request.ts';

export type { ApiAddress } from './request.ts';

export type { RunEventsOptions } from './run-events.ts';

/**
 * Every other method throws `api-unreachable` when nobody answers and otherwise the error that the API gave;
 * `runId` is any unique beginning of an id or of its last part.
 */
export interface Client {
  /**
   * May take a minute: everything is checked before the run starts.
   * @param options.idempotencyKey the same within 24 hours: it is begun once, and the first answer comes again
   */
  startRun(request: StartRunRequest, options?: { readonly idempotencyKey?: string }): Promise<StartRunResponse>;
  /** Newest first. Lists are read page by page up to `limit`, which may be `Infinity`; those without one, to their end. */
  listRuns(options?: { readonly limit?: number }): Promise<RunListView>;
  getRun(runId: string): Promise<RunDetailView>;
  getPrd(runId: string): Promise<RunPrdView>;
  getStory(runId: string, storyId: string): Promise<StoryDetailView>;
  /** @param hash `log` of one of the story's checks */
  getCheckLog(runId: string, storyId: string, hash: string): Promise<CheckLogView>;
  steer(runId: string, verb: SteerVerb): Promise<SteerResponse>;
  /** `steer` with `resume`, under other caps. May take a minute where the run has ended: everything is checked anew. */
  resume(runId: string, caps: ResumeRequest): Promise<ResumeResponse>;
  /** May take a while: the PRD is read and checked. */
  reload(runId: string, request: ReloadRunRequest): Promise<ReloadResponse>;
  /** Returns when the rollback is under way, see {@link RollbackResponse}. */
  rollBack(runId: string, storyId: string, request: RollbackStoryRequest): Promise<RollbackResponse>;
  /** May take a minute where a retry starts the run again. */
  tellStory(runId: string, storyId: string, verb: StoryVerb, text: string): Promise<ResumeResponse>;
  listApprovals(): Promise<ApprovalListView>;
  answerApproval(id: string, answer: AnswerApprovalRequest): Promise<ApprovalView>;
  /** @param apply remove what is of no use; else only look */
  cleanUp(apply: boolean, query?: CleanupQuery): Promise<CleanupView>;
  hosts(): Promise<HostListView>;
  startSession(request: StartSessionRequest): Promise<MessageResponse>;
  sendMessage(sessionId: string, request: MessageRequest): Promise<MessageResponse>;
  /** @param options.folder only those that work in it */
  listSessions(options?: { readonly limit?: number; readonly folder?: string }): Promise<SessionListView>;
  getSession(sessionId: string): Promise<SessionView>;
  /** @param agent one that the session's has started, see `agentPath` */
  transcript(sessionId: string, agent?: string): Promise<TranscriptView>;
  interrupt(sessionId: string): Promise<SessionView>;
  steerSession(sessionId: string, text: string): Promise<SessionView>;
  undoTurns(sessionId: string, turns: number): Promise<SessionView>;
  redoTurns(sessionId: string): Promise<SessionView>;
  forkSession(sessionId: string, request: ForkRequest): Promise<SessionView>;
  renameSession(sessionId: string, title: string): Promise<SessionView>;
  deleteSession(sessionId: string): Promise<SessionView>;
  /** What the session's model is sent. */
  context(sessionId: string): Promise<ContextView>;
  contextTurn(sessionId: string, turn: number): Promise<TurnView>;
  pin(sessionId: string, request: PinRequest): Promise<PinResponse>;
  resetContext(sessionId: string, request: ResetRequest): Promise<ResetResponse>;
  /** What models, tools and files came to. */
  stats(query: StatsRequest): Promise<StatsView>;
  /** Like `events`; ends when no turn is under way. */
  sessionEvents(sessionId: string, options?: RunEventsOptions): AsyncIterable<RunEvent>;
  createToken(request: CreateTokenRequest): Promise<NewTokenView>;
  listTokens(): Promise<TokenListView>;
  rotateToken(tokenId: string, request: RotateTokenRequest): Promise<NewTokenView>;
  revokeToken(tokenId: string): Promise<TokenView>;
  nameWorkspace(request: NameWorkspaceRequest): Promise<WorkspaceView>;
  listWorkspaces(): Promise<WorkspaceListView>;
  forgetWorkspace(name: string): Promise<WorkspaceView>;
  listFiles(workspace: string, query: ListFilesQuery): Promise<FileListView>;
  readFile(workspace: string, query: ReadFileQuery): Promise<FileView>;
  searchFiles(workspace: string, query: SearchFilesQuery): Promise<FileSearchView>;
  /** Newest first. */
  listDeadLetters(options?: { readonly limit?: number }): Promise<DeadLetterListView>;
  replayDeadLetter(deadLetterId: string): Promise<DeadLetterView>;
  readAudit(page: { readonly limit: number }): Promise<AuditView>;
  checkAudit(): Promise<AuditCheckView>;
  health(): Promise<HealthView>;
  ready(): Promise<ReadyView>;
  /**
   * Events after `sinceSeq` in order, each once; ends after `run-ended` of the newest execution, or when `signal` is raised.
   * An API that does not answer is tried again for ever, also at the first connection; what trying again cannot mend
   * is thrown.
   */
  events(runId: string, options?: RunEventsOptions): AsyncIterable<RunEvent>;
}

const answerMs = 30_000;
const startMs = 120_000;
const largestPage = 500;

/** Connects with the first call; there is nothing to close. */
export function createClient(address: ApiAddress): Client {
  const get = async <T>(path: string): Promise<T> =>
    await requestJson<T>({ address, method: 'GET', path, timeoutMs: answerMs });
  /** The first `limit` items, page by page; `nextCursor` tells whether there are more. */
  const list = async <View extends { readonly nextCursor: string | null }>(
    path: string,
    items: Exclude<keyof View, 'nextCursor'>,
    { limit = Infinity, query = {} }: { readonly limit?: number; readonly query?: Record<string, string> } = {},
  ): Promise<View> => {
    const found: unknown[] = [];
    for (let cursor = ''; ;) {
      const rest = String(Math.min(limit - found.length, largestPage));
      const search = new URLSearchParams({ ...query, limit: rest, ...(cursor === '' ? {} : { cursor }) });
      const page = await get<View>(`${path}?${search.toString()}`);
      found.push(...(page[items] as readonly unknown[]));
      cursor = page.nextCursor ?? '';
      if (cursor === '' || found.length >= limit) return { ...page, [items]: found };
    }
  };
  return {
    startRun: async (body, { idempotencyKey } = {}) =>
      await requestJson({
        address,
        method: 'POST',
        path: '/v1/runs',
        body,
        timeoutMs: startMs,
        headers: idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey },
      }),
    listRuns: async ({ limit = 50 } = {}) => await list<RunListView>('/v1/runs', 'runs', { limit }),
    getRun: async (runId) => await get(runPath(runId)),
    getPrd: async (runId) => await get(`${runPath(runId)}/prd`),
    getStory: async (runId, storyId) => await get(`${runPath(runId)}/story/${encodeURIComponent(storyId)}`),
    getCheckLog: async (runId, storyId, hash) =>
      await get(`${runPath(runId)}/story/${encodeURIComponent(storyId)}/logs/${hash}`),
    steer: async (runId, verb) =>
      await requestJson({ address, method: 'POST', path: `${runPath(runId)}/${verb}`, timeoutMs: answerMs }),
    reload: async (runId, body) =>
      await requestJson({ address, method: 'POST', path: `${runPath(runId)}/reload`, body, timeoutMs: startMs }),
    rollBack: async (runId, storyId, body) => {
      const path = `${runPath(runId)}/story/${encodeURIComponent(storyId)}/rollback`;
      return await requestJson({ address, method: 'POST', path, body, timeoutMs: answerMs });
    },
    tellStory: async (runId, storyId, verb, text) => {
      const path = `${runPath(runId)}/story/${encodeURIComponent(storyId)}/${verb}`;
      return await requestJson({ address, method: 'POST', path, body: { text }, timeoutMs: startMs });
    },
    listApprovals: async () => await list<ApprovalListView>('/v1/approvals', 'approvals'),
    answerApproval: async (id, body) => {
      const path = `/v1/approvals/${encodeURIComponent(id)}`;
      return await requestJson({ address, method: 'POST', path, body, timeoutMs: answerMs });
    },
    resume: async (runId, body) =>
      await requestJson({ address, method: 'POST', path: `${runPath(runId)}/resume`, body, timeoutMs: startMs }),
    cleanUp: async (apply, { what } = {}) => {
      const path = `/v1/cleanup${what === undefined ? '' : `?what=${what}`}`;
      return await requestJson({ address, method: apply ? 'POST' : 'GET', path, timeoutMs: startMs });
    },
    hosts: async () => await list<HostListView>('/v1/hosts', 'hosts'),
    startSession: async (body) =>
      await requestJson({ address, method: 'POST', path: '/v1/sessions', body, timeoutMs: startMs }),
    sendMessage: async (sessionId, body) => {
      const path = `${sessionPath(sessionId)}/messages`;
      return await requestJson({ address, method: 'POST', path, body, timeoutMs: startMs });
    },
    listSessions: async ({ limit = 50, folder } = {}) =>
      await list<SessionListView>('/v1/sessions', 'sessions', {
        limit,
        ...(folder === undefined ? {} : { query: { folder } }),
      }),
    getSession: async (sessionId) => await get(sessionPath(sessionId)),
    transcript: async (sessionId, agent) =>
      await get(
        `${sessionPath(sessionId)}/transcript${agent === undefined ? '' : `?agent=${encodeURIComponent(agent)}`}`,
      ),
    interrupt: async (sessionId) =>
      await requestJson({
        address,
        method: 'POST',
        path: `${sessionPath(sessionId)}/interrupt`,
        timeoutMs: answerMs,
      }),
    steerSession: async (sessionId, text) => {
      const path = `${sessionPath(sessionId)}/steer`;
      return await requestJson({ address, method: 'POST', path, body: { text }, timeoutMs: answerMs });
    },
    undoTurns: async (sessionId, turns) =>
      await requestJson({
        address,
        method: 'POST',
        path: `${sessionPath(sessionId)}/undo`,
        body: { turns },
        timeoutMs: answerMs,
      }),
    redoTurns: async (sessionId) =>
      await requestJson({ address, method: 'POST', path: `${sessionPath(sessionId)}/redo`, timeoutMs: answerMs }),
    forkSession: async (sessionId, body) =>
      await requestJson({
        address,
        method: 'POST',
        path: `${sessionPath(sessionId)}/fork`,
        body,
        timeoutMs: answerMs,
      }),
    renameSession: async (sessionId, title) =>
      await requestJson({
        address,
        method: 'PATCH',
        path: sessionPath(sessionId),
        body: { title },
        timeoutMs: answerMs,
      }),
    deleteSession: async (sessionId) =>
      await requestJson({ address, method: 'DELETE', path: sessionPath(sessionId), timeoutMs: answerMs }),
    context: async (sessionId) => await get(`${sessionPath(sessionId)}/context`),
    contextTurn: async (sessionId, turn) => await get(`${sessionPath(sessionId)}/context/turns/${turn}`),
    pin: async (sessionId, body) => {
      const path = `${sessionPath(sessionId)}/context/pin`;
      return await requestJson({ address, method: 'POST', path, body, timeoutMs: answerMs });
    },
    resetContext: async (sessionId, body) => {
      const path = `${sessionPath(sessionId)}/context/reset`;
      return await requestJson({ address, method: 'POST', path, body, timeoutMs: answerMs });
    },
    stats: async ({ folder = [], ...query }) => {
      const search = new URLSearchParams();
      for (const each of folder) search.append('folder', each);
      for (const [name, value] of Object.entries(query)) if (value !== undefined) search.append(name, String(value));
      return await get(`/v1/stats?${search.toString()}`);
    },
    sessionEvents: (sessionId, eventsOptions = {}) =>
      runEvents(address, `${sessionPath(sessionId)}/events`, eventsOptions),
    createToken: async (body) =>
      await requestJson({ address, method: 'POST', path: '/v1/tokens', body, timeoutMs: answerMs }),
    listTokens: async () => await list<TokenListView>('/v1/tokens', 'tokens'),
    rotateToken: async (tokenId, body) => {
      const path = `${tokenPath(tokenId)}/rotate`;
      return await requestJson({ address, method: 'POST', path, body, timeoutMs: answerMs });
    },
    revokeToken: async (tokenId) =>
      await requestJson({ address, method: 'DELETE', path: tokenPath(tokenId), timeoutMs: answerMs }),
    nameWorkspace: async (body) =>
      await requestJson({ address, method: 'POST', path: '/v1/workspaces', body, timeoutMs: answerMs }),
    listWorkspaces: async () => await list<WorkspaceListView>('/v1/workspaces', 'workspaces'),
    forgetWorkspace: async (name) => {
      const path = workspacePath(name);
      return await requestJson({ address, method: 'DELETE', path, timeoutMs: answerMs });
    },
    listFiles: async (workspace, query) => await get(`${workspacePath(workspace)}/files?${searchOf(query)}`),
    readFile: async (workspace, query) => await get(`${workspacePath(workspace)}/file?${searchOf(query)}`),
    searchFiles: async (workspace, query) => await get(`${workspacePath(workspace)}/search?${searchOf(query)}`),
    listDeadLetters: async (options) => await list<DeadLetterListView>('/v1/dead-letters', 'deadLetters', options),
    replayDeadLetter: async (deadLetterId) =>
      await requestJson({
        address,
        method: 'POST',
        path: `/v1/dead-letters/${encodeURIComponent(deadLetterId)}/replay`,
        timeoutMs: answerMs,
      }),
    readAudit: async ({ limit }) => await list<AuditView>('/v1/audit', 'entries', { limit }),
    checkAudit: async () => await get('/v1/audit/check'),
    health: async () => await get('/health'),
    ready: async () =>
      await requestJson({ address, method: 'GET', path: '/ready', timeoutMs: answerMs, alsoAccept: 503 }),
    events: (runId, eventsOptions = {}) => runEvents(address, `${runPath(runId)}/events`, eventsOptions),
  };
}

function runPath(runId: string): string {
  return `/v1/runs/${encodeURIComponent(runId)}`;
}

function workspacePath(name: string): string {
  return `/v1/workspaces/${encodeURIComponent(name)}`;
}

function searchOf(query: { readonly [name: string]: string | number | boolean }): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) search.append(name, String(value));
  return search.toString();
}

function tokenPath(tokenId: string): string {
  return `/v1/tokens/${encodeURIComponent(tokenId)}`;
}

function sessionPath(sessionId: string): string {
  return `/v1/sessions/${encodeURIComponent(sessionId)}`;
}
