import type { ModelPrice, TokenCounts } from '../../domain/model/prices.ts';
import type { ModelStepInput, ToolCallRef, ToolRisk } from '../../domain/contracts/activities.ts';
import type { Usage } from '../../domain/run/budget.ts';
import type { ContextWindow } from '../../domain/session/derive-context.ts';
import type { SaidRow, SessionEvent } from '../../domain/session/transcript.ts';
import type { PartOptions } from './answer-parts.ts';

/** A tool as the model is told of it. */
export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  /** JSON schema of the arguments. */
  readonly inputSchema: object;
  readonly risk: ToolRisk;
}

/** What the model activity has to know of the tools. */
export interface ToolCatalogue {
  /** For stories. */
  readonly definitions: readonly ToolDefinition[];
  readonly sessionDefinitions: readonly ToolDefinition[];
  /** Those that an agent can look up, see `lookedUpTools`. */
  readonly allDefinitions: readonly ToolDefinition[];
  /** Also answers for tools that there are not; `label` has at most 100 characters. */
  describe(name: string, args: unknown): Pick<ToolCallRef, 'risk' | 'label' | 'ask' | 'spawns' | 'beside' | 'asks'>;
}

export type AnsweredPart =
  | { readonly type: 'text' | 'reasoning'; readonly text: string; readonly options?: PartOptions | undefined }
  | {
      readonly type: 'tool-call';
      /** As the provider gave it; may be empty or used before. */
      readonly id: string;
      readonly name: string;
      readonly args: unknown;
      /** False when the arguments are no JSON. */
      readonly isComplete: boolean;
      readonly options?: PartOptions | undefined;
    };

/** A whole answer: one that was cut off by a broken connection never becomes one. */
export interface ProviderAnswer {
  readonly content: readonly AnsweredPart[];
  readonly finish: 'done' | 'length' | 'content-filter';
  /** Undefined when the provider reports none. */
  readonly tokens: TokenCounts | undefined;
}

/** How an answer is wanted, beyond what agents want; a provider that cannot do one of them passes over it. */
export interface CallWishes {
  readonly temperature?: number;
  readonly topP?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  readonly seed?: number;
  readonly stopSequences?: string[];
  readonly toolChoice?: 'auto' | 'none' | 'required' | { readonly type: 'tool'; readonly toolName: string };
  /** The answer is JSON; that follows the schema, where there is one. */
  readonly json?: { readonly schema?: object; readonly name?: string; readonly description?: string };
}

export interface SendOptions {
  readonly maxOutputTokens: number;
  readonly signal: AbortSignal;
  /** Gets the answer's text as it comes. */
  readonly onText: (delta: string) => void;
}

/** One model call, ready to be priced and sent. */
export interface PreparedCall {
  /** Estimate; counted where the provider reports nothing. */
  readonly inputTokens: number;
  /** What is reserved: the provider counts no more than that. */
  readonly mostInputTokens: number;
  readonly maxOutputTokens: number;
  /** With fewer the call makes no sense. */
  readonly minOutputTokens: number;
  readonly price: ModelPrice;
  /** Texts, one for each thing that a person should know once a run. */
  readonly warnings: readonly { readonly about: string; readonly message: string }[];
  /** Throws `provider-*` with {@link CallFailureDetails}; rejects with the signal's reason when that aborts. */
  send(options: SendOptions): Promise<ProviderAnswer>;
}

export interface PrepareOptions {
  readonly input: ModelStepInput;
  /** What is sent of the session to a model with that window; called at most once. Throws `context-too-long`. */
  readonly readContext: (window: ContextWindow) => Promise<CallContext>;
  /** What the session's last call has used, when the same model answered it. */
  readonly lastUsage: () => Promise<Usage | undefined>;
  /** From 1; counts the engine's tries of this call. */
  readonly tryNumber: number;
  /** The call asks for a summary of so many tokens, without tools, and not for the session's next step. */
  readonly summaryTokens?: number;
}

export interface CallContext {
  /** Each answer is followed by exactly one result for each of its calls. */
  readonly messages: readonly SaidRow[];
  /** What this call has more than the session's last one; undefined when it is another conversation. */
  readonly since: readonly SessionEvent[] | undefined;
}
