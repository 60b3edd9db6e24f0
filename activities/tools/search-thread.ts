import { Worker } from 'node:worker_threads';
import type { FileSearch, FileSearchResult } from './search-files.ts';

/** Runs the search in a thread of its own and ends it when the time is up (`timed-out`) or the signal aborts. */
export async function searchInThread(
  search: FileSearch,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<FileSearchResult | 'timed-out'> {
  const source = import.meta.url.endsWith('.ts') ? './search-worker.ts' : './search-worker.js';
  const worker = new Worker(new URL(source, import.meta.url), { workerData: search });
  const { promise, resolve, reject } = Promise.withResolvers<FileSearchResult | 'timed-out'>();
  const timer = setTimeout(() => resolve('timed-out'), options.timeoutMs);
  const abort = () => reject(options.signal.reason);
  options.signal.addEventListener('abort', abort, { once: true });
  worker.once('message', (result: FileSearchResult) => resolve(result));
  worker.once('error', reject);
  worker.once('exit', () => reject(new Error('the search thread ended without an answer')));
  try {
    options.signal.throwIfAborted();
    return await promise;
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener('abort', abort);
    await worker.terminate();
  }
}
