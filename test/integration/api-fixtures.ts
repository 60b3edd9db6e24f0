import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, HTTPMethods } from 'fastify';
import { expect } from 'vitest';
import type { Permission } from '../../domain/access/permissions.ts';
import type { StoryVerb, SteerVerb } from '../../domain/contracts/api.ts';
import type { SessionMessage } from '../../domain/contracts/session.ts';
import type { StoryMessage, RalphRunInput, ReloadRequest } from '../../domain/contracts/ralph.ts';
import type { ApprovalAnswer } from '../../domain/run/approval.ts';
import type { CapsChange } from '../../domain/run/budget.ts';
import type { ChatCallAnswer, RunPlan } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { defaultModelTimeouts } from '../../domain/model/timeouts.ts';
import { HookSettings } from '../../domain/session/hooks.ts';
import { createChat } from '../../activities/model/chat.ts';
import { createModelList } from '../../activities/model/list-models.ts';
import { createGit } from '../../activities/workspace/git.ts';
import { createApp } from '../../services/api/app.ts';
import type { ApiDeps, ChatDeps } from '../../services/api/deps.ts';
import type { EngineEnd, EngineRun, RunEngine } from '../../services/api/engine.ts';
import { authenticateLocal } from '../../services/api/permissions.ts';
import { listenOnSocket } from '../../services/api/socket.ts';
import { createClient } from '../../services/client/client.ts';
import type { Client } from '../../services/client/client.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { modelSettings } from '../support/model-server.ts';
import { createMemorySpool } from '../support/model-step.ts';
import { plan } from './store-fixtures.ts';

/** An engine in memory that can be broken. */
export interface FakeEngine extends RunEngine {
  readonly runs: Map<string, EngineRun>;
  readonly starts: RalphRunInput[];
  readonly steered: [string, SteerVerb][];
  readonly caps: [string, CapsChange][];
  readonly answers: [string, ApprovalAnswer][];
  readonly told: [string, StoryVerb, StoryMessage][];
  readonly reloads: [string, ReloadRequest][];
  readonly rollbacks: [string, readonly string[]][];
  readonly sent: [string, SessionMessage][];
  readonly interrupted: string[];
  readonly nudged: [string, string][];
  readonly tasks: [string, 'look' | 'cancel'][];
  readonly pushes: [string, string][];
  /** `down`: nothing is answered; `deaf`: a start is taken and its answer lost. */
  mode: 'up' | 'down' | 'deaf';
  end(runId: string, how: EngineEnd): void;
}

export function fakeEngine(): FakeEngine {
  const answer = (): void => {
    if (engine.mode === 'down') throw new CodetetherError('engine-unreachable');
  };
  const engine: FakeEngine = {
    runs: new Map(),
    starts: [],
    steered: [],
    caps: [],
    answers: [],
    told: [],
    rollbacks: [],
    sent: [],
    interrupted: [],
    nudged: [],
    tasks: [],
    pushes: [],
    reloads: [],
    mode: 'up',
    ping: async () => answer(),
    describe: async (runId) => {
      answer();
      return engine.runs.get(runId) ?? { kind: 'missing' };
    },
    start: async (input) => {
      answer();
      if (engine.runs.get(input.runId)?.kind === 'running') return 'already-running';
      engine.starts.push(input);
      engine.runs.set(input.runId, { kind: 'running', execution: input.execution });
      if (engine.mode === 'deaf') throw new CodetetherError('engine-unreachable', 'no answer');
      return 'started';
    },
    steer: async (runId, verb) => {
      answer();
      engine.steered.push([runId, verb]);
    },
    tell: async (runId, verb, message) => {
      answer();
      engine.told.push([runId, verb, message]);
    },
    answer: async (workflowId, given) => {
      answer();
      engine.answers.push([workflowId, given]);
    },
    setCaps: async (runId, change) => {
      answer();
      engine.caps.push([runId, change]);
    },
    rollBack: async (runId, { storyIds }) => {
      answer();
      engine.rollbacks.push([runId, storyIds]);
    },
    startRollback: async ({ runId, storyIds }) => {
      answer();
      engine.rollbacks.push([`started ${runId}`, storyIds]);
      return 'started';
    },
    send: async (input, message) => {
      answer();
      engine.sent.push([input.sessionId, message]);
      return engine.sent.filter(([sessionId]) => sessionId === input.sessionId).length - 1;
    },
    interrupt: async (sessionId) => {
      answer();
      engine.interrupted.push(sessionId);
    },
    tellTask: async (taskId, what) => {
      answer();
      engine.tasks.push([taskId, what]);
    },
    tellPush: async ({ taskId, configId }) => {
      answer();
      engine.pushes.push([taskId, configId]);
    },
    steerSession: async (sessionId, nudge) => {
      answer();
      engine.nudged.push([sessionId, nudge.text]);
    },
    reload: async (runId, request) => {
      answer();
      engine.reloads.push([runId, request]);
      return { kind: 'reloaded', gates: [], changedGates: [], stopped: [] };
    },
    cleanUp: async () => ({ entries: [], more: 0 }),
    end: (runId, how) => {
      const known = engine.runs.get(runId);
      engine.runs.set(runId, {
        kind: 'closed',
        execution: known?.kind === 'running' ? known.execution : null,
        how,
      });
    },
  };
  return engine;
}

