import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createRunCommand } from '../../activities/process/run-command.ts';
import { createSessionActivities } from '../../activities/session/create-session-activities.ts';
import { createRunHooks } from '../../activities/session/run-hooks.ts';
import { createToolActivities } from '../../activities/tools/create-tool-activities.ts';
import { createGit } from '../../activities/workspace/git.ts';
import { besideSessionId, sessionAgentId } from '../../domain/run/ids.ts';
import { HookSettings } from '../../domain/session/hooks.ts';
import type { RequestedToolCall } from '../../domain/session/transcript.ts';
import { createExtensionReader } from '../../services/config/extensions.ts';
import { createStore } from '../../services/store/store.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { createTestDatabase } from '../support/postgres.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { bareEnvironment } from '../support/repository.ts';
import { startApi } from './api-fixtures.ts';
import type { TestApi } from './api-fixtures.ts';

let database: TestDatabase;
let store: PostgresStore;
let api: TestApi;
/** The session works in `work`; the user's own files lie in `config`. */
let folder: string;
let work: string;
let inputFolder: string;
let sessionId: string;
let sessions: ReturnType<typeof createSessionActivities>;
let tools: ReturnType<typeof createToolActivities>;
let count = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  store = createStore({ databaseUrl: database.url });
});
afterAll(async () => {
  await store.close();
  await database.drop();
});
beforeEach(async () => {
  sessionId = `session:${++count}-of-extensions`;
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'codetether-extend-')));
  work = path.join(folder, 'work');
  inputFolder = path.join(folder, 'inputs');
  mkdirSync(work);
  const processes = { env: bareEnvironment(folder), processDir: path.join(folder, 'processes') };
  const extensions = createExtensionReader({
    config: { dataDir: path.join(folder, 'data') },
    environment: { XDG_CONFIG_HOME: path.join(folder, 'config') },
  });
  const skills = async (place: string) => (await extensions(place)).skills;
  const cancellationSignal = () => new AbortController().signal;
  const runCommand = createRunCommand(processes);
  const runHooks = createRunHooks({ store, runCommand, inputFolder, cancellationSignal });
  const git = createGit(processes);
  sessions = createSessionActivities({ store, git, hostId: 'tiger', skills, agents: extensions, runHooks });
  tools = createToolActivities({ store, git, runCommand, cancellationSignal, skills });
  api = await startApi(store, { extensions });
  await store.openSession({
    sessionId,
    folder: work,
    hostId: 'tiger',
    title: 'work',
    model: 'scripted/x',
    agent: 'build',
    caps: {},
  });
});
afterEach(async () => {
  await api.close();
  rmSync(folder, { recursive: true, force: true });
});

function own(file: string, text: string): void {
  const target = path.join(folder, 'config', 'codetether', file);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, text);
}

async function turn(messageId: string, change: { readonly agent?: string; readonly agentPrompt?: string } = {}) {
  return await sessions.openTurn({
    sessionId,
    messageId,
    text: await store.putBlob('do it'),
    agent: 'build',
    model: 'scripted/x',
    maxSteps: 5,
    maxTimeMs: null,
    onAsk: 'deny',
    askTimeoutMs: 1,
    ...change,
  });
}

/** The model's answer of one step, with the calls it asks for. */
async function answered(step: number, calls: readonly RequestedToolCall[]): Promise<void> {
  const usage = { inputTokens: 10, outputTokens: 1, cachedInputTokens: 0, costUsd: 0.01 };
  const key = `${sessionId}:${step}`;
  await store.answerModelCall({
    key,
    runId: sessionId,
    storyId: sessionAgentId,
    sessionId,
    model: 'scripted/x',
    result: { kind: 'answered', stop: calls.length === 0 ? 'finished' : 'tool-calls', toolCalls: [], usage },
    sessionEvent: { key, kind: 'assistant', body: { text: 'said', toolCalls: [...calls] } },
    runEvents: [],
  });
}

const ref = (step: number) => ({ runId: sessionId, storyId: sessionAgentId, attempt: 1, sessionId, step });

