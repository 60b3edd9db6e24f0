import { Worker } from 'node:worker_threads';

export interface ThreadLimit {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Heap of the thread; default: Node's own. */
  readonly maxMegabytes?: number;
}

/**
 * Runs a module in a thread of its own, which posts one answer. The thread is ended when the time is up or the signal aborts:
 * what other people wrote (expressions, web pages) can keep it busy for ever without stopping the worker's heartbeats.
 * Throws the signal's reason when that aborts, and when the thread ends without an answer.
 */
export async function runInThread<Answer>(
  source: URL,
  workerData: unknown,
  limit: ThreadLimit,
): Promise<Answer | 'timed-out'> {
  limit.signal.throwIfAborted();
  const resourceLimits = limit.maxMegabytes === undefined ? {} : { maxOldGenerationSizeMb: limit.maxMegabytes };
  const worker = new Worker(source, { workerData, resourceLimits });
  const { promise, resolve, reject } = Promise.withResolvers<Answer | 'timed-out'>();
  const timer = setTimeout(() => resolve('timed-out'), limit.timeoutMs);
  const abort = () => reject(limit.signal.reason);
  limit.signal.addEventListener('abort', abort, { once: true });
  worker.once('message', (answer: Answer) => resolve(answer));
  worker.once('error', reject);
  worker.once('exit', () => reject(new Error('the thread ended without an answer')));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    limit.signal.removeEventListener('abort', abort);
    await worker.terminate();
  }
}
