import { afterEach, describe, expect, it } from 'vitest';
import type { FakeApi } from './cli-fake-api.ts';
import { fakeApi, runProgram, startProgram, until } from './cli-fake-api.ts';
import type { RunEvent } from '../../domain/run/events.ts';
import { events, snapshotAt } from './board-fixture.ts';

const apis: FakeApi[] = [];
afterEach(async () => {
  await Promise.all(apis.splice(0).map((api) => api.close()));
});

/** The run after `count` events; the rest can be appended. */
async function apiAt(count: number): Promise<FakeApi> {
  const api = await fakeApi({ run: () => snapshotAt(count), events: events.slice(0, count) });
  apis.push(api);
  return api;
}

const settings = (api: FakeApi) => ({ cwd: api.folder, environment: { CODETETHER_API_SOCKET: api.socketPath } });
const seqs = (stdout: string) =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { seq: number }).seq);
const all = events.map((event) => event.seq);

describe('attaching', () => {
  it('prints progress on stderr, the end on stdout, and ends like the run', async () => {
    const api = await apiAt(events.length);
    const { code, stdout, stderr } = await runProgram(['ralph', 'attach', 'due-dates'], settings(api));
    expect(code).toBe(3);
    expect(stdout.split('\n')[0]).toBe('⚠ 2 of 5 stories passed in 9m 04s · 18.0k tokens · $0.08');
    expect(stderr.split('\n')[0]).toBe(
      '12:04:32 run ralph:todo-cli-1f2e3d:due-dates started, 5 stories, branch feature/due-dates, base 4d5e6f7, gates lint, test, model scripted/script.yaml',
    );
    expect(stdout + stderr).not.toContain('\u001B');
  });

  it('prints one JSON object with --json and nothing else with --quiet', async () => {
    const api = await apiAt(events.length);
    const { code, stdout, stderr } = await runProgram(['ralph', 'attach', '--json', '--quiet'], settings(api));
    expect(JSON.parse(stdout)).toMatchObject({ schema_version: 1, outcome: 'quality-failed', passed: 2, total: 5 });
    expect([code, stderr]).toEqual([3, '']);
  });

  it('reads on after the event that a reader has stopped at', async () => {
    const api = await apiAt(events.length);
    const args = ['ralph', 'attach', 'due-dates', '--output-format', 'stream-json'];
    const whole = await runProgram(args, settings(api));
    const rest = await runProgram([...args, '--since-seq', '30'], settings(api));
    const nothing = await runProgram([...args, '--since-seq', '1000'], settings(api));
    expect([seqs(whole.stdout), seqs(rest.stdout), nothing.stdout]).toEqual([all, all.slice(30), '']);
    expect([whole.code, rest.code, nothing.code]).toEqual([3, 3, 3]);
  });

  it('outlives an API that goes away and comes back, and shows each event once', async () => {
    const api = await apiAt(20);
    const program = startProgram(['ralph', 'attach', 'due-dates', '--output-format', 'stream-json'], settings(api));
    await until(() => program.stdout().includes('"seq":20,'));
    await api.shut();
    await until(() => program.stderr().includes('connection to the API lost'));
    api.append(events.slice(20, 30));
    await api.open();
    await until(() => program.stdout().includes('"seq":30,'));
    api.append(events.slice(30));
    const { code, stdout, stderr } = await program.ended;
    expect(seqs(stdout)).toEqual(all);
    expect(stderr).toContain('connection is back');
    expect(code).toBe(3);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('leaves the run running on %s', async (signal) => {
    const api = await apiAt(24);
    const program = startProgram(['ralph', 'attach', 'due-dates'], settings(api));
    await until(() => program.stderr().includes('step 1: bash npm test'));
    program.kill(signal);
    const { code, stdout, stderr } = await program.ended;
    expect([code, stdout]).toEqual([130, '']);
    expect(stderr).toMatch(
      /left running: 1 story is being worked on\n {4}attach {2}codetether ralph attach due-dates\n {4}stop {4}codetether ralph stop due-dates\n$/,
    );
    expect(api.requests.some((request) => request.startsWith('POST'))).toBe(false);
  });

  it('ends with 6 and the question when a person is asked and nothing else goes on, with --detach-on-ask only', async () => {
    const api = await apiAt(24);
    const at = events[23]?.at ?? '';
    const body = {
      id: 'q-k3f9x2ab',
      kind: 'tool-risk',
      question: 'bash git push (it pushes to a remote)',
      choices: ['approve', 'deny'],
      defaultChoice: 'deny',
      expiresAt: '2026-03-02T12:05:00.000Z',
    };
    const asked = { seq: 25, at, storyId: 'US-003', attempt: null, kind: 'approval-requested', body } as RunEvent;
    const detaching = startProgram(['ralph', 'attach', 'due-dates', '--detach-on-ask'], settings(api));
    const asJson = startProgram(['ralph', 'attach', 'due-dates', '--detach-on-ask', '--json'], settings(api));
    const staying = startProgram(['ralph', 'attach', 'due-dates'], settings(api));
    for (const program of [detaching, staying, asJson])
      await until(() => program.stderr().includes('step 1: bash npm test'));
    api.append([asked]);
    const { code, stdout, stderr } = await detaching.ended;
    expect(stdout).toBe(
      'US-003 bash git push (it pushes to a remote): codetether approve q-k3f9x2ab | codetether deny q-k3f9x2ab\n',
    );
    expect(stderr).toMatch(/left running: it waits for a person\n {4}attach {2}codetether ralph attach due-dates\n$/);
    expect(code).toBe(6);
    const json = await asJson.ended;
    expect(JSON.parse(json.stdout)).toMatchObject({
      outcome: 'waiting-for-person',
      approvals: [{ id: 'q-k3f9x2ab', story_id: 'US-003', default_choice: 'deny' }],
    });
    expect(json.code).toBe(6);
    staying.kill('SIGINT');
    expect((await staying.ended).code).toBe(130);
  });

  it('says what there is when the run is not known', async () => {
    const api = await apiAt(3);
    const { code, stderr } = await runProgram(['ralph', 'attach', 'nothing'], settings(api));
    expect(code).toBe(2);
    expect(stderr).toContain('there is no run nothing');
    expect(stderr).toContain('[not-found]');
  });
});

describe('looking and steering', () => {
  it('prints the status as Markdown or JSON', async () => {
    const api = await apiAt(24);
    const text = await runProgram(['ralph', 'status'], settings(api));
    expect(text.stdout.split('\n')[0]).toBe('# todo-cli · add due dates');
    expect(text.stdout).toContain('waits for its host host-1 (last seen 2026-03-01 12:00)');
    const json = await runProgram(['ralph', 'status', 'due-dates', '--json'], settings(api));
    expect(JSON.parse(json.stdout)).toMatchObject({
      schema_version: 1,
      run_id: 'ralph:todo-cli-1f2e3d:due-dates',
      spent_tokens: 13_500,
    });
  });

  it('lists hosts as tab-separated values off a terminal', async () => {
    const api = await apiAt(24);
    const { code, stdout } = await runProgram(['hosts'], settings(api));
    expect(code).toBe(0);
    expect(stdout).toBe('host-1\ttiger\tlost since 2026-03-01T12:00:00.000Z\t0 of 8\t0\t0.1.0\n');
    const json = await runProgram(['hosts', '--json'], settings(api));
    expect(JSON.parse(json.stdout)).toMatchObject({ schema_version: 1, hosts: [{ host_id: 'host-1', alive: false }] });
  });

  it('lists runs as tab-separated values off a terminal', async () => {
    const api = await apiAt(24);
    const { stdout } = await runProgram(['ralph', 'list'], settings(api));
    const cells = stdout.trimEnd().split('\t');
    expect(cells.filter((_, index) => index !== 4)).toEqual([
      'ralph:todo-cli-1f2e3d:due-dates',
      'running',
      '1/5',
      '2026-03-01T12:04:32.000Z',
      '13.5k',
      '$0.06',
      'todo-cli · add due dates',
    ]);
  });

  it('prints the log of one story', async () => {
    const api = await apiAt(events.length);
    const { stdout } = await runProgram(['ralph', 'logs', 'due-dates', '--json'], settings(api));
    expect(seqs(stdout)).toEqual(all);
  });

  it('steers the run and says how it goes on', async () => {
    const api = await apiAt(24);
    const { code, stdout, stderr } = await runProgram(['ralph', 'pause'], settings(api));
    expect(code).toBe(0);
    expect(stdout).toBe('ralph:todo-cli-1f2e3d:due-dates is paused: steps under way finish, nothing new starts\n');
    expect(stderr).toBe('  go on     codetether ralph resume due-dates\n');
    expect(api.requests).toContain('POST /v1/runs/ralph%3Atodo-cli-1f2e3d%3Adue-dates/pause');
  });

  it('steers no run of another repository when there is no active one here', async () => {
    const api = await apiAt(events.length);
    const { code, stderr } = await runProgram(['ralph', 'cancel'], settings(api));
    expect(code).toBe(2);
    expect(stderr).toContain('there is no active run of this repository');
  });
});
