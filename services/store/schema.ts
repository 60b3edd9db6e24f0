import type { ColumnType, Generated } from 'kysely';

/**
 * Tables as queries see them. `tenant_id` is missing on purpose: the connection sets it (see `pool.ts`), the
 * column's default writes it and row level security filters by it, so that no query can forget it.
 *
 * Money is `numeric(20, 9)`: PostgreSQL adds nano-dollars exactly, so ledgers never drift; a sum is turned into a
 * number only when it is read. `numeric` and `bigint` come out as numbers (`pool.ts`), times as `Date`.
 */
export interface Database {
  run: RunTable;
  story: StoryTable;
  run_event: RunEventTable;
  session: SessionTable;
  session_event: SessionEventTable;
  model_call: ModelCallTable;
  effect: EffectTable;
  workspace: WorkspaceTable;
  check_result: CheckResultTable;
  blob: BlobTable;
  host: HostTable;
  lease: LeaseTable;
  approval: ApprovalTable;
  memory: MemoryTable;
  api_key: ApiKeyTable;
  named_workspace: NamedWorkspaceTable;
  audit: AuditTable;
  idempotent_request: IdempotentRequestTable;
  a2a_task: TaskTable;
  a2a_task_event: TaskEventTable;
  a2a_message: TaskMessageTable;
  push_config: PushConfigTable;
  push_failure: PushFailureTable;
}

/** JSON goes in as text (see `json.ts`) and comes out as unknown: whoever reads it parses it. */
type Json = ColumnType<unknown, string, string>;
type NullableJson = ColumnType<unknown, string | null, string | null>;
/** Exact decimal text (see `money.ts`) going in, a number coming out. */
type Money = ColumnType<number, string | undefined, string>;
type Count = Generated<number>;
type Time = Generated<Date>;

export interface UsageColumns {
  input_tokens: Count;
  output_tokens: Count;
  cached_input_tokens: Count;
  cost_usd: Money;
}

/** The usage columns are the spent half of the ledger. Ledger and `head_seq` change under the row's lock only. */
export interface RunTable extends UsageColumns {
  run_id: string;
  kind: string;
  status: string;
  project: string;
  feature: string;
  repo_path: string;
  prd_path: string;
  branch: string;
  base: string | null;
  tip: string | null;
  host_id: string;
  options: Json;
  prd: Json;
  execution: Generated<number>;
  head_seq: Generated<number>;
  opened_seq: Generated<number>;
  reserved_tokens: Count;
  reserved_usd: Money;
  /** Model calls that were answered or are under way. */
  steps: Count;
  outcome_message: Generated<string>;
  created_at: Time;
  started_at: Time;
  ended_at: Date | null;
  deleted_at: Date | null;
}

/** A story that left the PRD keeps its row (`removed`), so that the number of an attempt is never used again. */
export interface StoryTable extends UsageColumns {
  run_id: string;
  story_id: string;
  position: number;
  removed: Generated<boolean>;
  story: Json;
  status: string;
  attempts: Count;
  tries: Count;
  commit: string | null;
  feedback: NullableJson;
  /** Failed attempts since it last passed, see `RememberedFailure`. */
  failures: ColumnType<unknown, string | undefined, string>;
  /** Names of files. */
  files: ColumnType<unknown, string | undefined, string>;
  duration_ms: Count;
  started_at: Date | null;
  ended_at: Date | null;
}

export interface RunEventTable {
  run_id: string;
  seq: number;
  key: string;
  kind: string;
  story_id: string | null;
  attempt: number | null;
  body: Json;
  at: Date;
}

/** `head_seq`, title and times follow the rows: they change with them, under the row's lock. */
export interface SessionTable {
  session_id: string;
  head_seq: Generated<number>;
  kind: Generated<string>;
  title: Generated<string>;
  folder: string | null;
  model: string | null;
  agent: Generated<string>;
  policy: NullableJson;
  parent_session_id: string | null;
  parent_seq: number | null;
  created_at: Time;
  updated_at: Time;
  deleted_at: Date | null;
}

export interface SessionEventTable {
  session_id: string;
  seq: number;
  key: string;
  kind: string;
  body: Json;
  at: Date;
}

