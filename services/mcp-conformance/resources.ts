import { ResourceTemplate } from '@modelcontextprotocol/server';
import type { McpServer } from '@modelcontextprotocol/server';
import { image } from './samples.ts';

export function registerFixtureResources(server: McpServer): void {
  const plain = { mimeType: 'text/plain' };
  for (const [name, said] of [
    ['static-text', 'This is a text.'],
    ['watched-resource', 'This text is watched.'],
  ] as const) {
    server.registerResource(name, `test://${name}`, { ...plain, description: 'A text.' }, ({ href }) => ({
      contents: [{ ...plain, uri: href, text: said }],
    }));
  }
  const png = { mimeType: 'image/png' };
  server.registerResource(
    'static-binary',
    'test://static-binary',
    { ...png, description: 'An image.' },
    ({ href }) => ({ contents: [{ ...png, uri: href, blob: image }] }),
  );
  const json = { mimeType: 'application/json' };
  server.registerResource(
    'template',
    new ResourceTemplate('test://template/{id}/data', { list: undefined }),
    { ...json, description: 'Repeats the id of its address.' },
    ({ href }, { id }) => ({ contents: [{ ...json, uri: href, text: JSON.stringify({ id }) }] }),
  );
  // The revisions before 2026-07-28 have them; nothing that is watched changes.
  server.server.setRequestHandler('resources/subscribe', () => ({}));
  server.server.setRequestHandler('resources/unsubscribe', () => ({}));
}
