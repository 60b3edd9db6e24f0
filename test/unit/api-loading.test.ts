import { expect, it } from 'vitest';
import { loadedBy, moduleOf } from '../support/loaded-packages.ts';

it('the API starts without the libraries of A2A, MCP, model providers, issuers of tokens, and YAML', async () => {
  const { packages } = await loadedBy(`await import(${moduleOf('services/api/serve.ts')});`);
  expect(packages).toContain('fastify');
  expect(
    packages.filter((name) => /^(@a2a-js\/.*|@modelcontextprotocol\/.*|@ai-sdk\/.*|ai|jose|yaml)$/.test(name)),
  ).toEqual([]);
});
