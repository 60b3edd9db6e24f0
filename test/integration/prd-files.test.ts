import { spawn } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRepositories } from '../../activities/workspace/repository.ts';
import { createPrdFileActivities, readPrdFile } from '../../activities/ralph/prd-file.ts';
import { updateFile } from '../../activities/ralph/update-file.ts';
import { attemptId } from '../../domain/run/ids.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { plan } from './store-fixtures.ts';

let store: PostgresStore;
let folder: string;
let runId: string;
let count = 0;

withTestStore((opened) => {
  store = opened;
});

beforeEach(() => {
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'codetether prd ü-')));
  runId = `ralph:files-${++count}:due-dates`;
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const prdPath = (name = 'prd.json') => path.join(folder, name);
const text = (name = 'prd.json') => readFileSync(prdPath(name), 'utf8');
const sync = () =>
  createPrdFileActivities({
    store,
    hostId: 'tiger-1f2e3d',
    repositories: createRepositories({ env: {}, processDir: folder }),
  }).syncPrdFiles({ runId });

const original = `{
    "project": "todo", "feature": "due dates",
    "mine": { "kept": [1,2] },
    "user_stories": [
        { "id": "US-1", "title": "a", "description": "", "passes": false, "owner": "Ada" },
        { "id": "US-2", "title": "b", "description": "" }
    ]
}
`;

async function open(name = 'prd.json', content: string | null = original): Promise<void> {
  if (content !== null) writeFileSync(prdPath(name), content);
  await store.openRun(plan({ runId, prdPath: prdPath(name), stories: [{ id: 'US-1' }, { id: 'US-2' }] }));
}

async function pass(storyId: string, attempt: number, reply: string): Promise<void> {
  await say(storyId, attempt, reply);
  await store.record({
    runId,
    events: [
      {
        key: `${storyId}:${attempt}:passed`,
        kind: 'story-passed',
        storyId,
        attempt,
        body: { commit: 'a1b2c3d4e5f6', attempts: attempt, durationMs: 1, tokens: 1, costUsd: 0, filesChanged: 1 },
      },
    ],
    story: { storyId, status: 'passed' },
  });
}

async function fail(storyId: string, attempt: number, reply: string): Promise<void> {
  await say(storyId, attempt, reply);
  await store.record({
    runId,
    events: [
      {
        key: `${storyId}:${attempt}:failed`,
        kind: 'attempt-failed',
        storyId,
        attempt,
        body: { reason: 'gate-failed', message: 'gate test: 1 of 14', triesLeft: 2, durationMs: 1 },
      },
    ],
  });
}

async function say(storyId: string, attempt: number, reply: string): Promise<void> {
  const sessionId = attemptId(runId, storyId, attempt);
  await store.appendSessionEvents(sessionId, [
    { key: 'first', kind: 'assistant', body: { text: 'I begin.', toolCalls: [] } },
    { key: 'last', kind: 'assistant', body: { text: reply, toolCalls: [] } },
    { key: 'empty', kind: 'assistant', body: { text: ' ', toolCalls: [] } },
  ]);
}

async function warnings(): Promise<string[]> {
  const events = await store.readRunEvents(runId, { afterSeq: 0, limit: 100 });
  return events.flatMap((event) => (event.kind === 'warning' ? [event.body.message] : []));
}

