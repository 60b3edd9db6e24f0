import { prdTools } from './prd-tools.ts';
import { runTools } from './run-tools.ts';
import { sessionTools } from './session-tools.ts';
import { systemTools } from './system-tools.ts';
import type { McpTool } from './tool.ts';

/** All tools of the MCP server. Names are wire format. */
export const mcpTools: readonly McpTool[] = [...runTools, ...prdTools, ...sessionTools, ...systemTools];