export interface TestApi {
  readonly app: FastifyInstance;
  readonly client: Client;
  readonly engine: FakeEngine;
  readonly socketPath: string;
  /** Closes the app and lets another one serve the same socket. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Nobody has added anything. */
export const noExtensions: ApiDeps['extensions'] = async (project) => ({
  project,
  skills: [],
  agents: [],
  commands: [],
  hooks: HookSettings.parse({}),
  mcpServers: [],
  problems: [],
});

/** Models are those of a server at `url`; nobody is there by default. */
export function chatDeps(store: PostgresStore, url = 'http://127.0.0.1:1', maxCostUsd: number | null = null): ChatDeps {
  const settings = modelSettings(url);
  const chat = createChat({
    store,
    spool: createMemorySpool<ChatCallAnswer>(),
    settings,
    ownPrices: async () => ({}),
    timeouts: defaultModelTimeouts,
  });
  return { chat, models: createModelList(settings), maxCostUsd };
}

/** With an engine in memory; preflight says what `plans` holds. */
export function apiDeps(store: PostgresStore, plans?: ReadonlyMap<string, RunPlan>) {
  return {
    store,
    engine: fakeEngine(),
    preflight: async (request) => ({ plan: plans?.get(request.prdPath) ?? plan(), warnings: ['mind the gap'] }),
    repositoryGates: async () => ({ test: 'true' }),
    checkModel: async () => undefined,
    chat: async () => chatDeps(store),
    contextWindow: async () => ({ model: 'openai/x', contextTokens: 20_000, reservedTokens: 0 }),
    extensions: noExtensions,
    prdFolder: join(tmpdir(), 'codetether-api-prds'),
    hostId: 'host-1',
    git: async () => createGit({ env: process.env, processDir: join(tmpdir(), 'codetether-api-processes') }),
    readEditedPrd: async ({ prd }, { stories }) => ({
      prd: { ...prd, stories: stories.map(({ story }) => story) },
      savedAt: new Date(),
      warnings: [],
    }),
    authenticate: authenticateLocal,
    ui: { uiUrl: 'http://127.0.0.1:8233/', namespace: 'default' },
    version: '1.2.3',
    prepared: Promise.resolve(),
  } satisfies ApiDeps;
}

export interface TestRoute {
  readonly method: HTTPMethods;
  readonly url: string;
  readonly permission: Permission | undefined;
}

/** `routes` gets each route of an app that is made with `onRoute`. */
export function collectRoutes(): {
  readonly routes: readonly TestRoute[];
  readonly onRoute: NonNullable<ApiDeps['onRoute']>;
} {
  const routes: TestRoute[] = [];
  return {
    routes,
    onRoute: ({ method, url, config }) => {
      for (const each of [method].flat()) {
        if (each !== 'HEAD') routes.push({ method: each, url, permission: config?.permission });
      }
    },
  };
}

export interface TestToken {
  readonly tokenId: string;
  readonly token: string;
}

/** By whoever asks the app without a credential. */
export async function createToken(app: FastifyInstance, body: object): Promise<TestToken> {
  const response = await app.inject({ method: 'POST', url: '/v1/tokens', payload: body });
  expect(response.statusCode, response.body).toBe(201);
  return response.json<TestToken>();
}

/** The API on a socket of its own, with the given store. */
export async function startApi(
  store: PostgresStore,
  options: { readonly plans?: ReadonlyMap<string, RunPlan> } & Partial<ApiDeps> = {},
): Promise<TestApi> {
  const folder = await mkdtemp(join(tmpdir(), 'codetether-api-'));
  const socketPath = join(folder, 'api.sock');
  const { plans, ...overrides } = options;
  const own = apiDeps(store, plans);
  const { engine } = own;
  const deps: ApiDeps = { ...own, ...overrides };
  const listen = async (): Promise<FastifyInstance> => {
    const listening = await createApp(deps);
    await listenOnSocket(listening, socketPath);
    return listening;
  };
  let app = await listen();
  return {
    get app() {
      return app;
    },
    client: createClient({ socketPath }),
    engine,
    socketPath,
    restart: async () => {
      await app.close();
      app = await listen();
    },
    close: async () => {
      await app.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
