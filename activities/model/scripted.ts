import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelStepInput } from '../../domain/contracts/activities.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { ErrorCode } from '../../domain/errors.ts';
import type { ModelPrice } from '../../domain/model/prices.ts';
import { scriptTurn } from '../../domain/model/script.ts';
import type { ModelScript, ScriptTurn } from '../../domain/model/script.ts';
import { agentDepth } from '../../domain/run/ids.ts';
import { estimateTokens } from '../../domain/model/tokens.ts';
import { rowTokens } from '../../domain/session/derive-context.ts';
import { callFailure } from './call-failure.ts';
import { startIdleTimer } from './idle-timer.ts';
import type { AnsweredPart, PreparedCall, PrepareOptions, ProviderAnswer, SendOptions } from './provider-call.ts';
import type { ScriptReader } from './script-file.ts';

export interface ScriptedOptions {
  readonly scripts: ScriptReader;
  readonly idleTimeoutMs: number;
}

/**
 * Prepares a call that a script answers: the same story, attempt, step and try number give the same answer, in every
 * process. Reads the transcript only when it has to estimate the usage. Throws `script-invalid` and `script-exhausted`.
 * @param path absolute
 */
export async function prepareScriptedCall(
  path: string,
  { scripts, idleTimeoutMs }: ScriptedOptions,
  options: PrepareOptions,
): Promise<PreparedCall> {
  const { input, readContext, tryNumber } = options;
  const script = await scripts.read(path);
  const readTokens = async (outputTokens: number) => {
    const window = { model: `scripted/${path}`, contextTokens: script.contextTokens ?? Infinity };
    const { messages } = await readContext({ ...window, reservedTokens: outputTokens });
    return messages.reduce((sum, row) => sum + rowTokens(row), 0);
  };
  if (options.summaryTokens !== undefined) return await scriptedSummary(script, readTokens);
  const turn = scriptTurn(script, {
    ...input,
    // Agents that agents start are a story of their own.
    ...(agentDepth(input.sessionId) === 0 ? {} : { storyId: `${input.storyId}:agent` }),
    step: input.step - (input.firstStep ?? 1) + 1,
  });
  if (turn === undefined) throw exhausted(path, input);
  const answer = fillIn(turn, input);
  const outputTokens =
    turn.usage?.outputTokens ?? estimateTokens(Buffer.byteLength(answer.text + JSON.stringify(answer.tools)));
  const isRead = turn.usage === undefined || script.contextTokens !== undefined || turn.fault?.kind === 'too-long';
  const readInputTokens = isRead ? await readTokens(outputTokens) : 0;
  const inputTokens = turn.usage?.inputTokens ?? readInputTokens;
  return {
    inputTokens,
    mostInputTokens: inputTokens,
    maxOutputTokens: outputTokens,
    minOutputTokens: outputTokens,
    price: scriptPrice(script),
    warnings: [],
    send: async (options) => {
      options.signal.throwIfAborted();
      const isFaulty =
        turn.fault?.kind === 'too-long'
          ? readInputTokens > turn.fault.aboveTokens
          : tryNumber <= (turn.fault?.times ?? 0);
      if (turn.fault !== undefined && isFaulty)
        return await failAsTold(turn.fault, answer.text, idleTimeoutMs, options);
      await play(answer.text, turn, turn.delayMs ?? script.delayMs, options);
      const tokens = { inputTokens, cachedInputTokens: 0, outputTokens };
      return { content: contentOf(answer, input.step), finish: 'done', tokens } satisfies ProviderAnswer;
    },
  };
}

async function scriptedSummary(
  script: ModelScript,
  readTokens: (outputTokens: number) => Promise<number>,
): Promise<PreparedCall> {
  const outputTokens = estimateTokens(Buffer.byteLength(script.summary));
  const inputTokens = await readTokens(outputTokens);
  return {
    inputTokens,
    mostInputTokens: inputTokens,
    maxOutputTokens: outputTokens,
    minOutputTokens: outputTokens,
    price: scriptPrice(script),
    warnings: [],
    send: async () => ({
      content: [{ type: 'text', text: script.summary }],
      finish: 'done',
      tokens: { inputTokens, cachedInputTokens: 0, outputTokens },
    }),
  };
}