async function resultOf(step: number, args: object): Promise<{ readonly ok: boolean; readonly output: string }> {
  const id = `call-${step}`;
  await answered(step, [{ id, name: 'skill', args }]);
  await tools.toolCall({ ...ref(step), callId: id });
  const row = (await store.readSession(sessionId)).at(-1);
  return row?.kind === 'tool-result' ? row.body : { ok: false, output: 'no result' };
}

test('a skill is named in the prompt, and its text and files are given when they are asked for, nothing else', async () => {
  own('skills/deploy/SKILL.md', '---\nname: deploy\ndescription: how to deploy\n---\nRun scripts/go.sh first.\n');
  own('skills/deploy/scripts/go.sh', 'echo go\n');
  own('secret.txt', 'secret');
  await turn('a');
  const [system] = await store.readSession(sessionId);
  expect(JSON.stringify(system?.body)).toContain('- deploy: how to deploy');
  expect(JSON.stringify(system?.body)).not.toContain('Run scripts');
  expect(await resultOf(1, { action: 'list' })).toMatchObject({ output: 'deploy: how to deploy' });
  const loaded = await resultOf(2, { action: 'load', name: 'deploy' });
  expect(loaded.output).toContain('Run scripts/go.sh first.');
  expect(loaded.output).toContain('- scripts/go.sh');
  expect((await resultOf(3, { action: 'load', name: 'deploy', file: 'scripts/go.sh' })).output).toBe('echo go\n');
  for (const [step, file] of ['../../secret.txt', '/etc/passwd', 'no.txt'].entries()) {
    const refused = await resultOf(4 + step, { action: 'load', name: 'deploy', file });
    expect(refused.ok, refused.output).toBe(false);
  }
  expect((await resultOf(8, { action: 'load', name: '../x' })).output).toContain('there is no skill');
});

test('an agent of a file is told its words, also when it takes over in a session that goes on', async () => {
  const agentPrompt = await store.putBlob('Be strict.');
  await turn('a', { agent: 'reviewer', agentPrompt });
  await turn('b');
  await turn('c', { agent: 'reviewer', agentPrompt });
  await turn('d', { agent: 'reviewer', agentPrompt });
  const texts = (await store.readSession(sessionId)).map(({ body }) => ('text' in body ? body.text : ''));
  const asReviewer = 'From here on you are the agent reviewer. Be strict.';
  const asBuilder = expect.stringContaining('From here on you are the agent build.');
  expect(texts.slice(1)).toEqual([asReviewer, 'do it', asBuilder, 'do it', asReviewer, 'do it', 'do it']);
});

test('a call of a tool that is not on the list of an agent is refused', async () => {
  await turn('a');
  await answered(1, [{ id: 'w', name: 'write', args: { path: 'a.txt', content: 'a' } }]);
  expect(await tools.toolCall({ ...ref(1), callId: 'w', tools: ['read', 'grep'] })).toMatchObject({ ok: false });
  expect(existsSync(path.join(work, 'a.txt'))).toBe(false);
  expect(JSON.stringify(await store.readSession(sessionId))).toContain('this agent has these tools: read, grep');
});

