import type { OwnPrices } from '../../domain/model/prices.ts';
import { parseModelReference } from '../../domain/model/reference.ts';
import { estimateTokens } from '../../domain/model/tokens.ts';
import { answerTokensWithin, windowTokens } from '../../domain/model/windows.ts';
import type { ContextWindow } from '../../domain/session/derive-context.ts';
import { defaultAnswerTokens, outputTokensWithThinking } from './reasoning.ts';
import type { ScriptReader } from './script-file.ts';

export interface WindowMeans {
  readonly ownPrices: () => Promise<OwnPrices>;
  readonly scripts: ScriptReader;
  /** Of the tools' definitions, as they are sent. */
  readonly toolBytes: number;
}

/** The window that a step of a model has, without asking the model; an unlimited one where it has none or is not known. */
export async function readWindow(
  model: string,
  { ownPrices, scripts, toolBytes }: WindowMeans,
): Promise<ContextWindow> {
  const reference = parseModelReference(model);
  if (reference === null) return { model: '', contextTokens: Infinity, reservedTokens: 0 };
  const name = `${reference.provider}/${reference.model}`;
  if (reference.provider === 'scripted') {
    // A script that cannot be read is the next model call's failure, not that of who asks here.
    const script = await scripts.read(reference.model).catch(() => undefined);
    return { model: name, contextTokens: script?.contextTokens ?? Infinity, reservedTokens: 0 };
  }
  const contextTokens = windowTokens(reference, await ownPrices());
  const answerTokens = answerTokensWithin(contextTokens, outputTokensWithThinking(reference, defaultAnswerTokens));
  return { model: name, contextTokens, reservedTokens: answerTokens + estimateTokens(toolBytes) };
}
