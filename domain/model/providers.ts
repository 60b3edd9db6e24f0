import type { ModelProvider } from './reference.ts';

/** A provider that is reached over HTTP. */
export type RemoteProvider = Exclude<ModelProvider, 'scripted'>;

export interface ProviderInfo {
  /** Environment variables that may hold the key; the first that is set counts. */
  readonly keyVariables: readonly string[];
  readonly keyRequired: boolean;
  readonly baseUrlVariable: string;
  /** Null when there is none: the user has to say where the provider is. */
  readonly defaultBaseUrl: string | null;
  /** Appended to a base URL that has no path. */
  readonly versionPath: string;
  readonly example: string;
}

export const providerInfo: { readonly [P in RemoteProvider]: ProviderInfo } = {
  anthropic: {
    keyVariables: ['ANTHROPIC_API_KEY'],
    keyRequired: true,
    baseUrlVariable: 'ANTHROPIC_BASE_URL',
    defaultBaseUrl: 'https://api.anthropic.com/v1',
    versionPath: '/v1',
    example: 'anthropic/claude-sonnet-5-5',
  },
  openai: {
    keyVariables: ['OPENAI_API_KEY'],
    keyRequired: true,
    baseUrlVariable: 'OPENAI_BASE_URL',
    defaultBaseUrl: 'https://api.openai.com/v1',
    versionPath: '/v1',
    example: 'openai/gpt-6.1-sol',
  },
  google: {
    keyVariables: ['GOOGLE_GENERATIVE_AI_API_KEY', 'GEMINI_API_KEY'],
    keyRequired: true,
    baseUrlVariable: 'GOOGLE_GEMINI_BASE_URL',
    defaultBaseUrl: 'https://generativelanguage.googleapis.com/v1beta',
    versionPath: '/v1beta',
    example: 'google/gemini-3.8-flash',
  },
  'openai-compatible': {
    keyVariables: ['OPENAI_COMPATIBLE_API_KEY'],
    keyRequired: false,
    baseUrlVariable: 'OPENAI_COMPATIBLE_BASE_URL',
    defaultBaseUrl: null,
    versionPath: '/v1',
    example: 'openai-compatible/qwen3-coder',
  },
};
