import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRunCommand } from '../../activities/process/run-command.ts';
import { createToolActivities } from '../../activities/tools/create-tool-activities.ts';
import { withDiskQuota } from '../../activities/tools/disk-quota.ts';
import { createWorkspaceActivities } from '../../activities/workspace/create-workspace-activities.ts';
import { diskUsage } from '../../activities/workspace/disk-usage.ts';
import { createRepositories } from '../../activities/workspace/repository.ts';
import type { ToolActivities } from '../../domain/contracts/activities.ts';
import { attemptId } from '../../domain/run/ids.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { bareEnvironment, makeRepository, type TestRepository } from '../support/repository.ts';
import { plan } from './store-fixtures.ts';

let store: PostgresStore;
let repository: TestRepository;
let tools: Pick<ToolActivities, 'toolCall'>;
let runId: string;
let folders: string[];
let count = 0;
let nowMs = 0;

withTestStore((opened) => {
  store = opened;
});

async function openRun(maxDiskBytes: number | undefined): Promise<void> {
  runId = `ralph:disk-${++count}:due-dates`;
  const planned = plan({ runId, stories: [{ id: 'US-1' }, { id: 'US-2' }] });
  const options = { ...planned.options, ...(maxDiskBytes === undefined ? {} : { maxDiskBytes }) };
  await store.openRun({ ...planned, options, repoPath: repository.top });
  const processes = {
    env: bareEnvironment(repository.scratch),
    processDir: path.join(repository.scratch, 'processes'),
  };
  const repositories = createRepositories(processes);
  const workspaces = createWorkspaceActivities({ store, hostId: 'tiger', repositories });
  await workspaces.openRepository({ runId });
  folders = [];
  for (const storyId of ['US-1', 'US-2']) {
    const start = { kind: 'tip' } as const;
    folders.push((await workspaces.prepareWorkspace({ runId, storyId, attempt: 1, start })).path);
  }
  const all = createToolActivities({
    store,
    git: repositories.git,
    runCommand: createRunCommand(processes),
    cancellationSignal: () => new AbortController().signal,
  });
  tools = withDiskQuota({ store, nowMs: () => nowMs }, all);
}

beforeEach(() => {
  repository = makeRepository({ files: { 'a.txt': 'a\n' } });
});
afterEach(() => {
  repository.remove();
});

/** The agent of the story runs a command as its step. */
async function bash(storyId: string, step: number, command: string) {
  const sessionId = attemptId(runId, storyId, 1);
  await store.appendSessionEvents(sessionId, [
    {
      key: `${sessionId}:${step}`,
      kind: 'assistant',
      body: { text: '', toolCalls: [{ id: `b${step}`, name: 'bash', args: { command } }] },
    },
  ]);
  nowMs += 60_000;
  return await tools.toolCall({ runId, storyId, attempt: 1, sessionId, step, callId: `b${step}` });
}

async function told(storyId: string): Promise<readonly string[]> {
  const rows = await store.readSession(attemptId(runId, storyId, 1));
  return rows.flatMap((row) => (row.kind === 'user' ? [row.body.text] : []));
}

const fill = (megabytes: number) => `dd if=/dev/urandom of=big.bin bs=1M count=${megabytes} 2>/dev/null`;

test('the agent with the largest worktree is told once, then its calls end its attempt; results are kept', async () => {
  await openRun(5e6);
  await bash('US-2', 1, fill(1));
  await bash('US-1', 1, fill(6));
  expect(await told('US-1')).toEqual([
    expect.stringMatching(
      /^The disk: the run's worktrees take 8 MB of the 5 MB that they may; this one takes 7 MB\. Remove/,
    ),
  ]);
  await bash('US-2', 2, 'true');
  expect(await told('US-2')).toEqual([]);
  await bash('US-1', 2, 'du -sh .');
  await bash('US-1', 3, 'ls');
  await expect(bash('US-1', 4, 'echo kept')).rejects.toMatchObject({ code: 'disk-quota' });
  expect(await told('US-1')).toHaveLength(1);
  const rows = await store.readSession(attemptId(runId, 'US-1', 1));
  expect(rows.some((row) => row.kind === 'tool-result' && row.body.callId === 'b4' && row.body.ok)).toBe(true);
});

test('an agent that frees the disk goes on', async () => {
  await openRun(5e6);
  await bash('US-1', 1, fill(6));
  await bash('US-1', 2, 'rm big.bin');
  for (const step of [3, 4, 5, 6]) await bash('US-1', step, 'true');
  const events = await store.readRunEvents(runId, { afterSeq: 0, limit: 1000, kinds: ['disk-measured'] });
  const sizes = events.map(({ body }) => ('bytes' in body ? body.bytes > body.maxBytes : null));
  expect(sizes).toEqual([true, false]);
});

test('a measurement holds for half a minute', async () => {
  await openRun(5e6);
  await bash('US-1', 1, 'true');
  nowMs -= 59_000;
  await bash('US-1', 2, fill(6));
  expect(await told('US-1')).toEqual([]);
  await bash('US-1', 3, 'true');
  expect(await told('US-1')).toHaveLength(1);
});

test('a run without a quota is not looked at', async () => {
  await openRun(undefined);
  await bash('US-1', 1, fill(6));
  const events = await store.readRunEvents(runId, { afterSeq: 0, limit: 1000, kinds: ['disk-measured'] });
  expect(events).toEqual([]);
});

test('dependencies that worktrees share cost nothing', async () => {
  await openRun(undefined);
  const [first = '', second = ''] = folders;
  const before = await diskUsage(path.dirname(first));
  const shared = path.join(repository.scratch, 'store');
  mkdirSync(shared);
  writeFileSync(path.join(shared, 'module.bin'), Buffer.alloc(2_000_000, 1));
  symlinkSync(shared, path.join(first, 'node_modules'));
  mkdirSync(path.join(second, 'node_modules'));
  linkSync(path.join(shared, 'module.bin'), path.join(second, 'node_modules', 'module.bin'));
  expect(await diskUsage(path.dirname(first))).toEqual(before);
  writeFileSync(path.join(first, 'own.bin'), Buffer.alloc(2_000_000, 1));
  const after = await diskUsage(path.dirname(first));
  const name = path.basename(first);
  expect((after.get(name) ?? 0) - (before.get(name) ?? 0)).toBeGreaterThanOrEqual(2_000_000);
  expect(await diskUsage(path.join(repository.scratch, 'nothing'))).toEqual(new Map());
});
