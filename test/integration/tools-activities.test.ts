import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRunCommand } from '../../activities/process/run-command.ts';
import { createToolActivities } from '../../activities/tools/create-tool-activities.ts';
import { createWorkspaceActivities } from '../../activities/workspace/create-workspace-activities.ts';
import { createRepositories } from '../../activities/workspace/repository.ts';
import type { RunEvent } from '../../domain/run/events.ts';
import { agentSessionId, attemptId, toolCallKey, workspaceId } from '../../domain/run/ids.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { bareEnvironment, makeRepository, type TestRepository } from '../support/repository.ts';
import { plan } from './store-fixtures.ts';

let store: PostgresStore;
let repository: TestRepository;
let runId: string;
let sessionId: string;
let workspacePath: string;
let abort: AbortController;
let tools: ReturnType<typeof createToolActivities>;
let count = 0;

withTestStore((opened) => {
  store = opened;
});

beforeEach(async () => {
  count += 1;
  runId = `ralph:tools-${count}:due-dates`;
  repository = makeRepository({
    files: {
      'AGENTS.md': 'Root rules.\n',
      'web/AGENTS.md': 'Web rules.\n',
      'web/app/CLAUDE.md': 'App rules.\n',
      'docs/AGENTS.md': 'Docs rules.\n',
      'web/app/prd.json': '{}',
    },
  });
  const processes = {
    env: bareEnvironment(repository.scratch),
    processDir: path.join(repository.scratch, 'processes'),
  };
  const repositories = createRepositories(processes);
  await store.openRun({
    ...plan({ runId, stories: [{ id: 'US-1' }] }),
    repoPath: repository.top,
    prdPath: path.join(repository.top, 'web/app/prd.json'),
  });
  const workspaces = createWorkspaceActivities({ store, hostId: 'tiger', repositories });
  await workspaces.openRepository({ runId });
  const prepared = await workspaces.prepareWorkspace({ ...attempt(), start: { kind: 'tip' } });
  workspacePath = prepared.path;
  sessionId = attemptId(runId, 'US-1', 1);
  abort = new AbortController();
  tools = createToolActivities({
    store,
    git: repositories.git,
    runCommand: createRunCommand(processes),
    cancellationSignal: () => abort.signal,
    skills: async (folder) => [{ name: 'where', description: folder, folder, body: 'x', files: [] }],
  });
});

afterEach(() => {
  repository.remove();
});

const attempt = () => ({ runId, storyId: 'US-1', attempt: 1 });
const input = (callId: string, step = 1) => ({ ...attempt(), sessionId, step, callId });

/** The model's answer of a step, with these calls. */
async function asked(step: number, calls: readonly { id: string; name: string; args: unknown }[]): Promise<void> {
  await store.appendSessionEvents(sessionId, [
    { key: `${sessionId}:${step}`, kind: 'assistant', body: { text: '', toolCalls: [...calls] } },
  ]);
}

async function events(): Promise<readonly RunEvent[]> {
  return store.readRunEvents(runId, { afterSeq: 0, limit: 1000 });
}

async function results(): Promise<readonly { callId: string; ok: boolean; output: string }[]> {
  const rows = await store.readSession(sessionId);
  return rows.flatMap((row) => (row.kind === 'tool-result' ? [row.body] : []));
}

async function checkpoint(): Promise<string | undefined> {
  return (await store.getWorkspace(workspaceId(runId, 'US-1')))?.checkpoint;
}

const file = (name: string): string => readFileSync(path.join(workspacePath, name), 'utf8');

/** What a command left that was killed in the middle. */
const halfDone = async (callId: string): Promise<void> => {
  await store.beginEffect({ key: toolCallKey(sessionId, 2, callId), runId, storyId: 'US-1', kind: 'tool-call' });
  writeFileSync(path.join(workspacePath, 'kept.txt'), 'half');
  writeFileSync(path.join(workspacePath, 'stray.txt'), 'x');
  rmSync(path.join(workspacePath, 'README.md'));
  mkdirSync(path.join(workspacePath, 'node_modules'), { recursive: true });
};

const open = () => tools.openSession({ ...attempt(), sessionId });

