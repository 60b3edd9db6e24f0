import type { ToolRisk } from '../../domain/contracts/activities.ts';
import type { MemoryStore } from '../../domain/contracts/store.ts';
import { listTools } from '../../domain/session/listed-tools.ts';
import type { ToolProfile } from '../../domain/session/tool-settings.ts';
import { nearest } from '../../domain/text/nearest.ts';
import type { ToolCatalogue } from '../model/provider-call.ts';
import type { LanguageServers } from '../lsp/language-servers.ts';
import type { McpServers } from '../mcp/mcp-servers.ts';
import type { GuardedFetch } from '../network/guarded-fetch.ts';
import type { WebSearch } from '../network/web-search.ts';
import type { LongLivedProcesses } from '../process/long-lived.ts';
import { createAgentTool } from './agent.ts';
import { createApplyPatchTool } from './apply-patch.ts';
import { createBashTool } from './bash.ts';
import { createBesideAgentTools } from './beside-agents.ts';
import { createContextTools } from './context-tools.ts';
import { createBatchTool } from './batch.ts';
import { createDiffTool } from './diff.ts';
import { createEditTool, createMultiEditTool } from './edit.ts';
import { createExecCommandTool, createWriteStdinTool } from './exec-command.ts';
import { createFileInfoTool } from './fileinfo.ts';
import { createGitTool } from './git.ts';
import { createGlobTool } from './glob.ts';
import { createCodeSearchTool, createGrepTool } from './grep.ts';
import { createHeadTailTool } from './headtail.ts';
import { createGoalTools } from './goal.ts';
import { createListTool } from './list.ts';
import { createListToolsTool } from './list-tools.ts';
import { createLspTool, errorsAfterEdit } from './lsp.ts';
import { createMcpTool } from './mcp.ts';
import { createMemoryTool } from './memory.ts';
import { cleanLine } from './output-text.ts';
import { createPlanTools } from './plan.ts';
import { createPrdTool } from './prd.ts';
import { createQuestionTool } from './question.ts';
import { createRalphTool } from './ralph.ts';
import { createReadTool } from './read.ts';
import type { RunMeans } from './run-means.ts';
import { createSkillTool } from './skill.ts';
import { createTodoReadTool } from './todoread.ts';
import { createTodoWriteTool } from './todowrite.ts';
import {
  failure,
  type Tool,
  type ToolCallDescription,
  type ToolContext,
  type ToolInputSchema,
  type ToolOutcome,
} from './tool.ts';
import { createTreeTool } from './tree.ts';
import type { WebAccess } from './web-access.ts';
import { createWebFetchTool } from './webfetch.ts';
import { createWebSearchTool } from './websearch.ts';
import { createWriteTool } from './write.ts';

/** A tool as the model is told about it. */
export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  /** JSON schema of an object. */
  readonly inputSchema: ToolInputSchema;
  /** The most that a call can do. */
  readonly risk: ToolRisk;
}

export interface ToolRegistry {
  /** In a fixed order, so that a provider's prompt cache holds. */
  readonly definitions: (profile: ToolProfile) => readonly ToolDefinition[];
  /** A name that no tool has is an outcome too: it tells the names there are. */
  readonly call: (name: string, rawArguments: unknown, context: ToolContext) => Promise<ToolOutcome>;
  /**
   * Risk and label (one line, at most 100 characters) of a call before it runs, and whether a person is to be asked. Never
   * throws. An unknown tool has the risk `read`: calling it does nothing.
   */
  readonly describe: (name: string, rawArguments: unknown) => ToolCallDescription;
}

const leanTools: ReadonlySet<string> = new Set([
  'read',
  'write',
  'edit',
  'multiedit',
  'bash',
  'glob',
  'grep',
  'list',
  'todowrite',
  'skill',
  'session_recall',
  'context_browse',
  listTools,
]);

/** Names that other agents have for the same tools. */
const aliases: Readonly<Record<string, string>> = {
  patch: 'apply_patch',
  file_info: 'fileinfo',
  head_tail: 'headtail',
  mcp_bridge: 'mcp',
  todo_read: 'todoread',
  todo_write: 'todowrite',
  send_input: 'send_message',
  resume_agent: 'followup_task',
  close_agent: 'interrupt_agent',
};

