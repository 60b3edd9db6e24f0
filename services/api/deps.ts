import type { z } from 'zod';
import type { StartRunRequest } from '../../domain/contracts/api.ts';
import type { RunPlan, RunRecord, StoryRecord } from '../../domain/contracts/store.ts';
import type { Prd } from '../../domain/ralph/prd.ts';
import type { PostgresStore } from '../store/store.ts';
import type { RunEngine } from './engine.ts';
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

export interface ApiDeps {
  readonly store: Omit<PostgresStore, 'prepare' | 'close'>;
  readonly engine: RunEngine;
  /** Checks all that can be checked before a run starts; changes nothing. */
  readonly preflight: (request: CheckedStartRequest) => Promise<Preflight>;
  /** Reads and checks the PRD of a run that goes on; changes nothing. */
  readonly readEditedPrd: (
    run: RunRecord,
    options: { readonly stories: readonly StoryRecord[]; readonly allowUnchecked: boolean },
  ) => Promise<EditedPrd>;
  readonly authenticate: Authenticate;
  readonly ui: UiLocation;
  readonly version: string;
  /** Resolves when the database has its schema. Requests wait for it a few seconds. */
  readonly prepared: Promise<void>;
  readonly log?: boolean;
  /** How often a silent event stream says that it is there. */
  readonly pingMs?: number;
}
