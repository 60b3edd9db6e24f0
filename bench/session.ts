/** How long a session of 10,000 events takes to be opened from PostgreSQL and derived: node bench/session.ts */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deriveContext } from '../domain/session/derive-context.ts';
import type { NewSessionEvent } from '../domain/session/transcript.ts';
import { startPostgres } from '../services/stack/postgres.ts';
import { createStore } from '../services/store/store.ts';
import { freePort } from '../services/stack/ports.ts';
import { median } from './commands.ts';

const events = 10_000;
const rounds = 20;
/** Of a model with a small window: nearly all of the session is left out, which is the most work. */
const window = { model: 'anthropic/claude-haiku-4-5', contextTokens: 200_000, reservedTokens: 20_000 };

export interface SessionTimes {
  readonly bytes: number;
  readonly openMs: number;
  readonly deriveMs: number;
  /** Both together. */
  readonly wholeMs: number;
  readonly worstMs: number;
}

/** A database of its own; nothing of it is left. */
export async function measureSession(): Promise<SessionTimes> {
  const dataDir = await mkdtemp(join(tmpdir(), 'codetether-bench-'));
  const server = await startPostgres({ dataDir, port: await freePort() });
  const store = createStore({ databaseUrl: server.url, ownerUrl: server.ownerUrl });
  try {
    await store.prepare({ timeoutMs: 10_000 });
    const rows = transcript();
    await store.createSession({ sessionId: 'bench', kind: 'chat' });
    for (let start = 0; start < rows.length; start += 1_000)
      await store.appendSessionEvents('bench', rows.slice(start, start + 1_000));
    const opened: number[] = [];
    const derived: number[] = [];
    for (let round = -5; round < rounds; round++) {
      const startedMs = performance.now();
      const [session, read] = await Promise.all([store.getSession('bench'), store.readSession('bench')]);
      const openedMs = performance.now();
      if (session === undefined || read.length !== events) throw new Error(`${read.length} events`);
      const context = deriveContext(read, session.policy, window);
      const endedMs = performance.now();
      if (context.kind !== 'derived') throw new Error(context.why);
      // The first rounds are for the compiler.
      if (round < 0) continue;
      opened.push(openedMs - startedMs);
      derived.push(endedMs - openedMs);
    }
    const whole = opened.map((ms, index) => ms + (derived[index] ?? 0));
    return {
      bytes: Buffer.byteLength(JSON.stringify(rows)),
      openMs: median(opened),
      deriveMs: median(derived),
      wholeMs: median(whole),
      worstMs: Math.max(...whole),
    };
  } finally {
    await store.close();
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** 100 turns of 50 steps with results of 0 to 2 KB. */
function transcript(): NewSessionEvent[] {
  const rows: NewSessionEvent[] = [
    { key: 'system', kind: 'system', body: { text: 'You write software. '.repeat(150) } },
  ];
  for (let step = 0; rows.length < events; step++) {
    if (step % 50 === 0) rows.push({ key: `u${step}`, kind: 'user', body: { text: `Do the thing number ${step}.` } });
    const id = `call-${step}`;
    const toolCalls = [{ id, name: step % 3 === 0 ? 'edit' : 'read', args: { path: `src/file-${step % 40}.ts` } }];
    rows.push({ key: `a${step}`, kind: 'assistant', body: { text: 'I look at the file first.', toolCalls } });
    const output = 'export const value = 1; // one line\n'.repeat((step * 7) % 60);
    rows.push({ key: `r${step}`, kind: 'tool-result', body: { callId: id, tool: 'read', ok: step % 9 !== 0, output } });
  }
  return rows.slice(0, events);
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await measureSession(), null, 2)}\n`);
