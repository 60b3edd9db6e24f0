import type { ModelSettings } from '../../activities/model/settings.ts';
import type { ModelTimeouts } from '../../domain/model/timeouts.ts';
import type { Config } from './config.ts';

export function modelTimeouts({ stepTimeoutSecs, streamIdleTimeoutSecs }: Config): ModelTimeouts {
  return { stepTimeoutMs: stepTimeoutSecs * 1000, idleTimeoutMs: streamIdleTimeoutSecs * 1000 };
}

/** The part of the configuration that says how to reach model providers. */
export function modelSettings(config: Config): ModelSettings {
  return {
    anthropic: { apiKey: config.anthropicApiKey, baseUrl: config.anthropicBaseUrl },
    openai: { apiKey: config.openaiApiKey, baseUrl: config.openaiBaseUrl },
    google: { apiKey: config.googleApiKey, baseUrl: config.googleBaseUrl },
    openaiCompatible: { apiKey: config.openaiCompatibleApiKey, baseUrl: config.openaiCompatibleBaseUrl },
    textToolModels: config.textToolModels,
  };
}
