import { createGuardedFetch } from '../../activities/network/guarded-fetch.ts';
import { createWebSearch } from '../../activities/network/web-search.ts';
import type { WebMeans } from '../../activities/tools/registry.ts';
import type { Config } from '../config/config.ts';

/** What agents may do on the web by the configuration; undefined: nothing. */
export function webMeans(config: Config): WebMeans | undefined {
  const { webAccess, webHosts, searchProvider, searchUrl, searchApiKey } = config;
  if (webAccess === 'off') return undefined;
  return {
    fetch: createGuardedFetch(),
    access: { policy: webAccess, hosts: webHosts },
    search:
      searchProvider === undefined
        ? undefined
        : createWebSearch({ provider: searchProvider, url: searchUrl, apiKey: searchApiKey }, (trusted) =>
            createGuardedFetch({ trusted }),
          ),
  };
}
