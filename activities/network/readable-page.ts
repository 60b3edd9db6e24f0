import { runInThread, type ThreadLimit } from '../thread.ts';

export type PageFormat = 'markdown' | 'text';

export interface Page {
  readonly html: string;
  /** For links that are relative. */
  readonly url: string;
  readonly format: PageFormat;
}

export interface ReadablePage {
  readonly title: string;
  readonly text: string;
}

const limits = { timeoutMs: 8_000, maxMegabytes: 512 };

/**
 * What a person would read on a web page, without menus and advertisements where its article can be told from them. In a thread:
 * a page can take for ever. Null when it does, or when it cannot be read at all. Throws the signal's reason when that aborts.
 */
export async function readPage(page: Page, signal: AbortSignal): Promise<ReadablePage | null> {
  const source = import.meta.url.endsWith('.ts') ? './page-worker.ts' : './page-worker.js';
  const limit: ThreadLimit = { ...limits, signal };
  try {
    const answer = await runInThread<ReadablePage>(new URL(source, import.meta.url), page, limit);
    return answer === 'timed-out' ? null : answer;
  } catch {
    signal.throwIfAborted();
    // Out of memory, or nested deeper than the stack.
    return null;
  }
}