test('the API fixes what a turn may do when its message comes, and names what there is instead of what there is not', async () => {
  const file = 'agents/reviewer.md';
  own(
    file,
    '---\nname: reviewer\ndescription: x\ntools: read, grep\nreads-only: true\nmax-steps: 7\nmodel: scripted/own\n---\nBe strict.\n',
  );
  own('commands/review.md', '---\nagent: reviewer\n---\nReview $ARGUMENTS.\n');
  const started = await api.client.startSession({ folder: work, text: '/review src', defaultModel: 'scripted/x' });
  const [[, sent] = []] = api.engine.sent;
  expect(sent).toMatchObject({
    agent: 'reviewer',
    tools: ['read', 'grep'],
    readsOnly: true,
    maxSteps: 7,
    model: 'scripted/own',
  });
  expect(sent).not.toHaveProperty('hooks');
  expect(await store.getBlob(sent?.text ?? '')).toBe('Review src.');
  expect(await store.getBlob(sent?.agentPrompt ?? '')).toBe('Be strict.');
  // What a command names is for its own turn.
  expect(started.session).toMatchObject({ agent: 'build', model: 'scripted/x' });
  const say = async (text: string, agent?: string) =>
    await api.client.startSession({
      folder: work,
      text,
      model: 'scripted/x',
      ...(agent === undefined ? {} : { agent }),
    });
  await expect(say('/reviw src')).rejects.toMatchObject({
    code: 'not-found',
    message: 'there is no command /reviw; did you mean /review?',
  });
  await expect(say('x', 'reviewr')).rejects.toMatchObject({
    message: 'there is no agent reviewr; did you mean reviewer?',
  });
  own(file, 'nothing');
  await expect(say('x', 'reviewer')).rejects.toMatchObject({
    code: 'not-found',
    problems: expect.arrayContaining([expect.stringContaining(`${file}:`)]),
  });
  await expect(api.client.startSession({ folder: work, text: 'x' })).rejects.toMatchObject({ code: 'request-invalid' });
});

test('an agent starts one of a file as the file is, or is told which there are', async () => {
  own('agents/reviewer.md', '---\nname: reviewer\ndescription: x\ntools: read, grep\nmax-steps: 7\n---\nBe strict.\n');
  own('agents/broken.md', 'nothing');
  const found = await sessions.findAgent({ ...ref(1), agent: 'reviewer' });
  expect(found).toMatchObject({ kind: 'found', rules: { tools: ['read', 'grep'] }, maxSteps: 7 });
  expect(await store.getBlob(found.kind === 'found' ? found.prompt : '')).toBe('Be strict.');
  expect(await sessions.findAgent({ ...ref(1), agent: 'nobody' })).toEqual({
    kind: 'not-found',
    message: expect.stringMatching(
      /^there is no agent nobody; there are: build, plan, explore, reviewer; .*broken\.md:/,
    ),
  });
  // A story has those that are built in.
  const story = { runId: 'ralph:a:b', storyId: 'US-1', attempt: 1 };
  expect(await sessions.findAgent({ ...story, agent: 'reviewer' })).toMatchObject({ kind: 'not-found' });
});

test('a hook is told which agent of the session makes the call', async () => {
  await turn('a');
  const agentId = besideSessionId(sessionId, { name: 'scout', callId: 's' });
  const toolCalls = [{ id: 'b', name: 'bash', args: { command: 'ls' } }];
  await store.appendSessionEvents(agentId, [{ key: 'x', kind: 'assistant', body: { text: '', toolCalls } }]);
  const run = await hooks({ 'before-tool': [{ command: 'cat > seen.json; exit 2' }] });
  expect(await run('before-tool', 1, { sessionId: agentId, callId: 'b' })).toMatchObject({ kind: 'denied' });
  expect(JSON.parse(readFileSync(path.join(work, 'seen.json'), 'utf8'))).toMatchObject({
    session_id: sessionId,
    agent: 'scout',
    tool: 'bash',
  });
});

async function hooks(settings: object) {
  const blob = await store.putBlob(JSON.stringify({ folder: work, hooks: HookSettings.parse(settings) }));
  return async (event: 'session-start' | 'before-tool' | 'after-tool' | 'turn-end', step: number, more: object = {}) =>
    await sessions.runHooks({ ...ref(step), hooks: blob, event, ...more });
}

const warnings = async () =>
  (await store.readRunEvents(sessionId, { afterSeq: 0, limit: 100, kinds: ['warning'] })).map(
    ({ body }) => 'message' in body && body.message,
  );

