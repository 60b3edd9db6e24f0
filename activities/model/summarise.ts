import type { ModelStepInput } from '../../domain/contracts/activities.ts';
import type { ModelCallAnswer } from '../../domain/contracts/store.ts';
import { textTokens } from '../../domain/model/tokens.ts';
import { rowTokens } from '../../domain/session/derive-context.ts';
import type { WantedSummary } from '../../domain/session/derive-context.ts';
import { effectiveTranscript } from '../../domain/session/transcript.ts';
import type { SessionEvent } from '../../domain/session/transcript.ts';
import { blocksOf } from '../../domain/session/turns.ts';
import { usageOfAnswer } from './answer.ts';
import type { PreparedCall, ProviderAnswer } from './provider-call.ts';

export interface SummaryContext {
  readonly input: ModelStepInput;
  readonly key: string;
  readonly call: PreparedCall;
  readonly wanted: WantedSummary;
  readonly rows: readonly SessionEvent[];
}

/**
 * What is to be stored of an answer that is a summary: its price, and the row that stands for the range from then on. It is cut to
 * half of what it stands for, so that a summary always makes the context shorter.
 */
export function toSummaryAnswer(
  raw: ProviderAnswer,
  { input, key, call, wanted, rows }: SummaryContext,
): ModelCallAnswer {
  const { fromSeq, toSeq } = wanted;
  const said = raw.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('');
  const text = cut(said.trim(), Math.floor(tokensOfRange(rows, wanted) / 2));
  return {
    key,
    runId: input.runId,
    storyId: input.storyId,
    sessionId: input.sessionId,
    model: input.model,
    result: { kind: 'answered', stop: 'finished', toolCalls: [], usage: usageOfAnswer(raw, call) },
    sessionEvent: { key, kind: 'summary', body: { fromSeq, toSeq, text } },
    runEvents: [],
  };
}

function tokensOfRange(rows: readonly SessionEvent[], { fromSeq, toSeq }: WantedSummary): number {
  const { blocks } = blocksOf(effectiveTranscript(rows));
  return blocks
    .filter(({ seq }) => seq >= fromSeq && seq <= toSeq)
    .flatMap((block) => block.rows)
    .reduce((sum, row) => sum + rowTokens(row), 0);
}

function cut(text: string, mostTokens: number): string {
  if (textTokens(text) <= mostTokens) return text;
  const share = mostTokens / textTokens(text);
  return `${text.slice(0, Math.max(0, Math.floor(text.length * share * 0.9))).toWellFormed()}…`;
}
