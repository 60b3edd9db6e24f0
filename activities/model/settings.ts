import { CodetetherError } from '../../domain/errors.ts';
import { providerInfo } from '../../domain/model/providers.ts';
import type { RemoteProvider } from '../../domain/model/providers.ts';

/** A key that prints as something else; `reveal` is called only to sign a request and to redact it from messages. */
interface RevealableKey {
  reveal(): string;
}

interface ProviderSettings {
  readonly apiKey?: RevealableKey | undefined;
  /** With or without the version path (`/v1`). */
  readonly baseUrl?: string | undefined;
}

export interface ModelSettings {
  readonly anthropic: ProviderSettings;
  readonly openai: ProviderSettings;
  readonly google: ProviderSettings;
  readonly openaiCompatible: ProviderSettings;
  /** Models that are told of their tools in the system prompt, `provider/model` or `provider/mod*`, in lower case. */
  readonly textToolModels?: readonly string[];
}

/** How to reach a provider. */
export interface ProviderAccess {
  readonly provider: RemoteProvider;
  /** With version path, without a slash at its end. */
  readonly baseUrl: string;
  /** Undefined where the provider needs none. */
  readonly apiKey: string | undefined;
}

/** Throws `provider-key-missing` and `config-invalid`, naming the variable; never looks at the environment itself. */
export function providerAccess(provider: RemoteProvider, settings: ModelSettings): ProviderAccess {
  const info = providerInfo[provider];
  const own = provider === 'openai-compatible' ? settings.openaiCompatible : settings[provider];
  const apiKey = own.apiKey?.reveal().trim();
  if (info.keyRequired && (apiKey === undefined || apiKey === '')) throw keyMissing(provider);
  return { provider, baseUrl: baseUrl(provider, own.baseUrl), apiKey: apiKey === '' ? undefined : apiKey };
}

function keyMissing(provider: RemoteProvider): CodetetherError {
  const variables = providerInfo[provider].keyVariables;
  return new CodetetherError('provider-key-missing', `no key for ${provider}`, {
    problems: variables.map((variable) => `looked in ${variable}: not set`),
    next: `Set it: export ${variables[0]}=…   or try without a key: --model scripted/examples/todo-cli/script.yaml`,
    details: { provider, variables },
  });
}

function baseUrl(provider: RemoteProvider, configured: string | undefined): string {
  const info = providerInfo[provider];
  const given = configured?.trim() ?? '';
  const text = given === '' ? info.defaultBaseUrl : given;
  if (text === null)
    throw new CodetetherError('config-invalid', `no address for ${provider}`, {
      problems: [`looked in ${info.baseUrlVariable}: not set`],
      next: `Set it: export ${info.baseUrlVariable}=http://127.0.0.1:11434/v1`,
      details: { provider, variable: info.baseUrlVariable },
    });
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw new CodetetherError('config-invalid', `the address of ${provider} cannot be used`, {
      problems: [`${info.baseUrlVariable}: expected an http or https URL`],
      next: `Correct ${info.baseUrlVariable}, for example http://127.0.0.1:11434/v1`,
      details: { provider, variable: info.baseUrlVariable },
    });
  if (url.pathname === '/') url.pathname = info.versionPath;
  return url.href.replace(/\/+$/, '');
}
