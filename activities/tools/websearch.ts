import { z } from 'zod';
import type { WebSearch } from '../network/web-search.ts';
import { cleanLine } from './output-text.ts';
import { defineTool, failure, success, type Tool } from './tool.ts';
import { askAboutHost, type WebAccess } from './web-access.ts';

export function createWebSearchTool(web: { readonly search: WebSearch; readonly access: WebAccess }): Tool {
  return defineTool({
    name: 'websearch',
    risk: 'network',
    ask: () => askAboutHost(web.access, web.search.host),
    description: 'Searches the web; gives titles, addresses (for webfetch) and a few words of each result.',
    input: z.object({
      query: z.string().min(1).max(400).describe('What to search for'),
      max_results: z.int().min(1).max(20).default(5),
    }),
    label: ({ query }) => query,
    run: async ({ query, max_results }, { signal }) => {
      const answer = await web.search.search(query, { maxResults: max_results, signal });
      if (answer.kind === 'failed') return failure(`the search failed: ${cleanLine(answer.reason, 500)}`);
      if (answer.results.length === 0) return success(`nothing was found for ${query}`);
      const shown = answer.results.map(({ title, url, snippet }, index) =>
        [`${index + 1}. ${cleanLine(title, 200)}`, `   ${cleanLine(url, 1000)}`, `   ${cleanLine(snippet, 400)}`].join(
          '\n',
        ),
      );
      return success(shown.join('\n'));
    },
  });
}
