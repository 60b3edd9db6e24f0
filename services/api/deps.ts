import type { RouteOptions } from 'fastify';
import type { z } from 'zod';
import type { ConformanceCard } from '../../domain/a2a/conformance.ts';
import type { StartRunRequest } from '../../domain/contracts/api.ts';
import type { RunPlan, RunRecord, StoryRecord } from '../../domain/contracts/store.ts';
import type { Chat } from '../../activities/model/chat.ts';
import type { Git } from '../../activities/workspace/git.ts';
import type { Prd } from '../../domain/ralph/prd.ts';
import type { DetectedGates } from '../../domain/ralph/prd-template.ts';
import type { ContextWindow } from '../../domain/session/derive-context.ts';
import type { Extensions } from '../../domain/session/extensions.ts';
import type { KeyRing } from '../config/key-ring.ts';
import type { PostgresStore } from '../store/store.ts';
import type { RunEngine } from './engine.ts';
import type { PrincipalLimits } from './limits.ts';
import type { Metrics } from './metrics.ts';
import type { Authenticate } from './permissions.ts';
import type { UiLocation } from './views.ts';

export type CheckedStartRequest = z.output<typeof StartRunRequest>;

export interface Preflight {
  readonly plan: RunPlan;
  /** For people, about what was accepted on the way. */
  readonly warnings: readonly string[];
}

export interface EditedPrd {
  readonly prd: Prd;
  /** When the file was written. */
  readonly savedAt: Date;
  readonly warnings: readonly string[];
}

export interface ChatDeps {
  readonly chat: Chat;
  /** As `provider/model`. */
  readonly models: () => Promise<readonly string[]>;
  /** Of one principal and day; null: none. */
  readonly maxCostUsd: number | null;
}

export interface ApiDeps {
  readonly store: Omit<PostgresStore, 'prepare' | 'close'>;
  readonly engine: RunEngine;
  /** Checks all that can be checked before a run starts; changes nothing. */
  readonly preflight: (request: CheckedStartRequest) => Promise<Preflight>;
  /** Absent: nothing that is secret is taken. */
  readonly keyRing?: KeyRing | undefined;
  /** Receivers of push notifications on this machine or its network: `host:port`, `host:*`. */
  readonly pushHosts?: readonly string[];
  /** Of tasks that name none. */
  readonly defaultModel?: string | undefined;
  /** Throws `model-unknown`, `provider-key-missing`, `script-invalid`. */
  readonly checkModel: (model: string) => Promise<void>;
  /** Questions to models that are of no session. Loaded when it is first needed. */
  readonly chat: () => Promise<ChatDeps>;
  /** The window that the session's model has, without asking it. */
  readonly contextWindow: (model: string) => Promise<ContextWindow>;
  /** What the user and, where it is trusted, the project of a folder add. Throws `extension-invalid`. */
  readonly extensions: (folder: string) => Promise<Extensions & { readonly project: string }>;
  /** Where PRDs are kept that came without a file. */
  readonly prdFolder: string;
  /** Checks that fit what lies in a folder. */
  readonly repositoryGates: (folder: string) => Promise<DetectedGates>;
  /** The host of folders that a request names. */
  readonly hostId: string;
  /** Loaded when it is first needed. */
  readonly git: () => Promise<Git>;
  /** Reads and checks the PRD of a run that goes on; changes nothing. */
  readonly readEditedPrd: (
    run: RunRecord,
    options: { readonly stories: readonly StoryRecord[]; readonly allowUnchecked: boolean },
  ) => Promise<EditedPrd>;
  readonly authenticate: Authenticate;
  /** For the official kits; absent: this is none of their servers. */
  readonly conformance?: ConformanceCard | undefined;
  /** How long tasks of the kits take that take long. */
  readonly longTaskMs?: number | undefined;
  readonly ui: UiLocation;
  readonly version: string;
  /** Resolves when the database has its schema. Requests wait for it a few seconds. */
  readonly prepared: Promise<void>;
  readonly log?: boolean;
  /** Of the process; absent: the default ones, of this app alone. */
  readonly limits?: PrincipalLimits;
  /** Of the process; absent: of this app alone. */
  readonly metrics?: Metrics;
  /** Raised before the app is closed: it is not ready any more, and its connections end with their answers. */
  readonly draining?: AbortSignal;
  /** Told of each route as it is made. */
  readonly onRoute?: (route: RouteOptions) => void;
  /** The names that a browser may have given for this API (without ports); absent: any, whoever asks needs a token all the same. */
  readonly hostNames?: readonly string[] | undefined;
  /** By which others reach it. Default: as they named it. */
  readonly publicUrl?: string | undefined;
  /** By which others reach its gRPC: `host:port`, or a port of the host as they named it; absent: there is none. */
  readonly grpcAddress?: string | number | undefined;
  /** Whose access tokens are taken. */
  readonly oidcIssuer?: string | undefined;
  /** PEM; absent: http. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
  /** How often a silent event stream says that it is there. */
  readonly pingMs?: number;
}
