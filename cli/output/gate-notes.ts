import type { Board } from '../../domain/run/board.ts';
import { cleanLine } from './text.ts';

/** What is to be said of gates that were neither green nor stopped a story: a word and the gates with what that means. */
export function gateNotes(board: Board): readonly (readonly [string, string])[] {
  const note = (word: string, gates: readonly string[], meaning: string) =>
    gates.length === 0 ? [] : [[word, `${cleanLine(gates.join(', '))} (${meaning})`] as const];
  return [
    ...note('flaky', board.flakyGates, 'red, then green on the same files: neither pass nor fail'),
    ...note('red', board.redGates, 'as before the run, no worse'),
  ];
}
