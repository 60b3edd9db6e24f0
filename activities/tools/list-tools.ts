import { z } from 'zod';
import { mayUse } from '../../domain/session/agents.ts';
import { listTools, shownToolLine } from '../../domain/session/listed-tools.ts';
import { nearest } from '../../domain/text/nearest.ts';
import { cleanLine } from './output-text.ts';
import type { ToolDefinition } from './registry.ts';
import { defineTool, failure, success, type Tool } from './tool.ts';

const lineCharacters = 140;

/**
 * Names the tools that the caller may use. One that is looked up by name is among those that its provider is told of from the next
 * step on, see `lookedUpTools`.
 * @param find takes the names that other agents have for a tool, too
 */
export function createListToolsTool(tools: {
  readonly all: () => readonly ToolDefinition[];
  readonly find: (name: string) => string | undefined;
}): Tool {
  return defineTool({
    name: listTools,
    risk: 'read',
    description:
      'Names the tools there are besides those you were told of, with one line each; `query` narrows them. With `tool` it shows the arguments of one, which you can call from your next step on.',
    input: z.object({
      query: z.string().max(200).default('').describe('Words of the name or of what it does'),
      tool: z.string().min(1).max(100).optional(),
    }),
    label: ({ query, tool }) => tool ?? query,
    run: async ({ query, tool }, { rules = {} }) => {
      const usable = tools.all().filter((each) => each.name !== listTools && mayUse(rules, each));
      const names = usable.map(({ name }) => name);
      if (tool === undefined) {
        const words = query.toLowerCase().split(/\s+/).filter(Boolean);
        const isMeant = ({ name, description }: ToolDefinition) =>
          words.length === 0 || words.some((word) => `${name} ${description}`.toLowerCase().includes(word));
        const found = usable.filter(isMeant);
        if (found.length === 0) return success(`(no tool has one of these words)\ntools: ${names.join(', ')}`);
        const lines = found.map(({ name, description }) => `${name}: ${cleanLine(description, lineCharacters)}`);
        return success(lines.join('\n'));
      }
      const shown = usable.find(({ name }) => name === tools.find(tool));
      if (shown !== undefined) {
        const { name, description, inputSchema } = shown;
        return success([shownToolLine(name), description, `arguments: ${JSON.stringify(inputSchema)}`].join('\n'));
      }
      const meant = nearest(tool, names);
      const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
      return failure(`you have no tool ${JSON.stringify(tool)}${hint} Tools: ${names.join(', ')}`);
    },
  });
}