describe('a tool call', () => {
  test('about the context acts on the session that it was called in, once', async () => {
    await open();
    const other = attemptId(runId, 'US-1', 2);
    await store.appendSessionEvents(other, [{ key: 'a', kind: 'user', body: { text: 'another session' } }]);
    await asked(1, [{ id: 'c1', name: 'context_pin', args: { action: 'pin', row: 2 } }]);
    await tools.toolCall(input('c1'));
    await tools.toolCall(input('c1'));
    await asked(2, [{ id: 'c2', name: 'context_budget', args: {} }]);
    await tools.toolCall(input('c2', 2));
    const pins = (await store.readSession(sessionId)).filter(({ kind }) => kind === 'pin');
    expect(pins.map(({ body }) => body)).toEqual([{ fromSeq: 2, toSeq: 2, pinned: true }]);
    expect((await results()).at(-1)?.output).toContain('policy incremental; 1 turns, 3 steps');
    expect(await store.readSession(other)).toHaveLength(1);
  });

  test('finds the skills of the main checkout, which is what people trust', async () => {
    await asked(1, [{ id: 'c1', name: 'skill', args: { action: 'list' } }]);
    await tools.toolCall(input('c1'));
    expect(await results()).toMatchObject([{ ok: true, output: `where: ${repository.top}` }]);
  });

  test('runs, and its result, checkpoint and events are recorded together', async () => {
    const before = await checkpoint();
    await asked(1, [{ id: 'c1', name: 'write', args: { path: 'src/new.js', content: 'x\n' } }]);
    const result = await tools.toolCall(input('c1'));
    expect(result.ok).toBe(true);
    expect(file('src/new.js')).toBe('x\n');
    expect(await results()).toEqual([
      {
        callId: 'c1',
        tool: 'write',
        ok: true,
        output: 'created src/new.js (1 lines, 2 bytes)',
        did: { files: [{ path: 'src/new.js', change: 'added' }], commands: [] },
      },
    ]);
    const after = await checkpoint();
    expect(after).not.toBe(before);
    expect(repository.git(['show', `${after}:src/new.js`])).toBe('x');
    expect(
      (await events()).map(({ kind, storyId, attempt: number, body }) => ({ kind, storyId, number, body })),
    ).toEqual([
      { kind: 'step-started', storyId: 'US-1', number: 1, body: { step: 1, label: 'write src/new.js' } },
      {
        kind: 'tool-ended',
        storyId: 'US-1',
        number: 1,
        body: {
          step: 1,
          tool: 'write',
          label: 'write src/new.js',
          ok: true,
          durationMs: result.durationMs,
          files: ['src/new.js'],
        },
      },
    ]);
  });

  test('that was recorded is not run again', async () => {
    await asked(1, [{ id: 'c1', name: 'bash', args: { command: 'echo x >> log; exit 1' } }]);
    expect(await tools.toolCall(input('c1'))).toMatchObject({ ok: false });
    expect(await tools.toolCall(input('c1'))).toMatchObject({ ok: false, durationMs: 0 });
    expect(file('log')).toBe('x\n');
    expect(await results()).toHaveLength(1);
    expect(await tools.recoverToolCall({ ...input('c1'), risk: 'shell' })).toEqual({ kind: 'recorded', isBegun: true });
    expect(file('log')).toBe('x\n');
  });

  test('leaves no terminal escapes in the transcript, whatever the tool shows', async () => {
    const patch = '*** Begin Patch\n*** Add File: a\u001b[2Jb.txt\n+x\n*** End Patch\n';
    await asked(1, [{ id: 'c1', name: 'apply_patch', args: { patch } }]);
    expect(await tools.toolCall(input('c1'))).toMatchObject({ ok: true });
    expect(await results()).toMatchObject([{ output: 'added ab.txt' }]);
  });

  test('that changes nothing leaves the checkpoint', async () => {
    const before = await checkpoint();
    await asked(1, [
      { id: 'c1', name: 'read', args: { path: 'README.md' } },
      { id: 'c2', name: 'bash', args: { command: 'true' } },
      { id: 'c3', name: 'nonsense', args: {} },
      { id: 'c4', name: 'write', args: {} },
      { id: 'c5', name: 'edit', args: { path: '../x', old_string: 'a', new_string: 'b' } },
    ]);
    for (const id of ['c1', 'c2', 'c3', 'c4', 'c5']) await tools.toolCall(input(id));
    expect(await checkpoint()).toBe(before);
    expect((await results()).map(({ ok }) => ok)).toEqual([true, true, false, false, false]);
  });

  test('of a long command shows its newest line while it runs, at most four times a second', async () => {
    await asked(1, [
      { id: 'c1', name: 'bash', args: { command: 'for i in $(seq 1 60); do echo line $i; sleep 0.02; done' } },
    ]);
    const from = Date.now();
    await tools.toolCall(input('c1'));
    const most = (Date.now() - from) / 250 + 1;
    const log = await events();
    const lines = log.filter((event) => event.kind === 'step-output');
    expect(log[0]?.kind).toBe('step-started');
    expect(log.at(-1)?.kind).toBe('tool-ended');
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.length).toBeLessThanOrEqual(most);
    expect(lines[0]?.body).toMatchObject({ step: 1, line: expect.stringMatching(/^line \d+$/) });
  });

  test('gives a result that the database takes, whatever the command printed', async () => {
    await asked(1, [{ id: 'c1', name: 'bash', args: { command: `printf 'a\\0b\\033[31mred\\033[0m\\xff'` } }]);
    await tools.toolCall(input('c1'));
    expect((await results())[0]?.output).toBe('abred\ufffd');
  });

  test('that is cancelled records nothing', async () => {
    await asked(1, [{ id: 'c1', name: 'bash', args: { command: 'touch begun; sleep 60' } }]);
    const running = tools.toolCall(input('c1'));
    setTimeout(() => abort.abort(new Error('cancelled')), 300);
    await expect(running).rejects.toThrow('cancelled');
    expect(await results()).toEqual([]);
  });

  test('nobody asked for, or of another attempt, is refused', async () => {
    await expect(tools.toolCall(input('c9'))).rejects.toMatchObject({ code: 'internal' });
    await asked(1, [{ id: 'c1', name: 'read', args: { path: 'README.md' } }]);
    await expect(tools.toolCall({ ...input('c1'), attempt: 2 })).rejects.toMatchObject({ code: 'workspace-failed' });
  });

  test('is found in a long transcript', async () => {
    await asked(1, [{ id: 'c1', name: 'list', args: {} }]);
    for (let step = 2; step < 80; step += 1) await asked(step, []);
    expect(await tools.toolCall(input('c1'))).toMatchObject({ ok: true });
    expect(await tools.toolCall(input('c1'))).toMatchObject({ ok: true, durationMs: 0 });
    expect(await results()).toHaveLength(1);
  });
});

