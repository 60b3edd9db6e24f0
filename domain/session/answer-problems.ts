import type { SessionEvent } from './transcript.ts';

/** Why an answer is of no use: it has nothing, the output limit ended it before it had anything, or no call in it can be read. */
export const answerProblems = ['empty', 'cut-off', 'malformed'] as const;
export type AnswerProblem = (typeof answerProblems)[number];

/** So many useless answers in a row, and the attempt or turn ends; the model is told of each before. */
export const problemsToEnd = 4;

/**
 * Useless answers at the end of a transcript; what a person says begins anew.
 * @param rows the end of a transcript, or all of it
 */
export function problemsInARow(rows: readonly SessionEvent[]): number {
  let count = 0;
  for (const row of rows.toReversed()) {
    if (row.kind === 'user' && row.body.aside !== true) break;
    if (row.kind !== 'assistant') continue;
    if (row.body.problem === undefined) break;
    count++;
  }
  return count;
}

/** For people. */
export function problemsMessage(problem: AnswerProblem): string {
  return `${problemsToEnd} answers in a row were of no use; the last one ${inWords[problem]}`;
}

const inWords: Readonly<Record<AnswerProblem, string>> = {
  empty: 'was empty',
  'cut-off': 'came to the output limit before it had said or called anything',
  malformed: 'had no tool call that could be read',
};
