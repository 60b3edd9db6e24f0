import type { ToolCallRef, ToolRisk } from '../../domain/contracts/activities.ts';
import { askAbout } from '../../domain/run/risk.ts';
import { nearest } from '../../domain/text/nearest.ts';
import { createBashTool } from './bash.ts';
import { createEditTool } from './edit.ts';
import { createGlobTool } from './glob.ts';
import { createGrepTool } from './grep.ts';
import { createListTool } from './list.ts';
import { cleanLine } from './output-text.ts';
import { createReadTool } from './read.ts';
import { createSkillTool } from './skill.ts';
import { createTodoWriteTool } from './todowrite.ts';
import { failure, type Tool, type ToolContext, type ToolInputSchema, type ToolOutcome } from './tool.ts';
import { createWriteTool } from './write.ts';

/** A tool as the model is told about it. */
export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  /** JSON schema of an object. */
  readonly inputSchema: ToolInputSchema;
  readonly risk: ToolRisk;
}

export interface ToolRegistry {
  /** A name that no tool has is an outcome too: it tells the names there are. */
  readonly call: (name: string, rawArguments: unknown, context: ToolContext) => Promise<ToolOutcome>;
  /** Never throws. An unknown tool has the risk `read`: calling it does nothing. */
  readonly describe: typeof describeToolCall;
}

const tools: readonly Tool[] = [
  createReadTool(),
  createWriteTool(),
  createEditTool(),
  createBashTool(),
  createGlobTool(),
  createGrepTool(),
  createListTool(),
  createTodoWriteTool(),
  createSkillTool(),
];

const byName = new Map(tools.map((tool) => [tool.name, tool]));

/** What every model call offers, in a fixed order, so that a provider's prompt cache holds. */
export const toolDefinitions: readonly ToolDefinition[] = tools.map(({ name, description, inputSchema, risk }) => ({
  name,
  description,
  inputSchema,
  risk,
}));

/** Risk and label (one line, at most 100 characters) of a call before it runs, and whether a person is to be asked. Never throws. */
export function describeToolCall(name: string, rawArguments: unknown): Pick<ToolCallRef, 'risk' | 'label' | 'ask'> {
  const tool = byName.get(name);
  if (tool === undefined) return { risk: 'read', label: cleanLine(`${name} (no such tool)`, 100) };
  const ask = name === 'bash' ? askAbout(commandOf(rawArguments)) : undefined;
  return { risk: tool.risk, label: tool.label(rawArguments), ...(ask === undefined ? {} : { ask }) };
}

function commandOf(rawArguments: unknown): string {
  const isObject = typeof rawArguments === 'object' && rawArguments !== null;
  return isObject && 'command' in rawArguments ? String(rawArguments.command) : '';
}

export function createToolRegistry(): ToolRegistry {
  return {
    call: async (name, rawArguments, context) => {
      const tool = byName.get(name);
      if (tool !== undefined) return tool.call(rawArguments, context);
      const names = [...byName.keys()];
      const meant = nearest(name, names) ?? names.find((known) => name.toLowerCase().includes(known));
      const hint = meant === undefined ? '.' : `; did you mean ${meant}?`;
      return failure(`there is no tool ${JSON.stringify(name.slice(0, 100))}${hint} Tools: ${names.join(', ')}`);
    },
    describe: describeToolCall,
  };
}
