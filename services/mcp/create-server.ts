import { McpServer } from '@modelcontextprotocol/server';
import type { CallToolResult, ServerContext } from '@modelcontextprotocol/server';
import { asCodetetherError } from '../../domain/errors.ts';
import type { Client } from '../client/client.ts';
import { registerPrompts } from './prompts.ts';
import { registerResources } from './resources.ts';
import type { McpCall, McpEffect, McpTool } from './tool.ts';
import { mcpTools } from './tools.ts';

export interface McpServerDeps {
  /** Asks the API as the caller: what he may not do there he may not do here. */
  readonly client: Client;
  /** Of the package. */
  readonly version: string;
  /** Raised when the process goes down, or the caller has gone: waits end, with what is known then. */
  readonly closing: AbortSignal;
  /** Until it resolves nothing is asked; where it rejects, each call fails with that. */
  readonly ready?: Promise<void>;
}

const instructions =
  'codetether works with coding agents durably: what is started goes on when you, the server or the machine go away. ' +
  'start_run works through the stories of a PRD file, start_session talks with one agent; both return at once, wait_for_run and wait_for_turn wait. ' +
  'Folders and files are those of the host that serves this; list_workspaces says which may be used. What agents ask people is in list_approvals.';

const hints: { readonly [effect in McpEffect]: object } = {
  read: { readOnlyHint: true, destructiveHint: false, openWorldHint: false },
  change: { readOnlyHint: false, destructiveHint: false, openWorldHint: false },
  work: { readOnlyHint: false, destructiveHint: false, openWorldHint: true },
  remove: { readOnlyHint: false, destructiveHint: true, openWorldHint: false },
};

/** Tools, resources and prompts for one caller; holds nothing between two calls, so any process answers for another. */
export function createMcpServer(deps: McpServerDeps): McpServer {
  const server = new McpServer(
    { name: 'codetether', title: 'codetether', version: deps.version },
    { instructions, capabilities: { tools: {}, resources: {}, prompts: {} } },
  );
  for (const tool of mcpTools) {
    const { name, title, description, input, output, permission } = tool;
    const annotations = { title, ...hints[tool.effect], idempotentHint: tool.repeatable };
    const _meta = { 'codetether/permission': permission };
    const config = { title, description, inputSchema: input, outputSchema: output, annotations, _meta };
    server.registerTool(name, config, async (given, context) => await answer(tool, given, callOf(deps, context), deps));
  }
  registerResources(server, deps);
  registerPrompts(server, deps);
  return server;
}

/** A failure is an answer too: what happened, each problem, what to do next; `codetether/code` is of the catalogue. */
async function answer(tool: McpTool, given: unknown, call: McpCall, { ready }: McpServerDeps): Promise<CallToolResult> {
  try {
    await ready;
    const structuredContent = await tool.run(given, call);
    return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent };
  } catch (error) {
    const { code, message, problems, next } = asCodetetherError(error);
    const text = [`${message} [${code}]`, ...problems, next].join('\n');
    return { content: [{ type: 'text', text }], isError: true, _meta: { 'codetether/code': code } };
  }
}

function callOf({ client, closing }: McpServerDeps, { mcpReq }: ServerContext): McpCall {
  const progressToken = mcpReq._meta?.progressToken;
  let progress = 0;
  const report = (message: string): void => {
    if (progressToken === undefined || mcpReq.signal.aborted) return;
    progress += 1;
    const told = mcpReq.notify({
      method: 'notifications/progress',
      params: { progressToken, progress, message },
    });
    // Whoever wanted to know has gone.
    told.catch(() => undefined);
  };
  return { client, signal: AbortSignal.any([mcpReq.signal, closing]), report };
}
