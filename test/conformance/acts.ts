import { join } from 'node:path';
import { z } from 'zod';
import { readCases, transports } from './acts/cases.ts';
import { bindings, jsonRpcClient, restClient } from './acts/clients.ts';

const clients = { jsonrpc: jsonRpcClient, rest: restClient, grpc: restClient };
import { runCase } from './acts/run-case.ts';
import type { CaseResult, Kit } from './kit.ts';
import { sourceOf } from './sources.ts';

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
    const results: CaseResult[] = [];
    for (const [prefix, profile] of [
      ['on', 'pure'],
      ['off', 'minimal'],
    ] as const) {
      const origin = await world.serve(profile);
      const card = Card.parse(await (await fetch(`${origin}/.well-known/agent-card.json`)).json());
      for (const transport of transports) {
        const found = card.supportedInterfaces.find(({ protocolBinding }) => protocolBinding === bindings[transport]);
        if (found === undefined) {
          results.push({ name: `${prefix}/${transport}`, outcome: 'skipped', why: 'the card does not name it' });
          continue;
        }
        const { url } = found;
        const target = { transport, url, origin, capabilities: card.capabilities, client: clients[transport](url) };
        for (const test of tests) {
          const result = await runCase(test, target);
          results.push({ ...result, name: `${prefix}/${result.name}` });
        }
      }
    }
    return { kind: 'ran', cases: results };
  },
};
