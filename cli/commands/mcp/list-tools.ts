import { z } from 'zod';
import { exitCodes } from '../../../domain/errors.ts';
import { mcpTools } from '../../../services/mcp/tools.ts';
import type { McpTool } from '../../../services/mcp/tool.ts';
import { listTable } from '../../output/table.ts';
import { openContext, print, stdoutLook } from '../ralph/context.ts';

/** Needs no stack. */
export async function listTools({ json = false }: { readonly json?: boolean }): Promise<number> {
  const context = openContext();
  if (json) {
    print(context.stdout, [JSON.stringify({ schema_version: 1, tools: mcpTools.map(toolJson) })]);
    return exitCodes.completed;
  }
  const column = (title: string, cell: (tool: McpTool) => string) => ({ title, cells: mcpTools.map(cell) });
  const columns = [
    column('name', ({ name }) => name),
    column('needs', ({ permission }) => permission ?? ''),
    column('title', ({ title }) => title),
  ];
  print(context.stdout, listTable(columns, stdoutLook(context), context.stdout.isTTY));
  return exitCodes.completed;
}

function toolJson({ name, title, description, permission, input, output }: McpTool) {
  const input_schema = z.toJSONSchema(input, { io: 'input' });
  return { name, title, description, permission, input_schema, output_schema: z.toJSONSchema(output) };
}
