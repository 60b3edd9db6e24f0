import type { QueryExecutorProvider } from 'kysely';
import { initial } from './0001-initial.ts';

export interface Migration {
  /** From 1, without gaps. A migration that was released is never edited. */
  readonly version: number;
  readonly name: string;
  up(transaction: QueryExecutorProvider): Promise<void>;
}

export const migrations: readonly Migration[] = [initial];