describe('recovery of a lost call', () => {
  test('of one agent undoes nothing that another one in the same worktree has recorded, whoever comes first', async () => {
    await open();
    await asked(1, [{ id: 'c1', name: 'write', args: { path: 'kept.txt', content: 'kept' } }]);
    await tools.toolCall(input('c1'));
    await asked(2, [{ id: 'c2', name: 'write', args: { path: 'kept.txt', content: 'whole' } }]);
    await halfDone('c2');

    const other = agentSessionId(sessionId, 'w.c0');
    const calls = [{ id: 'o1', name: 'write', args: { path: 'other.txt', content: 'of the other' } }];
    await store.appendSessionEvents(other, [
      { key: 'answer', kind: 'assistant', body: { text: '', toolCalls: calls } },
    ]);
    expect(await tools.toolCall({ ...input('o1'), sessionId: other })).toMatchObject({ ok: true });
    // What was half done is in no checkpoint.
    expect(file('kept.txt')).toBe('kept');
    expect(existsSync(path.join(workspacePath, 'stray.txt'))).toBe(false);

    expect(await tools.recoverToolCall({ ...input('c2', 2), risk: 'write' })).toEqual({ kind: 'rerun', isBegun: true });
    expect(file('other.txt')).toBe('of the other');
    expect(await tools.toolCall(input('c2', 2))).toMatchObject({ ok: true });
    expect([file('kept.txt'), file('other.txt')]).toEqual(['whole', 'of the other']);
  });

  test('a call that its agent was interrupted in is undone, with nothing of what the others have done', async () => {
    await open();
    await asked(1, [{ id: 'c1', name: 'write', args: { path: 'kept.txt', content: 'kept' } }]);
    await tools.toolCall(input('c1'));
    const other = agentSessionId(sessionId, 'w.c0');
    const args = { command: 'echo half > kept.txt; touch begun; sleep 60' };
    await store.appendSessionEvents(other, [
      { key: 'answer', kind: 'assistant', body: { text: '', toolCalls: [{ id: 'o1', name: 'bash', args }] } },
    ]);
    const call = tools.toolCall({ ...input('o1'), sessionId: other });
    const failed = expect(call).rejects.toThrow();
    while (!existsSync(path.join(workspacePath, 'begun'))) await new Promise((resolve) => setTimeout(resolve, 20));
    abort.abort(new Error('interrupted'));
    await failed;
    expect(file('kept.txt')).toBe('kept');
    expect(existsSync(path.join(workspacePath, 'begun'))).toBe(false);
    expect(await store.openToolCalls({ runId, storyId: 'US-1' })).toEqual([]);
  });

  beforeEach(async () => {
    await asked(1, [{ id: 'c1', name: 'write', args: { path: 'kept.txt', content: 'kept' } }]);
    await tools.toolCall(input('c1'));
  });

  test('of a shell command puts the workspace back and tells the model', async () => {
    await asked(2, [{ id: 'c2', name: 'bash', args: { command: 'rm README.md' } }]);
    await halfDone('c2');
    expect(await tools.recoverToolCall({ ...input('c2', 2), risk: 'shell' })).toEqual({
      kind: 'interrupted',
      isBegun: true,
    });
    expect(file('kept.txt')).toBe('kept');
    expect(file('README.md')).toBe('# sums\n');
    expect(existsSync(path.join(workspacePath, 'stray.txt'))).toBe(false);
    const [, result] = await results();
    expect(result).toMatchObject({ callId: 'c2', tool: 'bash', ok: false });
    expect(result?.output).toContain('the worker was lost while this command ran');
    expect((await events()).at(-1)).toMatchObject({
      kind: 'tool-interrupted',
      body: { step: 2, tool: 'bash', rerun: false },
    });
    expect(await tools.recoverToolCall({ ...input('c2', 2), risk: 'shell' })).toEqual({
      kind: 'recorded',
      isBegun: true,
    });
    expect(await tools.toolCall(input('c2', 2))).toMatchObject({ ok: false, durationMs: 0 });
    expect((await events()).filter(({ kind }) => kind === 'tool-interrupted')).toHaveLength(1);
  });

  test('of a write puts the workspace back and asks for a rerun, which works', async () => {
    await asked(2, [{ id: 'c2', name: 'edit', args: { path: 'kept.txt', old_string: 'kept', new_string: 'new' } }]);
    await halfDone('c2');
    expect(await tools.recoverToolCall({ ...input('c2', 2), risk: 'write' })).toEqual({ kind: 'rerun', isBegun: true });
    expect(await tools.toolCall(input('c2', 2))).toMatchObject({ ok: true });
    expect(file('kept.txt')).toBe('new');
  });

  test('of a patch that was half applied puts all of its files back, and the rerun applies it whole', async () => {
    const patch =
      '*** Begin Patch\n*** Update File: kept.txt\n@@\n-kept\n+new\n*** Add File: a/b.txt\n+b\n*** Delete File: README.md\n*** End Patch\n';
    await asked(2, [{ id: 'c2', name: 'apply_patch', args: { patch } }]);
    await store.beginEffect({ key: toolCallKey(sessionId, 2, 'c2'), runId, storyId: 'US-1', kind: 'tool-call' });
    writeFileSync(path.join(workspacePath, 'kept.txt'), 'new\n');
    mkdirSync(path.join(workspacePath, 'a'));
    writeFileSync(path.join(workspacePath, 'a', '.b.txt.0123456789ab.tmp'), 'b\n');
    expect(await tools.recoverToolCall({ ...input('c2', 2), risk: 'write' })).toEqual({ kind: 'rerun', isBegun: true });
    expect(file('kept.txt')).toBe('kept');
    expect(existsSync(path.join(workspacePath, 'a'))).toBe(false);
    expect(await tools.toolCall(input('c2', 2))).toMatchObject({ ok: true });
    expect([file('kept.txt'), file('a/b.txt')]).toEqual(['new', 'b\n']);
    expect(existsSync(path.join(workspacePath, 'README.md'))).toBe(false);
  });

  test('of a call that had not begun changes nothing and asks for a rerun', async () => {
    await asked(2, [{ id: 'c2', name: 'bash', args: { command: 'echo x >> twice.txt' } }]);
    expect(await tools.recoverToolCall({ ...input('c2', 2), risk: 'shell' })).toEqual({
      kind: 'rerun',
      isBegun: false,
    });
    expect(await tools.toolCall(input('c2', 2))).toMatchObject({ ok: true });
    expect(file('twice.txt')).toBe('x\n');
  });

  test('is the only way on after a call that was begun: it is never silently run again', async () => {
    await asked(2, [{ id: 'c2', name: 'bash', args: { command: 'echo x >> twice.txt' } }]);
    const key = toolCallKey(sessionId, 2, 'c2');
    // As a worker leaves it that dies in the command.
    await store.beginEffect({ key, runId, storyId: 'US-1', kind: 'tool-call' });
    await expect(tools.toolCall(input('c2', 2))).rejects.toMatchObject({ code: 'outcome-unknown' });
    expect(existsSync(path.join(workspacePath, 'twice.txt'))).toBe(false);
    expect(await tools.recoverToolCall({ ...input('c2', 2), risk: 'shell' })).toEqual({
      kind: 'interrupted',
      isBegun: true,
    });
    expect((await store.listEffects(runId)).at(-1)).toMatchObject({ key, state: 'interrupted', tries: 1 });
  });

  test('waits for a call that this worker is still ending', async () => {
    await asked(2, [{ id: 'c2', name: 'bash', args: { command: 'touch begun; sleep 0.5; echo done > done.txt' } }]);
    const running = tools.toolCall(input('c2', 2));
    await expect.poll(() => existsSync(path.join(workspacePath, 'begun'))).toBe(true);
    expect(await tools.recoverToolCall({ ...input('c2', 2), risk: 'shell' })).toEqual({
      kind: 'recorded',
      isBegun: true,
    });
    expect(await running).toMatchObject({ ok: true });
    expect(file('done.txt')).toBe('done\n');
  });
});