describe('prd.json', () => {
  test('gets the passed stories and keeps everything else, twice the same', async () => {
    await open();
    await sync();
    expect(text()).toBe(original);
    await pass('US-1', 1, 'done');
    await sync();
    const expected = original.replace('"passes": false', '"passes": true');
    expect(text()).toBe(expected);
    const before = statSync(prdPath()).mtimeMs;
    await sync();
    expect(text()).toBe(expected);
    expect(statSync(prdPath()).mtimeMs).toBe(before);
    await pass('US-2', 1, 'done');
    await sync();
    expect(text()).toBe(
      expected.replace('"title": "b", "description": ""', '"title": "b", "description": "", "passes": true'),
    );
    expect(readdirSync(folder).toSorted()).toEqual(['prd.json', 'progress.txt']);
    expect((await readPrdFile(prdPath())).prd.stories.map(({ passes }) => passes)).toEqual([true, true]);
  });

  test('keeps what the user did to it during the run', async () => {
    await open();
    await pass('US-1', 1, 'done');
    const edited = `{"userStories":[{"id":"NEW","passes":true},{"id":"US-1","title":"renamed"}],"feature":"other"}`;
    writeFileSync(prdPath(), edited);
    await sync();
    expect(text()).toBe(edited.replace('"renamed"', '"renamed","passes":true'));
  });

  test('in YAML keeps its comments', async () => {
    await open('plan.yml', '# mine\nuser_stories:\n- id: US-1 # first\n  passes: false # not yet\n');
    await pass('US-1', 1, 'done');
    await sync();
    expect(text('plan.yml')).toBe('# mine\nuser_stories:\n- id: US-1 # first\n  passes: true # not yet\n');
  });

  test('keeps mode and owner, and a link stays a link', async () => {
    mkdirSync(path.join(folder, 'real'));
    writeFileSync(path.join(folder, 'real', 'plan.json'), original, { mode: 0o640 });
    chmodSync(path.join(folder, 'real', 'plan.json'), 0o640);
    symlinkSync('real/plan.json', prdPath());
    await open('prd.json', null);
    await pass('US-1', 1, 'done');
    await sync();
    expect(lstatSync(prdPath()).isSymbolicLink()).toBe(true);
    expect(text()).toContain('"passes": true');
    expect(statSync(prdPath()).mode & 0o777).toBe(0o640);
    expect(readdirSync(path.join(folder, 'real'))).toEqual(['plan.json']);
  });

  test.each([
    ['cannot be read at the moment', '{ "user_stories": [', 'prd.json is not JSON. 1:20: expected a value'],
    ['is being saved as something else', Buffer.from([0xff, 0xfe, 0x00]), 'prd.json is UTF-16.'],
    ['was deleted', null, 'it is not there'],
  ])('that %s is left alone, with one warning', async (_, content, reason) => {
    await open();
    await pass('US-1', 1, 'done');
    if (content === null) rmSync(prdPath());
    else writeFileSync(prdPath(), content);
    await sync();
    await sync();
    const said = await warnings();
    expect(said).toHaveLength(1);
    expect(said[0]).toContain('prd.json was left as it is: ');
    expect(said[0]).toContain(reason);
    if (content === null) expect(readdirSync(folder)).toEqual(['progress.txt']);
    else expect(readFileSync(prdPath())).toEqual(Buffer.from(content));
    expect(text('progress.txt')).toContain('## Iteration 1 - US-1');
    writeFileSync(prdPath(), original);
    await sync();
    expect(text()).toContain('"passes": true');
  });

  test('whose folder is gone does not stop the run', async () => {
    await open();
    await pass('US-1', 1, 'done');
    rmSync(folder, { recursive: true });
    await sync();
    expect(await warnings()).toHaveLength(2);
  });
});

describe('progress.txt', () => {
  test('gets one entry for each finished attempt, in their order, once', async () => {
    await open();
    await sync();
    expect(readdirSync(folder)).toEqual(['prd.json']);
    await fail('US-1', 1, 'I tried.\nLearning: dates are UTC');
    await sync();
    const first = text('progress.txt');
    expect(first).toMatch(
      /^\n---\n\n## Iteration 1 - US-1 \(\d{4}-\d\d-\d\dT[\d:.]+Z\)\n\n\*\*Status:\*\* failed \(attempt 1\), gate-failed: gate test: 1 of 14\n\n### Summary\nI tried\.\nLearning: dates are UTC\n$/,
    );
    await pass('US-2', 1, 'easy');
    await pass('US-1', 2, 'done');
    await Promise.all([sync(), sync(), sync()]);
    const all = text('progress.txt');
    expect(all.startsWith(first)).toBe(true);
    expect(all.match(/^## Iteration .* - \S+/gm)).toEqual([
      '## Iteration 1 - US-1',
      '## Iteration 2 - US-2',
      '## Iteration 3 - US-1',
    ]);
    expect(all).toContain('**Status:** passed (attempt 2), commit a1b2c3d4e5\n\n### Summary\ndone\n');
    expect(readdirSync(folder).toSorted()).toEqual(['prd.json', 'progress.txt']);
  });

  test('keeps what the user wrote into it', async () => {
    await open();
    writeFileSync(prdPath('progress.txt'), 'my notes');
    await fail('US-1', 1, 'a');
    await sync();
    writeFileSync(prdPath('progress.txt'), `${text('progress.txt')}\nand more\n`);
    await pass('US-1', 2, 'b');
    await sync();
    expect(text('progress.txt')).toMatch(
      /^my notes\n\n---\n[^]*### Summary\na\n\nand more\n\n---\n[^]*### Summary\nb\n$/,
    );
  });

  test('that is no text is left alone', async () => {
    await open();
    writeFileSync(prdPath('progress.txt'), Buffer.from([0xff, 0x80]));
    await pass('US-1', 1, 'a');
    await sync();
    expect(readFileSync(prdPath('progress.txt'))).toEqual(Buffer.from([0xff, 0x80]));
    expect(await warnings()).toEqual([`${prdPath('progress.txt')} was left as it is: it is not UTF-8`]);
  });
});

