import { z } from 'zod';
import type { CheckAnswerResult, SessionProjections } from '../../domain/contracts/activities.ts';
import type { BlobStore, SessionStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';

/** Rows at the end of a transcript among which its newest answer is. */
const tail = 8;
const shownProblems = 5;

/** See {@link SessionProjections.checkAnswer}. */
export function createCheckAnswer(
  store: Pick<SessionStore, 'readSession' | 'appendSessionEvents'> & Pick<BlobStore, 'getBlob'>,
): SessionProjections['checkAnswer'] {
  return async ({ sessionId, outputSchema, step, tell }) => {
    const [rows, schema] = await Promise.all([
      store.readSession(sessionId, { last: tail }),
      store.getBlob(outputSchema),
    ]);
    if (schema === undefined) throw new CodetetherError('internal', `the output schema ${outputSchema} is gone`);
    const answer = rows.findLast((row) => row.kind === 'assistant');
    const checked = checkAnswer(answer?.body.text ?? '', schema);
    if (!checked.ok && tell) {
      const text = `Your answer does not follow the JSON schema that was asked for: ${checked.problem}. Answer again with the JSON alone.\n\nThe schema: ${schema}`;
      await store.appendSessionEvents(sessionId, [
        { key: `${sessionId}:${step}:repair`, kind: 'user', body: { text, aside: true } },
      ]);
    }
    return checked;
  };
}

/** A JSON text, also in a code fence, held against a JSON schema. */
export function checkAnswer(answer: string, schema: string): CheckAnswerResult {
  let value: unknown;
  try {
    value = JSON.parse(jsonOf(answer));
  } catch {
    return { ok: false, problem: 'it is not JSON' };
  }
  const parsed = z.fromJSONSchema(JSON.parse(schema)).safeParse(value);
  if (parsed.success) return { ok: true };
  const problems = parsed.error.issues
    .slice(0, shownProblems)
    .map(({ path, message }) => `${path.length === 0 ? 'the answer' : path.join('.')}: ${message}`);
  return { ok: false, problem: problems.join('; ').slice(0, 1_000) };
}

/** What a model that was asked for JSON has given: with or without a code fence around it. */
export function jsonOf(answer: string): string {
  return /^\s*```(?:json)?\s*\n([\s\S]*?)\n\s*```\s*$/.exec(answer)?.[1] ?? answer.trim();
}
