import { runInThread, type ThreadLimit } from '../thread.ts';
import { searchFiles, type FileSearch, type FileSearchResult } from './search-files.ts';

/** Searches within a time limit, regular expressions in a thread. Throws the signal's reason when that aborts. */
export async function searchWithin(search: FileSearch, limit: ThreadLimit): Promise<FileSearchResult | 'timed-out'> {
  if (search.isRegex) {
    const source = import.meta.url.endsWith('.ts') ? './search-worker.ts' : './search-worker.js';
    return runInThread<FileSearchResult>(new URL(source, import.meta.url), search, limit);
  }
  const timeUp = AbortSignal.timeout(limit.timeoutMs);
  try {
    return await searchFiles(search, AbortSignal.any([limit.signal, timeUp]));
  } catch (error) {
    limit.signal.throwIfAborted();
    if (timeUp.aborted) return 'timed-out';
    throw error;
  }
}
