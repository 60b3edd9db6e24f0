import { join } from 'node:path';
import { z } from 'zod';
import { readCases, transports } from './acts/cases.ts';
import type { Case } from './acts/cases.ts';
import { grpcClient } from './acts/grpc-client.ts';
import { bindings, jsonRpcClient, restClient } from './acts/clients.ts';
import { runCase } from './acts/run-case.ts';
import type { Target } from './acts/run-case.ts';
import { openWebhook } from './acts/webhook.ts';
import type { CaseResult, Kit } from './kit.ts';
import { sourceOf } from './sources.ts';

const clients = { jsonrpc: jsonRpcClient, rest: restClient, grpc: grpcClient };

const Card = z.object({
  capabilities: z.record(z.string(), z.unknown()),
  supportedInterfaces: z.array(z.object({ protocolBinding: z.string(), url: z.string() })),
});

/** The ACTS cases, which have no official runner, over each transport: with all capabilities (`on/`), and without optional ones (`off/`). */
export const acts: Kit = {
  name: 'acts',
  run: async (world) => {
    const source = sourceOf('A2A');
    if (source.kind === 'missing') return { kind: 'skipped', why: source.why };
    const tests = await readCases(join(source.folder, 'tests', 'acts'));
    const webhook = await openWebhook();
    try {
      const on = await runAll(tests, { origin: await world.serve('pure'), webhook, prefix: 'on' });
      const off = await runAll(tests, { origin: await world.serve('minimal'), webhook, prefix: 'off' });
      return { kind: 'ran', cases: [...on, ...off] };
    } finally {
      await webhook.close();
    }
  },
};

async function runAll(
  tests: readonly Case[],
  { prefix, ...server }: Pick<Target, 'origin' | 'webhook'> & { readonly prefix: string },
): Promise<readonly CaseResult[]> {
  const card = Card.parse(await (await fetch(`${server.origin}/.well-known/agent-card.json`)).json());
  const results: CaseResult[] = [];
  for (const transport of transports) {
    const found = card.supportedInterfaces.find(({ protocolBinding }) => protocolBinding === bindings[transport]);
    if (found === undefined) throw new Error(`the card names no ${bindings[transport]}`);
    const { url } = found;
    const target = { ...server, transport, url, client: clients[transport](url), capabilities: card.capabilities };
    for (const test of tests) {
      const result = await runCase(test, target);
      results.push({ ...result, name: `${prefix}/${result.name}` });
    }
  }
  return results;
}
