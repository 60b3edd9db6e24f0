import { z } from 'zod';
import { WorkspaceListView } from '../../domain/contracts/access-api.ts';
import {
  AnswerApprovalRequest,
  ApprovalListView,
  ApprovalView,
  CleanupQuery,
  CleanupView,
  HostListView,
  ReadyView,
} from '../../domain/contracts/api.ts';
import {
  FileListView,
  FileSearchView,
  FileView,
  ListFilesQuery,
  ReadFileQuery,
  SearchFilesQuery,
} from '../../domain/contracts/files-api.ts';
import { StatsQuery, StatsView } from '../../domain/contracts/stats.ts';
import { mcpTool } from './tool.ts';
import type { McpTool } from './tool.ts';

const WorkspaceInput = z.strictObject({
  workspace: z.string().min(1).max(100).describe('Name of a workspace, see list_workspaces'),
});
const wholeNumber = z.number().int().positive();

const approvals = mcpTool({
  name: 'list_approvals',
  title: 'List open questions',
  description: 'What runs and sessions ask people now, oldest first.',
  input: z.strictObject({}),
  output: ApprovalListView,
  effect: 'read',
  permission: 'approvals:read',
  run: async (_, { client }) => await client.listApprovals(),
});

const answer = mcpTool({
  name: 'answer_approval',
  title: 'Answer a question',
  description:
    'Answers what a run or an agent asks a person. Only do so when a person has decided: choice is one of its choices, or any text where it has none.',
  input: AnswerApprovalRequest.extend({ id: z.string().min(1).max(300).describe('Id of the approval') }),
  output: ApprovalView,
  effect: 'work',
  permission: 'approvals:answer',
  run: async ({ id, ...given }, { client }) => await client.answerApproval(id, given),
});

const stats = mcpTool({
  name: 'get_stats',
  title: 'What models, tools and files came to',
  description: 'Tokens, cost and requests by model, tool calls and changed files, over many runs and sessions.',
  input: StatsQuery.extend({
    folder: z.array(z.string().min(1).max(4_000)).max(10).optional().describe('Only work in these folders; absolute'),
    limit: wholeNumber.max(500).default(20).describe('Of each list'),
  }),
  output: StatsView,
  effect: 'read',
  permission: 'runs:read',
  run: async ({ folder = [], ...query }, { client }) => await client.stats({ ...query, folder }),
});

const hosts = mcpTool({
  name: 'list_hosts',
  title: 'List hosts',
  description: 'The machines that work on runs: whether they are alive, their slots, their leases.',
  input: z.strictObject({}),
  output: HostListView,
  effect: 'read',
  permission: 'hosts:read',
  run: async (_, { client }) => await client.hosts(),
});

const ready = mcpTool({
  name: 'get_readiness',
  title: 'Is everything there?',
  description: 'Whether database, engine and a worker answer.',
  input: z.strictObject({}),
  output: ReadyView,
  effect: 'read',
  permission: null,
  run: async (_, { client }) => await client.ready(),
});

const leftovers = mcpTool({
  name: 'list_leftovers',
  title: 'What runs have left behind',
  description: 'Worktrees, branches and build folders of runs that are over, on hosts that are there. Removes nothing.',
  input: z.strictObject({ what: CleanupQuery.shape.what.unwrap().optional() }),
  output: CleanupView,
  effect: 'read',
  permission: 'hosts:read',
  run: async ({ what }, { client }) => await client.cleanUp(false, what === undefined ? {} : { what }),
});

const workspaces = mcpTool({
  name: 'list_workspaces',
  title: 'List workspaces',
  description: 'The folders in which those who ask from elsewhere may have work done.',
  input: z.strictObject({}),
  output: WorkspaceListView,
  effect: 'read',
  permission: 'workspaces:read',
  run: async (_, { client }) => await client.listWorkspaces(),
});

const listFiles = mcpTool({
  name: 'list_files',
  title: 'List a folder',
  description: 'What a folder of a workspace holds.',
  input: WorkspaceInput.extend(ListFilesQuery.shape),
  output: FileListView,
  effect: 'read',
  permission: 'files:read',
  run: async ({ workspace, ...query }, { client }) => await client.listFiles(workspace, query),
});

const readFile = mcpTool({
  name: 'read_file',
  title: 'Read a file',
  description: 'Lines of a text file of a workspace; go on at next.',
  input: WorkspaceInput.extend({
    path: ReadFileQuery.shape.path,
    fromLine: wholeNumber.default(1),
    lines: wholeNumber.max(10_000).default(1_000),
  }),
  output: FileView,
  effect: 'read',
  permission: 'files:read',
  run: async ({ workspace, ...query }, { client }) => await client.readFile(workspace, query),
});

const searchFiles = mcpTool({
  name: 'search_files',
  title: 'Search files',
  description: 'Lines that match, in files of a workspace that git does not ignore.',
  input: WorkspaceInput.extend({
    pattern: SearchFilesQuery.shape.pattern,
    path: SearchFilesQuery.shape.path,
    regex: z.boolean().default(false).describe('The pattern is a JavaScript regular expression'),
    limit: wholeNumber.max(500).default(100),
  }),
  output: FileSearchView,
  effect: 'read',
  permission: 'files:read',
  run: async ({ workspace, ...query }, { client }) => await client.searchFiles(workspace, query),
});

export const systemTools: readonly McpTool[] = [
  approvals,
  answer,
  stats,
  hosts,
  ready,
  leftovers,
  workspaces,
  listFiles,
  readFile,
  searchFiles,
];