describe('changing a file that others change', () => {
  test('what somebody wrote meanwhile is not lost', async () => {
    writeFileSync(prdPath(), 'one');
    const seen: (string | undefined)[] = [];
    const outcome = await updateFile(prdPath(), (content) => {
      seen.push(content?.toString());
      if (seen.length === 1) writeFileSync(prdPath(), 'two');
      return `${content?.toString() ?? ''}!`;
    });
    expect(outcome).toBe('written');
    expect(seen).toEqual(['one', 'two']);
    expect(text()).toBe('two!');
    expect(readdirSync(folder)).toEqual(['prd.json']);
  });

  test('many at once each get their turn', async () => {
    writeFileSync(prdPath(), '');
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        updateFile(prdPath(), (content) => `${content?.toString() ?? ''}${index},`),
      ),
    );
    const numbers = text().split(',').slice(0, -1).map(Number);
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });

  test('readers see the old or the new content, never a part', async () => {
    const [old, next] = ['a'.repeat(200_000), 'b'.repeat(200_000)];
    writeFileSync(prdPath(), old);
    const writer = (async () => {
      for (let round = 0; round < 10; round += 1) await updateFile(prdPath(), () => (round % 2 === 0 ? next : old));
    })();
    const seen = new Set<string>();
    for (let round = 0; round < 300; round += 1) {
      seen.add(text());
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writer;
    expect([...seen].filter((content) => content !== old && content !== next)).toEqual([]);
  });

  test('a change that fails leaves the file and nothing beside it', async () => {
    writeFileSync(prdPath(), 'one');
    await expect(
      updateFile(prdPath(), () => {
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    await expect(updateFile(path.join(folder, 'none', 'x'), () => 'x')).rejects.toMatchObject({ code: 'ENOENT' });
    mkdirSync(prdPath('dir'));
    await expect(updateFile(prdPath('dir'), () => 'x')).rejects.toMatchObject({ code: 'EISDIR' });
    expect(readdirSync(folder).toSorted()).toEqual(['dir', 'prd.json']);
  });

  test('temporary files of the dead are removed, those of the living stay', async () => {
    writeFileSync(prdPath(), 'one');
    const child = spawn('true');
    await new Promise((resolve) => child.once('exit', resolve));
    const dead = prdPath(`.prd.json.codetether-${child.pid}-00ff00ff.tmp`);
    const own = prdPath(`.prd.json.codetether-${process.pid}-00ff00ff.tmp`);
    const living = prdPath(`.prd.json.codetether-1-00ff00ff.tmp`);
    for (const file of [dead, own, living]) writeFileSync(file, 'x');
    await updateFile(prdPath(), () => null);
    expect(readdirSync(folder).toSorted()).toEqual([path.basename(living), 'prd.json']);
  });

  test('a process killed in the middle leaves the old or the new content', async () => {
    writeFileSync(prdPath(), 'old'.repeat(100_000));
    const script = `
      import { updateFile } from ${JSON.stringify(path.resolve('activities/ralph/update-file.ts'))};
      console.log('go');
      for (let round = 0; ; round += 1) await updateFile(${JSON.stringify(prdPath())}, () => String(round % 10).repeat(300_000));
    `;
    for (let round = 0; round < 5; round += 1) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, 20 + round * 13));
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
      expect(text()).toMatch(/^(\d)\1{299999}$|^(?:old){100000}$/);
    }
    await updateFile(prdPath(), () => null);
    expect(readdirSync(folder)).toEqual(['prd.json']);
  });
});
