import type { Selectable } from 'kysely';
import { z } from 'zod';
import type { CheckRecord, CheckStore } from '../../domain/contracts/store.ts';
import { checkVerdicts } from '../../domain/run/events.ts';
import { cleanText } from './json.ts';
import type { CheckResultTable } from './schema.ts';
import type { Queries } from './transaction.ts';

const Place = z.enum(['baseline', 'workspace', 'merged']);
const Verdict = z.enum(checkVerdicts);

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
          commit: check.commit,
          ok: check.ok,
          verdict: check.verdict,
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
      return rows.map((row) => ({ ...checkRecord(row), at: row.at }));
    },
    referenceCheck: async (runId, gate, where) => {
      const ofGate = database
        .selectFrom('check_result')
        .selectAll('check_result')
        .where('check_result.run_id', '=', runId)
        .where('name', '=', gate)
        .orderBy('id', 'desc');
      if (where === 'merged') {
        const onBranch = await ofGate
          .innerJoin('story', (join) =>
            join
              .onRef('story.run_id', '=', 'check_result.run_id')
              .onRef('story.story_id', '=', 'check_result.story_id')
              .onRef('story.commit', '=', 'check_result.commit'),
          )
          .where('story.status', '=', 'passed')
          .where('place', '=', 'merged')
          .limit(1)
          .executeTakeFirst();
        if (onBranch !== undefined) return checkRecord(onBranch);
      }
      const baseline = await ofGate.where('place', '=', 'baseline').limit(1).executeTakeFirst();
      return baseline === undefined ? undefined : checkRecord(baseline);
    },
  };
}

function checkRecord(row: Selectable<CheckResultTable>): CheckRecord {
  return {
    runId: row.run_id,
    storyId: row.story_id,
    attempt: row.attempt,
    where: Place.parse(row.place),
    name: row.name,
    command: row.command,
    tree: row.tree,
    commit: row.commit,
    ok: row.ok,
    verdict: Verdict.parse(row.verdict),
    exitCode: row.exit_code,
    durationMs: row.duration_ms,
    summary: row.summary,
    log: row.log,
  };
}
