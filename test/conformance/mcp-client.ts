/**
 * The MCP client of our agents as the kit's client command: `node test/conformance/mcp-client.ts <url>`. It does what their tool
 * `mcp` does: lists tools and calls each, lists resources and reads each.
 */
import { z } from 'zod';
import { connectMcp } from '../../activities/mcp/mcp-connection.ts';

const Context = z.object({
  toolCalls: z.array(z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()) })).optional(),
});
const Schema = z.object({ properties: z.record(z.string(), z.looseObject({ type: z.unknown() })).default({}) });
const samples: Readonly<Record<string, unknown>> = { number: 1, integer: 1, boolean: true, array: [], object: {} };

const [, , url = ''] = process.argv;
const given = Context.parse(JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}'));
const stop = new AbortController();
const { client } = await connectMcp(
  { kind: 'remote', url, headers: {} },
  {
    root: process.cwd(),
    processDir: process.cwd(),
    runCommand: () => Promise.reject(new Error('nothing is started for a server elsewhere')),
  },
  stop.signal,
);
const { tools } = await client.listTools();
const calls =
  given.toolCalls ??
  tools.map(({ name, inputSchema }) => ({
    name,
    arguments: Object.fromEntries(
      Object.entries(Schema.parse(inputSchema).properties).map(([key, { type }]) => [
        key,
        samples[String(type)] ?? 'x',
      ]),
    ),
  }));
// A call that fails is an answer to an agent too.
for (const call of calls)
  await client.callTool(call).catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
if (client.getServerCapabilities()?.resources !== undefined) {
  const { resources } = await client.listResources();
  for (const { uri } of resources)
    await client.readResource({ uri }).catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
}
await client.close();
