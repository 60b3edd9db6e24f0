import { Worker } from 'node:worker_threads';
import { searchFiles, type FileSearch, type FileSearchResult } from './search-files.ts';

interface SearchLimit {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Searches within a time limit, regular expressions in a thread. Throws the signal's reason when that aborts. */
export async function searchWithin(search: FileSearch, limit: SearchLimit): Promise<FileSearchResult | 'timed-out'> {
  if (search.isRegex) return searchInThread(search, limit);
  const timeUp = AbortSignal.timeout(limit.timeoutMs);
  try {
    return await searchFiles(search, AbortSignal.any([limit.signal, timeUp]));
  } catch (error) {
    limit.signal.throwIfAborted();
    if (timeUp.aborted) return 'timed-out';
    throw error;
  }
}

/** Runs the search in a thread of its own, which is ended when the time is up or the signal aborts. */
async function searchInThread(search: FileSearch, options: SearchLimit): Promise<FileSearchResult | 'timed-out'> {
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
