import { z } from 'zod';
import type { CheckStore } from '../../domain/contracts/store.ts';
import { cleanText } from './json.ts';
import type { Queries } from './transaction.ts';

const Place = z.enum(['baseline', 'workspace', 'merged']);

export function createCheckStore(database: Queries): CheckStore {
  return {
    recordCheck: async (check) => {
      await database
        .insertInto('check_result')
        .values({
          run_id: check.runId,
          story_id: check.storyId,
          attempt: check.attempt,
          place: check.where,
          name: cleanText(check.name),
          command: cleanText(check.command),
          tree: check.tree,
          ok: check.ok,
          exit_code: check.exitCode,
          duration_ms: Math.round(check.durationMs),
          summary: cleanText(check.summary),
          log: check.log,
        })
        .execute();
    },
    listChecks: async (runId, storyId) => {
      const rows = await database
        .selectFrom('check_result')
        .selectAll()
        .where('run_id', '=', runId)
        .where('story_id', storyId === null ? 'is' : '=', storyId)
        .orderBy('id')
        .execute();
      return rows.map((row) => ({
        runId: row.run_id,
        storyId: row.story_id,
        attempt: row.attempt,
        where: Place.parse(row.place),
        name: row.name,
        command: row.command,
        tree: row.tree,
        ok: row.ok,
        exitCode: row.exit_code,
        durationMs: row.duration_ms,
        summary: row.summary,
        log: row.log,
        at: row.at,
      }));
    },
  };
}