export interface ModelCallTable extends UsageColumns {
  key: string;
  run_id: string;
  story_id: string;
  session_id: string;
  model: string;
  status: string;
  reserved_tokens: Count;
  reserved_usd: Money;
  price: NullableJson;
  result: NullableJson;
  created_at: Time;
  answered_at: Date | null;
}

export interface EffectTable {
  key: string;
  run_id: string;
  story_id: string | null;
  kind: string;
  state: string;
  tries: Count;
  outcome: NullableJson;
  sent_at: Time;
  settled_at: Date | null;
}

export interface WorkspaceTable {
  workspace_id: string;
  kind: 'worktree' | 'folder';
  run_id: string;
  story_id: string;
  host_id: string;
  path: string;
  branch: string;
  base: string;
  checkpoint: string;
  attempt: number;
  lease: Generated<number>;
  remote: string | null;
}

/** A lease that nobody holds keeps its row, so that a number is never used again. */
export interface LeaseTable {
  lease_id: string;
  run_id: string;
  story_id: string | null;
  host_id: string | null;
  number: Count;
}

export interface CheckResultTable {
  id: Generated<number>;
  run_id: string;
  story_id: string | null;
  attempt: number | null;
  place: string;
  name: string;
  command: string;
  tree: string;
  commit: string | null;
  ok: boolean;
  verdict: string;
  exit_code: number | null;
  duration_ms: number;
  summary: string;
  log: string;
  at: Time;
}

export interface BlobTable {
  hash: string;
  body: Buffer;
  created_at: Time;
}

export interface ApprovalTable {
  approval_id: string;
  run_id: string;
  story_id: string;
  workflow_id: string;
  kind: string;
  question: string;
  choices: Json;
  default_choice: string;
  expires_at: Date;
  state: Generated<string>;
  answer: string | null;
  answered_by: string | null;
  note: Generated<string>;
  created_at: Time;
  answered_at: Date | null;
}

export interface HostTable {
  host_id: string;
  name: string;
  pid: number;
  version: string;
  slots: number;
  slots_used: Count;
  seen_at: Time;
}

/** `words` is made of content and tags when it is written. */
interface MemoryTable {
  repository: string;
  memory_id: string;
  content: string;
  tags: string[];
  importance: number;
  session_id: string;
  created_at: Time;
  words: string;
}

export interface ApiKeyTable {
  key_id: string;
  name: string;
  secret_hash: Buffer;
  permissions: string[];
  created_by: string;
  created_at: Time;
  expires_at: Date | null;
  last_used_at: Date | null;
  revoked_at: Date | null;
}

export interface NamedWorkspaceTable {
  name: string;
  host_id: string;
  folder: string;
  created_by: string;
  created_at: Time;
}

export interface AuditTable {
  seq: number;
  at: Date;
  principal: string;
  action: string;
  outcome: 'done' | 'denied';
  detail: Json;
  hash: Buffer;
}

interface IdempotentRequestTable {
  principal: string;
  key: string;
  request_hash: Buffer;
  request_id: Generated<string>;
  begun_at: Time;
  held_until: Date;
  /** Null until it is answered. */
  status: number | null;
  content_type: string | null;
  answer: string | null;
}

/** `state`, `status_at` and `head_seq` are written by `append_a2a_task_events` only. */
export interface TaskTable {
  task_id: string;
  context_id: string;
  principal: string;
  run_id: string | null;
  work: Json;
  state: Generated<string>;
  status_at: Time;
  head_seq: Generated<number>;
  created_at: Time;
}

export interface TaskEventTable {
  task_id: string;
  seq: number;
  key: string;
  kind: string;
  body: Json;
  at: Date;
}

interface TaskMessageTable {
  principal: string;
  message_id: string;
  task_id: string;
}

export interface PushConfigTable {
  task_id: string;
  config_id: string;
  url: string;
  wire_version: string;
  /** Token and credentials, encrypted; null where there are none. */
  sealed: Buffer | null;
  /** Events up to here were delivered, or stand in `push_failure`. */
  after_seq: number;
  dead_in_a_row: Count;
  disabled_at: Date | null;
  created_at: Time;
}

export interface PushFailureTable {
  failure_id: Generated<string>;
  task_id: string;
  config_id: string;
  seq: number;
  /** False: it is tried again at `next_at`. */
  is_dead: boolean;
  attempts: number;
  next_at: Date;
  reason: string;
  status: number | null;
  at: Time;
}
