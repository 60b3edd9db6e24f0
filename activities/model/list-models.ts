import { z } from 'zod';
import { modelProviders } from '../../domain/model/reference.ts';
import type { RemoteProvider } from '../../domain/model/providers.ts';
import { providerAccess } from './settings.ts';
import type { ModelSettings, ProviderAccess } from './settings.ts';

const keptMs = 300_000;
const failedMs = 10_000;
const longestMs = 3_000;

const ByData = z.object({ data: z.array(z.object({ id: z.string() })) });
const ByModels = z.object({
  models: z.array(z.object({ name: z.string(), supportedGenerationMethods: z.array(z.string()).optional() })),
});

/**
 * What providers that are set up say that they have, as `provider/model`, in the order of providers and names. Asked anew after five minutes; a
 * provider that does not answer within 3 s has none for the next 10 s. Never throws.
 */
export function createModelList(settings: ModelSettings): () => Promise<readonly string[]> {
  const lists = new Map<RemoteProvider, { readonly names: Promise<readonly string[]>; readonly until: number }>();
  const namesOf = (provider: RemoteProvider): Promise<readonly string[]> => {
    const known = lists.get(provider);
    if (known !== undefined && Date.now() < known.until) return known.names;
    const names = fetchNames(provider, settings).catch(() => {
      lists.set(provider, { names, until: Date.now() + failedMs });
      return [];
    });
    lists.set(provider, { names, until: Date.now() + keptMs });
    return names;
  };
  return async () => {
    const remote = modelProviders.filter((provider) => provider !== 'scripted');
    const all = await Promise.all(
      remote.map(async (provider) => (await namesOf(provider)).map((name) => `${provider}/${name}`)),
    );
    return all.flat();
  };
}

async function fetchNames(provider: RemoteProvider, settings: ModelSettings): Promise<readonly string[]> {
  const access = providerAccess(provider, settings);
  const response = await fetch(`${access.baseUrl}/models${provider === 'anthropic' ? '?limit=1000' : ''}`, {
    headers: headersFor(access),
    signal: AbortSignal.timeout(longestMs),
  });
  if (!response.ok) throw new Error(`${provider} answered ${response.status}`);
  const body: unknown = await response.json();
  if (provider !== 'google')
    return ByData.parse(body)
      .data.map(({ id }) => id)
      .toSorted();
  return ByModels.parse(body)
    .models.filter(({ supportedGenerationMethods: methods }) => methods?.includes('generateContent') ?? true)
    .map(({ name }) => name.replace(/^models\//, ''))
    .toSorted();
}

function headersFor({ provider, apiKey }: ProviderAccess): { readonly [name: string]: string } {
  if (apiKey === undefined) return {};
  if (provider === 'anthropic') return { 'x-api-key': apiKey, 'anthropic-version': '2023-06-01' };
  return provider === 'google' ? { 'x-goog-api-key': apiKey } : { authorization: `Bearer ${apiKey}` };
}
