/** What a worker needs for each further session at work in it. */
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isActive } from '../domain/run/status.ts';
import { createClient } from '../services/client/client.ts';
import { apiSocketPath } from '../services/config/paths.ts';
import type { TestStack } from '../test/support/test-stack.ts';
import { pssMb } from './memory.ts';

export interface SessionMemory {
  readonly sessions: number;
  /** More than before they came, in MB (PSS), all together: highest while each waits for its model. */
  readonly heldMb: number;
  /** The same while each asks its model ten times and runs a tool after each answer. */
  readonly workingMb: number;
}

const holdMs = 8_000;
const pauseMs = 1_500;

/** @param counts in rising order: what one round has made the worker load is there for the next */
export async function measureSessionMemory(stack: TestStack, counts: readonly number[]): Promise<SessionMemory[]> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-bench-')));
  const work = join(folder, 'work');
  await mkdir(work);
  await writeFile(join(work, 'note.txt'), 'a note\n'.repeat(200));
  const waiting = join(folder, 'waiting.json');
  const working = join(folder, 'working.json');
  await writeFile(waiting, script([{ text: 'Done.', delayMs: holdMs }]));
  const read = { text: 'I look.', delayMs: pauseMs, tools: [{ name: 'read', args: { path: 'note.txt' } }] };
  const others = Array.from({ length: 9 }, (_, index) => ({
    ...read,
    tools: [{ name: 'read', args: { path: 'note.txt', offset: index + 1 } }],
  }));
  await writeFile(working, script([read, ...others, { text: 'Done.', delayMs: pauseMs }]));
  const round = (sessions: number, model: string) => peakMb(stack, { sessions, folder: work, model });
  try {
    // The first sessions load what an idle worker does not need yet.
    await round(4, working);
    const found: SessionMemory[] = [];
    for (const sessions of counts) {
      await delay(5_000);
      const heldMb = await round(sessions, waiting);
      await delay(5_000);
      found.push({ sessions, heldMb, workingMb: await round(sessions, working) });
    }
    return found;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const script = (turns: readonly object[]): string =>
  JSON.stringify({ version: 1, default: { attempts: [{ turns }] }, stories: { main: { attempts: [{ turns }] } } });

async function peakMb(
  stack: TestStack,
  { sessions, folder, model }: { readonly sessions: number; readonly folder: string; readonly model: string },
): Promise<number> {
  const client = createClient({ socketPath: apiSocketPath(stack.dataDir) });
  const worker = (await stack.pids()).get('worker');
  if (worker === undefined) throw new Error('no worker runs');
  const before = pssMb(worker);
  const ids = await Promise.all(
    Array.from({ length: sessions }, async () => {
      const { session } = await client.startSession({ folder, text: 'Do it.', model: `scripted/${model}` });
      return session.sessionId;
    }),
  );
  let peak = before;
  for (;;) {
    peak = Math.max(peak, pssMb(worker));
    const views = await Promise.all(ids.map((id) => client.getSession(id)));
    const failed = views.find(({ status }) => !isActive(status) && status !== 'completed');
    if (failed !== undefined) throw new Error(`${failed.sessionId}: ${failed.status} ${failed.message}`);
    if (views.every(({ status }) => status === 'completed')) return peak - before;
    await delay(1_000);
  }
}
