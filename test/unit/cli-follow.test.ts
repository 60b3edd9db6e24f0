import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chooseRun } from '../../cli/commands/ralph/find-run.ts';
import { followRun } from '../../cli/commands/ralph/follow-run.ts';
import type { FollowDeps } from '../../cli/commands/ralph/follow-run.ts';
import { findRepository } from '../../cli/commands/ralph/repository.ts';
import type { Board } from '../../domain/run/board.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { events, firstRun, snapshotAt } from './board-fixture.ts';

/** Follows a run whose API fails as `deps` say; tells what the sink was given. */
async function follow(
  deps: Partial<FollowDeps>,
  change: { readonly sinceSeq?: number; readonly signal?: AbortSignal } = {},
) {
  const seen: number[] = [];
  const connections: boolean[] = [];
  const boards: Board[] = [];
  const followed = await followRun(
    {
      getRun: () => Promise.resolve(snapshotAt(20)),
      events: async function* (_, { sinceSeq }) {
        yield* events.slice(sinceSeq);
      },
      revive: () => Promise.resolve(),
      ...deps,
    },
    {
      runId: firstRun.runId,
      sinceSeq: change.sinceSeq ?? 0,
      signal: change.signal ?? new AbortController().signal,
      lostMs: 20,
      sink: {
        event: (event) => void seen.push(event.seq),
        board: (board) => void boards.push(board),
        connection: (connected) => void connections.push(connected),
      },
    },
  );
  return { followed, seen, connections, boards };
}
const pause = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs));
const unreachable = () => Promise.reject(new CodetetherError('api-unreachable'));

describe('following a run', () => {
  it('shows the board first when it has caught up with the log', async () => {
    const { boards, followed } = await follow({});
    expect(boards[0]?.seq).toBe(20);
    expect([followed.kind, followed.board.status]).toEqual(['ended', 'quality-failed']);
  });

  it('gives events after the seq asked for, and the whole board all the same', async () => {
    const { seen, followed } = await follow({}, { sinceSeq: 40 });
    expect(seen).toEqual(events.slice(40).map((event) => event.seq));
    expect(followed.board.stories[1]?.failures).toEqual([{ reason: 'gate-failed', gate: 'test' }]);
  });

  it('drops events that come a second time', async () => {
    const twice: FollowDeps['events'] = async function* () {
      yield* events.slice(0, 30);
      yield* events.slice(10);
    };
    expect((await follow({ events: twice })).seen).toEqual(events.map((event) => event.seq));
  });

  it('revives an API that stays away, again and again, and not once it is back', async () => {
    let revived = 0;
    const lostTwice: FollowDeps['events'] = async function* (_, { onConnection }) {
      yield* events.slice(0, 30);
      onConnection(false);
      onConnection(false);
      await pause(90);
      onConnection(true);
      const before = revived;
      await pause(60);
      expect(revived).toBe(before);
      onConnection(false);
      onConnection(true);
      yield* events.slice(30);
    };
    const { connections } = await follow({ events: lostTwice, revive: () => Promise.resolve(void (revived += 1)) });
    expect(connections).toEqual([false, true, false, true]);
    expect(revived).toBeGreaterThanOrEqual(2);
    expect(revived).toBeLessThanOrEqual(4);
  });

  it('asks again when the API goes away before it has begun', async () => {
    let asked = 0;
    const getRun = () => ((asked += 1) < 3 ? unreachable() : Promise.resolve(snapshotAt(20)));
    const { connections, followed } = await follow({ getRun });
    expect([asked, connections, followed.kind]).toEqual([3, [false, true], 'ended']);
  });

  it('gives up on what trying again cannot mend', async () => {
    const getRun = () => Promise.reject(new CodetetherError('not-found'));
    await expect(follow({ getRun })).rejects.toMatchObject({ code: 'not-found' });
  });

  it('ends by the run itself when the log does not say that it has ended', async () => {
    const endless: FollowDeps['events'] = async function* (_, { sinceSeq }) {
      yield* events.slice(sinceSeq, 30);
    };
    const getRun = () =>
      Promise.resolve({ ...snapshotAt(30), status: 'error' as const, endedAt: '2026-03-01T13:00:00.000Z' });
    expect((await follow({ events: endless, getRun })).followed).toMatchObject({
      kind: 'ended',
      board: { status: 'error' },
    });
  });

  it('leaves when it is told to', async () => {
    const leaving = new AbortController();
    const waiting: FollowDeps['events'] = async function* (_, { signal }) {
      yield* events.slice(0, 24);
      leaving.abort();
      if (!signal.aborted) yield* events.slice(24);
    };
    const { followed } = await follow({ events: waiting }, { signal: leaving.signal });
    expect([followed.kind, followed.board.status]).toEqual(['left', 'running']);
  });
});

describe('the run that is meant', () => {
  const run = (runId: string, repoPath: string, change: object = {}) => ({
    ...snapshotAt(20),
    runId,
    repoPath,
    prdPath: `${repoPath}/prd.json`,
    ...change,
  });
  const newest = run('ralph:b:x', '/b');
  const here = run('ralph:a:y', '/a', { status: 'completed' });
  const older = run('ralph:a:x', '/a');
  const where = { prdPath: undefined, repository: '/a', active: false };

  it('is the newest of this repository, else the newest', () => {
    expect(chooseRun([newest, here, older], where)?.runId).toBe('ralph:a:y');
    expect(chooseRun([newest, here], { ...where, repository: undefined })?.runId).toBe('ralph:b:x');
  });

  it('is of the PRD that is named, or none', () => {
    expect(chooseRun([newest, here], { ...where, prdPath: '/a/prd.json' })?.runId).toBe('ralph:a:y');
    expect(chooseRun([newest, here], { ...where, prdPath: '/a/other.json' })).toBeUndefined();
  });

  it('is an active one when it is to be steered, and of elsewhere only when there is no doubt', () => {
    expect(chooseRun([newest, here, older], { ...where, active: true })?.runId).toBe('ralph:a:x');
    expect(chooseRun([newest, here], { ...where, active: true })?.runId).toBe('ralph:b:x');
    expect(chooseRun([newest, here, run('ralph:c:x', '/c')], { ...where, active: true })).toBeUndefined();
  });
});

describe('the repository', () => {
  it('is the main checkout, also from a folder, a link and a linked worktree', () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'codetether-cli-')));
    try {
      const top = join(folder, 'größe und mehr');
      mkdirSync(join(top, 'src', 'deep'), { recursive: true });
      const git = (...args: string[]) =>
        execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { cwd: top });
      git('init', '--quiet');
      writeFileSync(join(top, 'a'), '');
      git('add', '-A');
      git('commit', '--quiet', '-m', 'a');
      git('worktree', 'add', '--quiet', join(folder, 'linked'));
      expect(findRepository(join(top, 'src', 'deep'))).toBe(top);
      expect(findRepository(join(folder, 'linked'))).toBe(top);
      expect(findRepository(folder)).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
