import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelCallAnswer } from '../../domain/contracts/store.ts';

/**
 * Answers that were received and are not in the store yet. They were paid for: a worker that dies, or waits longer for
 * the database than its activity may last, finds them here when the call is tried again on this host.
 */
export interface AnswerSpool<Answer extends { readonly key: string } = ModelCallAnswer> {
  read(key: string): Promise<Answer | undefined>;
  /** On the disk itself when it returns. */
  write(answer: Answer): Promise<void>;
  /** Nothing happens when it is not there. */
  remove(key: string): Promise<void>;
}

export function createAnswerSpool<Answer extends { readonly key: string } = ModelCallAnswer>(
  folder: string,
): AnswerSpool<Answer> {
  const fileOf = (key: string) => join(folder, `${createHash('sha256').update(key).digest('hex')}.json`);
  return {
    read: async (key) => {
      try {
        return JSON.parse(await readFile(fileOf(key), 'utf8')) as Answer;
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
        throw error;
      }
    },
    write: async (answer) => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = fileOf(answer.key);
      {
        await using handle = await open(`${file}.new`, 'w', 0o600);
        await handle.writeFile(JSON.stringify(answer));
        await handle.sync();
      }
      await rename(`${file}.new`, file);
    },
    remove: async (key) => {
      await rm(fileOf(key), { force: true });
    },
  };
}
