import type { ModelSettings } from '../../activities/model/settings.ts';
import type { Config } from './config.ts';

/** The part of the configuration that says how to reach model providers. */
export function modelSettings(config: Config): ModelSettings {
  return {
    anthropic: { apiKey: config.anthropicApiKey, baseUrl: config.anthropicBaseUrl },
    openai: { apiKey: config.openaiApiKey, baseUrl: config.openaiBaseUrl },
    google: { apiKey: config.googleApiKey, baseUrl: config.googleBaseUrl },
    openaiCompatible: { apiKey: config.openaiCompatibleApiKey, baseUrl: config.openaiCompatibleBaseUrl },
  };
}