test('a hook reads what it is about from its stdin, in the project, and 2 is a no with its reason', async () => {
  await turn('a');
  await answered(1, [{ id: 'b', name: 'bash', args: { command: 'rm -rf x' } }]);
  const run = await hooks({
    'before-tool': [
      { command: 'cat > seen.json' },
      { command: 'touch never', tools: ['write'] },
      { command: 'grep -q "rm -rf" && { echo "no rm here"; exit 2; }', tools: ['bash'] },
      { command: 'touch after-no' },
    ],
  });
  const result = await run('before-tool', 1, { callId: 'b' });
  expect(result).toEqual({ kind: 'denied', reason: expect.stringMatching(/^hook grep .*: no rm here$/) });
  expect(JSON.parse(readFileSync(path.join(work, 'seen.json'), 'utf8'))).toEqual({
    event: 'before-tool',
    session_id: sessionId,
    folder: work,
    turn: 1,
    step: 1,
    tool: 'bash',
    args: { command: 'rm -rf x' },
  });
  expect(readdirSync(work)).toEqual(['seen.json']);
  expect(readdirSync(inputFolder)).toEqual([]);
});

test('a guard that is broken or takes too long lets nothing pass, and it is said', async () => {
  await turn('a');
  await answered(1, [{ id: 'b', name: 'bash', args: {} }]);
  const broken = await hooks({ 'before-tool': [{ command: 'no-such-program-here' }] });
  expect(await broken('before-tool', 1, { callId: 'b' })).toMatchObject({ kind: 'denied' });
  const slow = await hooks({ 'after-tool': [{ command: 'sleep 20', timeoutSeconds: 1 }] });
  expect(await slow('after-tool', 1, { callId: 'b' })).toEqual({ kind: 'passed' });
  expect(await warnings()).toEqual([
    'the hook no-such-program-here (before-tool) ended with exit code 127',
    'the hook sleep 20 (after-tool) took too long',
  ]);
});

test('a hook that has ended is not run again, and one that was cut off neither', async () => {
  await turn('a');
  await answered(1, [{ id: 'b', name: 'bash', args: {} }]);
  const run = await hooks({
    'before-tool': [{ command: 'echo ran >> ran.txt' }],
    'after-tool': [{ command: 'echo ran >> ran.txt' }],
  });
  for (const _twice of [1, 2]) expect(await run('before-tool', 1, { callId: 'b' })).toEqual({ kind: 'passed' });
  expect(readFileSync(path.join(work, 'ran.txt'), 'utf8')).toBe('ran\n');
  // As a worker leaves it that is killed while the command runs.
  for (const event of ['before-tool', 'after-tool']) {
    const key = `${sessionId}:hook:${event}:2:c:0`;
    await store.beginEffect({ key, runId: sessionId, storyId: sessionAgentId, kind: 'hook' });
  }
  await answered(2, [{ id: 'c', name: 'bash', args: {} }]);
  expect(await run('before-tool', 2, { callId: 'c' })).toMatchObject({
    kind: 'denied',
    reason: expect.stringContaining('interrupted'),
  });
  expect(await run('after-tool', 2, { callId: 'c' })).toEqual({ kind: 'passed' });
  expect(readFileSync(path.join(work, 'ran.txt'), 'utf8')).toBe('ran\n');
  expect(await warnings()).toHaveLength(2);
});

test('the model is told what hooks say at the start and at the end, once and bounded', async () => {
  await turn('a');
  await answered(1, []);
  const run = await hooks({
    'session-start': [{ command: 'echo it is Friday' }, { command: 'true' }],
    'turn-end': [{ command: 'jq -r .answer 2>/dev/null || grep -o said; yes red | head -c 50000; exit 2' }],
  });
  for (const _twice of [1, 2]) {
    expect(await run('session-start', 1)).toEqual({ kind: 'passed' });
    expect(await run('turn-end', 2)).toMatchObject({ kind: 'denied' });
  }
  expect(await run('turn-end', 3, { isLastRound: true })).toMatchObject({ kind: 'denied' });
  const told = (await store.readSession(sessionId)).flatMap((row) => (row.kind === 'user' ? [row.body.text] : []));
  expect(told).toHaveLength(3);
  expect(told[1]).toContain('it is Friday');
  expect(told[2]).toContain('asks for one more round');
  expect(told[2]?.length).toBeLessThan(9_000);
  const denied = await run('turn-end', 2);
  expect(JSON.stringify(denied).length).toBeLessThan(3_000);
});
