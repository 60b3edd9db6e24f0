import { z } from 'zod';
import type { SearchProvider } from '../../domain/session/tool-settings.ts';
import { hostAndPort, type GuardedFetch } from './guarded-fetch.ts';

export interface SearchResult {
  readonly title: string;
  readonly url: string;
  readonly snippet: string;
}

export type SearchAnswer =
  | { readonly kind: 'found'; readonly results: readonly SearchResult[] }
  | { readonly kind: 'failed'; readonly reason: string };

/** One search engine. */
export interface WebSearch {
  /** That queries are sent to. */
  readonly host: string;
  /** Throws the signal's reason when that aborts; everything else is an answer. */
  readonly search: (
    query: string,
    options: { readonly maxResults: number; readonly signal: AbortSignal },
  ) => Promise<SearchAnswer>;
}

export interface WebSearchSettings {
  readonly provider: SearchProvider;
  /** Address of the instance (SearXNG) or of the API; default: the provider's own. */
  readonly url: string | undefined;
  readonly apiKey: { reveal(): string } | undefined;
}

const Searxng = z.object({
  results: z.array(z.object({ title: z.string().nullish(), url: z.string(), content: z.string().nullish() })),
});
const Brave = z.object({
  web: z
    .object({
      results: z.array(z.object({ title: z.string().nullish(), url: z.string(), description: z.string().nullish() })),
    })
    .nullish(),
});

interface Provider {
  readonly defaultUrl: string | undefined;
  readonly address: (base: URL, query: string, maxResults: number) => URL;
  readonly headers: (apiKey: string | undefined) => Readonly<Record<string, string>>;
  /** Throws on an answer of another shape. */
  readonly read: (answer: unknown) => readonly SearchResult[];
}

const providers: Readonly<Record<SearchProvider, Provider>> = {
  searxng: {
    defaultUrl: undefined,
    address: (base, query) => withQuery(new URL('search', withSlash(base)), { q: query, format: 'json' }),
    headers: (apiKey) => (apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    read: (answer) =>
      Searxng.parse(answer).results.map(({ title, url, content }) => ({
        title: title ?? '',
        url,
        snippet: content ?? '',
      })),
  },
  brave: {
    defaultUrl: 'https://api.search.brave.com/res/v1/web/search',
    address: (base, query, maxResults) => withQuery(base, { q: query, count: String(maxResults) }),
    headers: (apiKey) => (apiKey === undefined ? {} : { 'x-subscription-token': apiKey }),
    read: (answer) =>
      (Brave.parse(answer).web?.results ?? []).map(({ title, url, description }) => ({
        title: title ?? '',
        url,
        snippet: description ?? '',
      })),
  },
};

const limits = { maxBytes: 2 * 1024 * 1024, timeoutMs: 20_000 };

/** Undefined when the settings name no address to ask. */
export function createWebSearch(
  settings: WebSearchSettings,
  createFetch: (trusted: readonly string[]) => GuardedFetch,
): WebSearch | undefined {
  const provider = providers[settings.provider];
  const base = URL.parse(settings.url ?? provider.defaultUrl ?? '');
  if (base === null) return undefined;
  // The user has named it: it may be on this machine.
  const fetch = createFetch([hostAndPort(base)]);
  return {
    host: base.hostname,
    search: async (query, { maxResults, signal }) => {
      const url = provider.address(base, query, maxResults).href;
      const headers = { accept: 'application/json', ...provider.headers(settings.apiKey?.reveal()) };
      const answer = await fetch({ url, headers, signal, ...limits });
      if (answer.kind !== 'answered') return { kind: 'failed', reason: answer.reason };
      if (answer.status !== 200)
        return { kind: 'failed', reason: `${base.hostname} answered with status ${answer.status}` };
      try {
        const results = provider.read(JSON.parse(answer.body.toString('utf8')));
        return { kind: 'found', results: results.slice(0, maxResults) };
      } catch {
        return { kind: 'failed', reason: `${base.hostname} did not answer as ${settings.provider} does` };
      }
    },
  };
}

function withQuery(url: URL, parameters: Readonly<Record<string, string>>): URL {
  const address = new URL(url);
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  return address;
}

function withSlash(url: URL): URL {
  return url.pathname.endsWith('/') ? url : new URL(`${url.href}/`);
}
