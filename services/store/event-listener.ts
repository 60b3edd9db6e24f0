import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import type { ClientConfig } from 'pg';
import { unlessAborted } from '../../activities/unless-aborted.ts';

const firstDelayMs = 50;
const longestDelayMs = 2_000;
/** How long a dead peer (a cut network, not a closed connection) can go unnoticed. */
const heartbeatMs = 15_000;
const answerMs = 5_000;
/** Who watches next may come at once; a connection is dearer than a while of silence. */
const lingerMs = 2_000;

type OnAppend = (id: string | null) => void;

export interface EventListener {
  watch(onAppend: OnAppend): () => Promise<void>;
  close(): Promise<void>;
}

/**
 * One `LISTEN` connection for all watchers of a channel, there while somebody watches. What is heard are ids.
 *
 * `idle → connecting → listening → (lost) waiting → connecting …`, back to `idle` a while after the last watcher has left.
 * Each time it comes to `listening` every watcher is called with `null`, since what was said before is unknown.
 */
export function createEventListener(
  channel: 'run_event' | 'session_event' | 'a2a_task_event',
  config: ClientConfig,
): EventListener {
  const watchers = new Set<OnAppend>();
  let stop: AbortController | undefined;
  let loop = Promise.resolve();
  let lingering: NodeJS.Timeout | undefined;

  const tell: OnAppend = (id) => {
    for (const watcher of watchers) watcher(id);
  };
  const leave = async (): Promise<void> => {
    clearTimeout(lingering);
    stop?.abort();
    stop = undefined;
    await loop;
  };
  return {
    watch: (onAppend) => {
      // The same function may watch twice.
      const watcher: OnAppend = (id) => onAppend(id);
      watchers.add(watcher);
      clearTimeout(lingering);
      if (stop === undefined) {
        stop = new AbortController();
        const { signal } = stop;
        loop = loop.then(async () => await listenUntil(signal, { channel, config, tell }));
      }
      return async () => {
        watchers.delete(watcher);
        clearTimeout(lingering);
        if (watchers.size === 0) lingering = setTimeout(() => void leave(), lingerMs).unref();
      };
    },
    close: async () => {
      watchers.clear();
      await leave();
    },
  };
}

interface Listening {
  readonly channel: string;
  readonly config: ClientConfig;
  readonly tell: OnAppend;
}

async function listenUntil(signal: AbortSignal, listening: Listening): Promise<void> {
  let delayMs = firstDelayMs;
  while (!signal.aborted) {
    const wasListening = await listenOnce(signal, listening);
    delayMs = wasListening ? firstDelayMs : Math.min(delayMs * 2, longestDelayMs);
    await delay(delayMs, undefined, { signal }).catch(() => undefined);
  }
}

/** One connection, from its start to its end. Never throws: a failure means trying again. */
async function listenOnce(signal: AbortSignal, { channel, config, tell }: Listening): Promise<boolean> {
  const client = new Client({ ...config, query_timeout: answerMs });
  const lost = new AbortController();
  client.on('error', () => lost.abort());
  client.on('end', () => lost.abort());
  client.on('notification', (message) => tell(message.payload ?? null));
  const over = AbortSignal.any([signal, lost.signal]);
  let listening = false;
  try {
    await unlessAborted(over, () => client.connect());
    await unlessAborted(over, () => client.query(`LISTEN ${channel}`));
    listening = true;
    tell(null);
    while (!over.aborted) {
      await delay(heartbeatMs, undefined, { signal: over }).catch(() => undefined);
      if (!over.aborted) await unlessAborted(over, () => client.query('SELECT 1'));
    }
  } catch {
    // The database does not answer; the caller tries again for as long as somebody watches.
  }
  // Not awaited: the peer may be gone without a word.
  client.end().catch(() => undefined);
  return listening;
}
