import { Command } from 'commander';
import { shortExitCodes, withHelpEnd } from './ralph/options.ts';
import type { CallOptions } from './mcp/call.ts';

const more = 'docs/mcp.md';

/** `codetether mcp`: the whole engine as tools of the Model Context Protocol. */
export function command(): Command {
  const mcp = new Command('mcp')
    .summary('serve runs, sessions and files to editors and other agents')
    .description(
      'Serves the Model Context Protocol (MCP): tools, resources and prompts for runs, sessions, approvals and files. codetether serve offers the same over HTTP, at /mcp.',
    )
    .helpCommand(false)
    .addCommand(serveCommand())
    .addCommand(listToolsCommand())
    .addCommand(callCommand());
  return withHelpEnd(mcp, {
    examples: [
      ['codetether mcp serve', 'for the configuration of an editor'],
      ['codetether mcp list-tools', 'what there is'],
    ],
    exitCodes: shortExitCodes,
    more,
  });
}

function serveCommand(): Command {
  const serve = new Command('serve')
    .summary('serve MCP over stdin and stdout')
    .description(
      'Speaks MCP over stdin and stdout until stdin ends; the local stack is started where it does not run. With CODETETHER_SERVER and CODETETHER_TOKEN it works with that server. What was started goes on when this process ends.',
    );
  return withHelpEnd(serve, {
    examples: [['claude mcp add codetether -- codetether mcp serve', 'in an agent that speaks MCP']],
    exitCodes: shortExitCodes,
    more,
  }).action(async () => {
    process.exitCode = await (await import('./mcp/serve.ts')).serve();
  });
}

function listToolsCommand(): Command {
  const list = new Command('list-tools')
    .summary('list the tools')
    .description('Lists name, permission and title of each tool; off a terminal as tab-separated values.')
    .option('--json', 'as one JSON object, with the schemas');
  return withHelpEnd(list, {
    examples: [['codetether mcp list-tools --json', 'with what each takes and gives']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (options: { readonly json?: boolean }) => {
    process.exitCode = await (await import('./mcp/list-tools.ts')).listTools(options);
  });
}

function callCommand(): Command {
  const call = new Command('call')
    .summary('call one tool')
    .description('Prints what the tool answers as JSON; progress goes to stderr.')
    .argument('<tool>', 'its name')
    .option('--arguments <json>', 'what it takes, as one JSON object', '{}');
  return withHelpEnd(call, {
    examples: [['codetether mcp call get_run --arguments \'{"runId":"due-dates"}\'', 'one run']],
    exitCodes: shortExitCodes,
    more,
  }).action(async (tool: string, options: CallOptions) => {
    process.exitCode = await (await import('./mcp/call.ts')).call(tool, options);
  });
}
