/** Throw-away git repositories and a store in memory for tests of what works on repositories. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { CheckRecord, RunRecord, StoryRecord, WorkspaceRecord } from '../../domain/contracts/store.ts';
import { Prd, type Story } from '../../domain/ralph/prd.ts';
import type { NewRunEvent } from '../../domain/run/events.ts';
import type { NewSessionEvent } from '../../domain/session/transcript.ts';

export type Files = Readonly<Record<string, string | null>>;

export interface TestRepository {
  /** The checkout's top folder. */
  readonly top: string;
  /** A folder beside the repository, removed with it. */
  readonly scratch: string;
  /** Runs git in the checkout (or `cwd`) and returns its trimmed output. */
  git(args: readonly string[], cwd?: string): string;
  /** Writes files (null: removes), stages and commits them; returns the commit. */
  commit(files: Files, message?: string): string;
  write(files: Files, folder?: string): void;
  remove(): void;
}

/** Environment in which git knows no user and no settings. */
export function bareEnvironment(home: string): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: home, GIT_CONFIG_NOSYSTEM: '1', LANG: 'C.UTF-8' };
}

/** A repository with one commit on `main`: `README.md` and `src/add.js`, and what `files` adds. */
export function makeRepository(options: { readonly name?: string; readonly files?: Files } = {}): TestRepository {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'codetether-test-')));
  const top = path.join(root, options.name ?? 'repo');
  const scratch = path.join(root, 'scratch');
  mkdirSync(top, { recursive: true });
  mkdirSync(scratch);
  const env = {
    ...bareEnvironment(scratch),
    GIT_AUTHOR_NAME: 'Ada',
    GIT_AUTHOR_EMAIL: 'ada@example.com',
    GIT_COMMITTER_NAME: 'Ada',
    GIT_COMMITTER_EMAIL: 'ada@example.com',
  };
  const repository: TestRepository = {
    top,
    scratch,
    git: (args, cwd = top) =>
      execFileSync('git', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim(),
    write(files, folder = top) {
      for (const [name, content] of Object.entries(files)) {
        const file = path.join(folder, name);
        if (content === null) rmSync(file, { recursive: true, force: true });
        else {
          mkdirSync(path.dirname(file), { recursive: true });
          writeFileSync(file, content);
        }
      }
    },
    commit(files, message = 'change') {
      repository.write(files);
      repository.git(['add', '-A']);
      repository.git(['commit', '-q', '-m', message]);
      return repository.git(['rev-parse', 'HEAD']);
    },
    remove: () => {
      rmSync(root, { recursive: true, force: true });
    },
  };
  repository.git(['init', '-q', '-b', 'main']);
  repository.commit(
    { 'README.md': '# sums\n', 'src/add.js': 'export const add = (a, b) => a + b;\n', ...options.files },
    'start',
  );
  return repository;
}

export interface MemoryStore {
  run: RunRecord;
  readonly stories: Map<string, StoryRecord>;
  readonly workspaces: Map<string, WorkspaceRecord>;
  readonly checks: CheckRecord[];
  readonly blobs: Map<string, string>;
  readonly events: NewRunEvent[];
  readonly transcript: NewSessionEvent[];
  getRun(runId: string): Promise<RunRecord | undefined>;
  getStory(runId: string, storyId: string): Promise<StoryRecord | undefined>;
  getStories(runId: string): Promise<readonly StoryRecord[]>;
  getWorkspace(id: string): Promise<WorkspaceRecord | undefined>;
  putWorkspace(workspace: WorkspaceRecord): Promise<void>;
  deleteWorkspace(id: string): Promise<void>;
  recordCheck(check: CheckRecord): Promise<void>;
  referenceCheck(runId: string, gate: string, where: 'workspace' | 'merged'): Promise<CheckRecord | undefined>;
  getBlob(hash: string): Promise<string | undefined>;
  putBlob(text: string): Promise<string>;
  appendRunEvents(runId: string, events: readonly NewRunEvent[]): Promise<void>;
  hasSessionEvent(sessionId: string, key: string): Promise<boolean>;
  appendSessionEvents(sessionId: string, events: readonly NewSessionEvent[]): Promise<void>;
}

