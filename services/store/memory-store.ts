import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { MemoryRecord, MemoryStore } from '../../domain/contracts/store.ts';
import { cleanText } from './json.ts';
import type { Queries } from './transaction.ts';

const columns = ['memory_id', 'content', 'tags', 'importance', 'created_at'] as const;

export function createMemoryStore(database: Queries): MemoryStore {
  const of = (repository: string) =>
    database.selectFrom('memory').select(columns).where('repository', '=', cleanText(repository));
  return {
    saveMemory: async ({ repository, content, tags, importance, sessionId }) => {
      const text = cleanText(content);
      const words = cleanText([text, ...tags].join('\n'));
      const id = createHash('sha256').update(text).digest('hex').slice(0, 10);
      await database
        .insertInto('memory')
        .values({
          repository: cleanText(repository),
          memory_id: id,
          content: text,
          tags: tags.map(cleanText),
          importance,
          session_id: sessionId,
          words: sql<string>`to_tsvector('english', ${words})`,
        })
        .onConflict((conflict) =>
          conflict.constraint('memory_pkey').doUpdateSet((row) => ({
            tags: row.ref('excluded.tags'),
            importance: row.ref('excluded.importance'),
            words: row.ref('excluded.words'),
          })),
        )
        .execute();
      return id;
    },
    searchMemories: async ({ repository, query, limit }) => {
      // Any of the words is enough; more of them, and nearer to each other, come first.
      const wanted = sql`replace(plainto_tsquery('english', ${cleanText(query)})::text, '&', '|')::tsquery`;
      const rows = await of(repository)
        .where(sql<boolean>`words @@ ${wanted}`)
        .orderBy(sql`ts_rank_cd(words, ${wanted}) * (1 + importance / 10.0)`, 'desc')
        .orderBy('created_at', 'desc')
        .limit(limit)
        .execute();
      return rows.map(memoryRecord);
    },
    listMemories: async ({ repository, tag, limit }) => {
      const all = of(repository);
      const tagged = tag === undefined ? all : all.where(sql<boolean>`${cleanText(tag)} = ANY (tags)`);
      return (await tagged.orderBy('created_at', 'desc').limit(limit).execute()).map(memoryRecord);
    },
    getMemory: async (repository, memoryId) => {
      const row = await of(repository).where('memory_id', '=', memoryId).executeTakeFirst();
      return row === undefined ? undefined : memoryRecord(row);
    },
    memoryTags: async (repository) => {
      const { rows } = await sql<{ tag: string; count: number }>`
        SELECT tag, count(*)::integer AS count FROM memory, unnest(tags) AS tag
        WHERE repository = ${cleanText(repository)} GROUP BY tag ORDER BY count DESC, tag
      `.execute(database);
      return rows;
    },
    deleteMemory: async (repository, memoryId) => {
      const { numDeletedRows } = await database
        .deleteFrom('memory')
        .where('repository', '=', cleanText(repository))
        .where('memory_id', '=', memoryId)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },
  };
}

function memoryRecord(row: {
  readonly memory_id: string;
  readonly content: string;
  readonly tags: readonly string[];
  readonly importance: number;
  readonly created_at: Date;
}): MemoryRecord {
  const { memory_id: memoryId, content, tags, importance, created_at: createdAt } = row;
  return { memoryId, content, tags, importance, createdAt };
}