describe('opening a session', () => {
  test('writes both prompts once', async () => {
    await open();
    const [system, user, ...others] = await store.readSession(sessionId);
    expect(others).toEqual([]);
    expect(system?.kind).toBe('system');
    expect(user?.kind).toBe('user');
    writeFileSync(path.join(workspacePath, 'AGENTS.md'), 'changed');
    await open();
    expect(await store.readSession(sessionId)).toEqual([system, user]);
  });

  test('instructions come from the top folder down to the PRD’s, others by name', async () => {
    await open();
    const [system] = await store.readSession(sessionId);
    const text = system?.kind === 'system' ? system.body.text : '';
    const places = ['Root rules.', 'Web rules.', 'App rules.', '- docs/AGENTS.md', `Workspace: ${workspacePath}`].map(
      (part) => text.indexOf(part),
    );
    expect(places.every((place) => place > 0)).toBe(true);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(text).not.toContain('Docs rules.');
  });

  test('instructions are cut at 32 KiB, the farthest first, and the override wins', async () => {
    writeFileSync(path.join(workspacePath, 'AGENTS.md'), 'r'.repeat(40_000));
    writeFileSync(path.join(workspacePath, 'web/AGENTS.override.md'), 'w'.repeat(30_000));
    await open();
    const [system] = await store.readSession(sessionId);
    const text = system?.kind === 'system' ? system.body.text : '';
    expect(text).toContain('w'.repeat(30_000));
    expect(text).toContain('App rules.');
    expect(text).not.toContain('Web rules.');
    expect(text).toMatch(/r{2000}\n\n\[… 37\d{3} more characters of AGENTS.md cut/);
  });

  test('the story gets the progress and, after a red gate, the end of its output', async () => {
    const folder = path.join(repository.top, 'web/app');
    writeFileSync(path.join(folder, 'progress.txt'), `${'old\n'.repeat(5000)}Learning: dates are UTC\nlast line\n`);
    const log = await store.putBlob(`${'noise\n'.repeat(5000)}not ok 7 - fri is Friday\n`);
    const check = {
      runId,
      storyId: 'US-1',
      where: 'workspace',
      name: 'test',
      command: 'node --test',
      tree: 't',
      commit: null,
      durationMs: 1,
      summary: 's',
    } as const;
    await store.recordCheck({
      ...check,
      attempt: 0,
      ok: true,
      verdict: 'ok',
      exitCode: 0,
      log: await store.putBlob('green'),
    });
    await store.recordCheck({ ...check, attempt: 0, ok: false, verdict: 'red', exitCode: 1, log });
    await store.record({
      runId,
      events: [{ key: 'k', kind: 'warning', body: { message: 'x' } }],
      story: { storyId: 'US-1', feedback: { reason: 'gate-failed', message: 'gate test: 1 of 14' } },
    });
    await open();
    const [, user] = await store.readSession(sessionId);
    const text = user?.kind === 'user' ? user.body.text : '';
    expect(text).toContain('- Learning: dates are UTC');
    expect(text).toContain('last line');
    expect(text).toContain('It did not pass (gate-failed): gate test: 1 of 14');
    expect(text).toContain('not ok 7 - fri is Friday');
    expect(text.length).toBeLessThan(20_000);
    expect(text).toContain('# Project todo: due dates');
    expect(text).toContain('- test: `node --test`');
  });
});