/** The tools that need nothing but the workspace, in the order in which they are told. */
function workspaceTools(): readonly Tool[] {
  return [
    createReadTool(),
    createWriteTool(),
    createEditTool(),
    createMultiEditTool(),
    createApplyPatchTool(),
    createBashTool(),
    createGlobTool(),
    createGrepTool(),
    createCodeSearchTool(),
    createListTool(),
    createTreeTool(),
    createFileInfoTool(),
    createHeadTailTool(),
    createDiffTool(),
    createGitTool(),
    createTodoWriteTool(),
    createTodoReadTool(),
    createSkillTool(),
    createAgentTool(),
    ...createBesideAgentTools(),
    createQuestionTool(),
    ...createPlanTools(),
    ...createGoalTools(),
    ...createContextTools(),
  ];
}

export interface WebMeans {
  readonly fetch: GuardedFetch;
  readonly access: WebAccess;
  readonly search: WebSearch | undefined;
}

/** What tools need besides the workspace. A tool whose means are missing is not there. */
export interface ToolMeans {
  readonly processes?: LongLivedProcesses | undefined;
  readonly memories?: MemoryStore | undefined;
  readonly languageServers?: LanguageServers | undefined;
  readonly web?: WebMeans | undefined;
  readonly mcp?: McpServers | undefined;
  readonly runs?: RunMeans | undefined;
}

function toolsOf({ processes, memories, languageServers, web, mcp, runs }: ToolMeans): readonly Tool[] {
  return [
    ...workspaceTools(),
    ...(processes === undefined ? [] : [createExecCommandTool(processes), createWriteStdinTool(processes)]),
    ...(memories === undefined ? [] : [createMemoryTool(memories)]),
    ...(languageServers === undefined ? [] : [createLspTool(languageServers)]),
    ...(web === undefined ? [] : [createWebFetchTool(web)]),
    ...(web?.search === undefined ? [] : [createWebSearchTool({ search: web.search, access: web.access })]),
    ...(mcp === undefined ? [] : [createMcpTool(mcp)]),
    ...(runs === undefined ? [] : [createPrdTool(runs), createRalphTool(runs)]),
  ];
}

export function createToolRegistry(means: ToolMeans = {}): ToolRegistry {
  const byName = new Map(toolsOf(means).map((tool) => [tool.name, tool]));
  const find = (name: string): Tool | undefined =>
    byName.get(name) ?? (Object.hasOwn(aliases, name) ? byName.get(aliases[name] ?? '') : undefined);
  const registry: ToolRegistry = {
    definitions: (profile) =>
      [...byName.values()]
        .filter(({ name }) => (profile === 'full' ? name !== listTools : leanTools.has(name)))
        .map(({ name, description, inputSchema, risk }) => ({ name, description, inputSchema, risk })),
    call: async (name, rawArguments, context) => {
      const tool = find(name);
      if (tool === undefined) return unknownTool(name, [...byName.keys()]);
      const outcome = await tool.call(rawArguments, context);
      const { changedFiles = [] } = outcome;
      const { languageServers } = means;
      // A batch holds what its calls were told.
      if (languageServers === undefined || changedFiles.length === 0 || tool === batch) return outcome;
      return {
        ...outcome,
        output: `${outcome.output}${await errorsAfterEdit(languageServers, changedFiles, context)}`,
      };
    },
    describe: (name, rawArguments) =>
      find(name)?.describe(rawArguments) ?? { risk: 'read', label: cleanLine(`${name} (no such tool)`, 100) },
  };
  const batch = createBatchTool({
    describe: registry.describe,
    call: async (name, rawArguments, context) =>
      find(name)?.isAlone === true
        ? failure(`${name} is a call of its own, not one of a batch`)
        : await registry.call(name, rawArguments, context),
  });
  byName.set(batch.name, batch);
  const all = () => registry.definitions('full');
  byName.set(listTools, createListToolsTool({ all, find: (name) => find(name)?.name }));
  return registry;
}

/** What the model activity has to know of the tools. @param profile absent: `lean` for stories, `full` for sessions */
export function toolCatalogue(registry: ToolRegistry, profile: ToolProfile | undefined): ToolCatalogue {
  return {
    // A run starts no runs; an agent that finds it all the same is refused.
    get definitions() {
      return registry.definitions(profile ?? 'lean').filter(({ name }) => name !== 'ralph');
    },
    get sessionDefinitions() {
      return registry.definitions(profile ?? 'full');
    },
    get allDefinitions() {
      return registry.definitions('full');
    },
    describe: registry.describe,
  };
}

function unknownTool(name: string, names: readonly string[]): ToolOutcome {
  const meant = nearest(name, names) ?? names.find((known) => name.toLowerCase().includes(known));
  const hint = meant === undefined ? '.' : `; did you mean ${meant}?`;
  return failure(`there is no tool ${JSON.stringify(name.slice(0, 100))}${hint} Tools: ${names.join(', ')}`);
}