/** Free, when the script has no price. */
function scriptPrice({ price }: ModelScript): ModelPrice {
  const inputUsd = price?.inputPerMillionUsd ?? 0;
  const outputUsd = price?.outputPerMillionUsd ?? 0;
  return { inputUsd, cachedInputUsd: inputUsd, cacheWriteUsd: inputUsd, outputUsd, source: 'script' };
}

type Answer = Pick<ScriptTurn, 'text' | 'tools'>;

function contentOf(answer: Answer, step: number): AnsweredPart[] {
  const content: AnsweredPart[] = answer.text === '' ? [] : [{ type: 'text', text: answer.text }];
  for (const [index, { name, args }] of answer.tools.entries())
    content.push({ type: 'tool-call', id: `${step}-${index + 1}`, name, args, isComplete: true });
  return content;
}

/** Waits as the script says, and streams the text in its pieces, the wait spread over them. */
async function play(text: string, turn: ScriptTurn, delayMs: number, { signal, onText }: SendOptions): Promise<void> {
  const pieces = Math.min(turn.chunks, Math.max(1, text.length));
  const size = Math.ceil(text.length / pieces);
  for (let piece = 0; piece < pieces; piece++) {
    if (delayMs > 0) await pause(delayMs / pieces, signal);
    onText(text.slice(piece * size, (piece + 1) * size));
  }
}

async function failAsTold(
  fault: NonNullable<ScriptTurn['fault']>,
  text: string,
  idleTimeoutMs: number,
  { signal, onText }: SendOptions,
): Promise<never> {
  switch (fault.kind) {
    case 'rate-limit':
      throw scriptedFault('provider-overloaded', 'limits the rate (429)', fault);
    case 'overloaded':
      throw scriptedFault('provider-overloaded', 'is overloaded (529)', fault);
    case 'quota':
      throw scriptedFault('provider-quota', 'has no quota left (402)', fault);
    case 'rejected':
      throw scriptedFault('provider-rejected', 'refused the request (400)', fault);
    case 'too-long':
      throw callFailure('provider-rejected', 'the conversation is too long for scripted (400), as the script says', {
        provider: 'scripted',
        mayHaveCost: false,
        tooLong: true,
      });
    case 'disconnect':
      onText(text.slice(0, Math.ceil(text.length / 2)));
      throw callFailure('provider-unreachable', 'the answer of scripted was cut off, as the script says', {
        provider: 'scripted',
        mayHaveCost: true,
        isLost: true,
      });
    case 'hang': {
      const idle = startIdleTimer(idleTimeoutMs, signal);
      try {
        await new Promise((resolve) => idle.signal.addEventListener('abort', resolve, { once: true }));
      } finally {
        idle.stop();
      }
      signal.throwIfAborted();
      throw scriptedFault('provider-silent', `was silent for ${Math.round(idleTimeoutMs / 1000)} s`, fault);
    }
  }
}

function scriptedFault(code: ErrorCode, what: string, fault: { readonly retryAfterMs?: number | undefined }) {
  const wait = code === 'provider-overloaded' ? fault.retryAfterMs : undefined;
  return callFailure(code, `scripted ${what}, as the script says`, {
    provider: 'scripted',
    mayHaveCost: false,
    ...(what.endsWith('(429)') ? { status: 429 } : {}),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}

async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(delayMs, undefined, { signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}

function fillIn(turn: ScriptTurn, input: ModelStepInput): Answer {
  const words = { story: input.storyId, attempt: String(input.attempt), step: String(input.step) };
  const fill = (value: unknown): unknown => {
    if (typeof value === 'string')
      return value
        .replaceAll('{{story}}', words.story)
        .replaceAll('{{attempt}}', words.attempt)
        .replaceAll('{{step}}', words.step);
    if (Array.isArray(value)) return value.map(fill);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item)]));
  };
  return {
    text: String(fill(turn.text)),
    tools: turn.tools.map(({ name, args }) => ({ name, args: fill(args) as Answer['tools'][number]['args'] })),
  };
}

function exhausted(path: string, { storyId, attempt, step }: ModelStepInput): CodetetherError {
  return new CodetetherError(
    'script-exhausted',
    `the model script has no answer for story ${storyId}, attempt ${attempt}, step ${step}`,
    { problems: [`in ${path}`], details: { path, storyId, attempt, step } },
  );
}
