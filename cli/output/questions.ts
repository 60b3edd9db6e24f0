import { isAnswerTo, withoutAnswer } from '../../domain/run/approval.ts';
import type { Approval } from '../../domain/run/approval.ts';
import type { RunEventBody } from '../../domain/run/events.ts';
import { formatClock } from './format.ts';
import { cleanLine, cleanOutputLine } from './text.ts';

/** How all that is asked is shown, and how it is answered. */

type Asked = Pick<Approval, 'kind' | 'question' | 'choices' | 'defaultChoice'> & { readonly id: string };

/** What is typed to answer it, clean. */
export function answerCommands({ id, kind, choices }: Pick<Asked, 'id' | 'kind' | 'choices'>): string {
  if (kind !== 'question') return `codetether approve ${id} | codetether deny ${id}`;
  return `codetether answer ${id} "…"${choices.length === 0 ? '' : ` (${choices.map(cleanLine).join(' or ')})`}`;
}

/** `without one deny at 12:05`, clean. */
export function withoutOne(asked: Pick<Asked, 'defaultChoice'>, until: string): string {
  return `without one ${cleanLine(withoutAnswer(asked))} at ${formatClock(until)}`;
}

/** What was answered, and by whom, clean. */
export function answeredLine({ id, choice, by, note }: RunEventBody<'approval-answered'>): string {
  const said = cleanLine(withoutAnswer({ defaultChoice: choice }));
  return `${id}: ${said} (${cleanLine(by)})${note === '' ? '' : `: ${cleanLine(note)}`}`;
}

/** The whole question, clean; options have numbers. */
export function questionLines({ kind, question, choices }: Pick<Asked, 'kind' | 'question' | 'choices'>): string[] {
  const options = kind === 'question' ? choices.map((choice, index) => `  ${index + 1}  ${cleanLine(choice)}`) : [];
  return [...question.split('\n').map(cleanOutputLine), ...options];
}

/** What can be typed where the question is shown, clean. */
export function typedAnswers({ kind, choices }: Pick<Asked, 'kind' | 'choices'>): string {
  if (choices.length === 0) return 'answer in your own words, up to 1,000 characters';
  if (kind === 'question') return 'answer with a number, or with one of them';
  return `answer y (${choices[0] ?? ''}) or n (${choices.at(-1) ?? ''}); words after it are a note`;
}

/** What somebody has typed, as an answer; undefined where it is none. */
export function typedAnswer(
  { kind, choices }: Pick<Asked, 'kind' | 'choices'>,
  line: string,
): { readonly choice: string; readonly note?: string } | undefined {
  const typed = line.trim();
  if (typed === '') return undefined;
  if (choices.length === 0) return isAnswerTo({ choices }, typed) ? { choice: typed } : undefined;
  const same = choices.find((choice) => choice.toLowerCase() === typed.toLowerCase());
  if (same !== undefined) return { choice: same };
  if (kind === 'question') {
    const option = /^\d+$/.test(typed) ? choices[Number(typed) - 1] : undefined;
    return option === undefined ? undefined : { choice: option };
  }
  const [, word = '', note = ''] = /^(y|yes|n|no)\b[\s,:]*(.*)$/is.exec(typed) ?? [];
  const choice = word === '' ? undefined : choices.at(word.toLowerCase().startsWith('y') ? 0 : -1);
  return choice === undefined ? undefined : { choice, ...(note === '' ? {} : { note }) };
}