/** A store in memory with one run, `ralph:repo-000000:sums`, and the stories given. */
export function memoryStore(options: {
  readonly repoPath: string;
  readonly branch?: string;
  readonly prdPath?: string;
  readonly stories: readonly (Partial<Story> & { readonly id: string })[];
  readonly qualityChecks?: Readonly<Record<string, string>>;
}): MemoryStore {
  const runId = 'ralph:repo-000000:sums';
  const { stories, ...prd } = Prd.parse({
    project: 'sums',
    feature: 'Sums',
    qualityChecks: options.qualityChecks ?? {},
    stories: options.stories.map((story) => ({ title: `Title of ${story.id}`, description: 'It works.', ...story })),
  });
  const noUsage = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, costUsd: 0 };
  const now = new Date('2026-01-01T00:00:00Z');
  const store: MemoryStore = {
    run: {
      runId,
      kind: 'ralph',
      status: 'running',
      project: 'sums',
      feature: 'Sums',
      repoPath: options.repoPath,
      prdPath: options.prdPath ?? path.join(options.repoPath, 'prd.json'),
      branch: options.branch ?? 'feature/sums',
      base: null,
      tip: null,
      hostId: 'host-1',
      options: {
        model: 'scripted/x.yaml',
        maxIterations: 10,
        maxAttempts: 3,
        maxSteps: 10,
        maxConcurrent: 4,
        maxCostUsd: null,
        maxTokens: null,
        maxTimeMs: null,
      },
      prd,
      execution: 1,
      ledger: { spentUsd: 0, spentTokens: 0, reservedUsd: 0, reservedTokens: 0, steps: 0 },
      usage: noUsage,
      outcomeMessage: '',
      createdAt: now,
      startedAt: now,
      endedAt: null,
      headSeq: 0,
      openedSeq: 0,
      passed: 0,
      total: stories.length,
      flakyGates: [],
      redGates: [],
    },
    stories: new Map(
      stories.map((story, position) => [
        story.id,
        {
          runId,
          position,
          story,
          status: 'open',
          attempts: 0,
          tries: 0,
          commit: null,
          feedback: null,
          usage: noUsage,
          durationMs: 0,
          startedAt: null,
          endedAt: null,
        },
      ]),
    ),
    workspaces: new Map(),
    checks: [],
    blobs: new Map(),
    events: [],
    transcript: [],
    getRun: async (id) => (id === store.run.runId ? store.run : undefined),
    getStory: async (_, storyId) => store.stories.get(storyId),
    getStories: async () => [...store.stories.values()],
    getWorkspace: async (id) => store.workspaces.get(id),
    async putWorkspace(workspace) {
      store.workspaces.set(workspace.workspaceId, workspace);
    },
    async deleteWorkspace(id) {
      store.workspaces.delete(id);
    },
    async recordCheck(check) {
      store.checks.push(check);
    },
    async referenceCheck(_, gate, where) {
      const ofGate = store.checks.filter((check) => check.name === gate);
      const onBranch = ofGate.findLast((check) => {
        const story = store.stories.get(check.storyId ?? '');
        return check.where === 'merged' && story?.status === 'passed' && story.commit === check.commit;
      });
      const baseline = ofGate.findLast((check) => check.where === 'baseline');
      return where === 'merged' ? (onBranch ?? baseline) : baseline;
    },
    getBlob: async (hash) => store.blobs.get(hash),
    async putBlob(text) {
      const hash = createHash('sha256').update(text).digest('hex');
      store.blobs.set(hash, text);
      return hash;
    },
    async appendRunEvents(_, events) {
      store.events.push(...events);
    },
    hasSessionEvent: async (_, key) => store.transcript.some((event) => event.key === key),
    async appendSessionEvents(_, events) {
      store.transcript.push(...events);
    },
  };
  return store;
}
