import { z } from 'zod';
import { CodetetherError, exitCodes } from '../../../domain/errors.ts';
import { nearest } from '../../../domain/text/nearest.ts';
import { mcpTools } from '../../../services/mcp/tools.ts';
import { openContext, print, startStack } from '../ralph/context.ts';

export interface CallOptions {
  readonly arguments: string;
}

/** Ctrl-C ends a wait, and prints what is known then. */
export async function call(name: string, options: CallOptions): Promise<number> {
  const tool = mcpTools.find((known) => known.name === name);
  if (tool === undefined) throw unknownTool(name);
  const given = tool.input.safeParse(parseArguments(options.arguments));
  if (!given.success) {
    const problems = given.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new CodetetherError('usage', `${name} does not take that`, { problems });
  }
  const context = openContext();
  await startStack(context, 'apply');
  const { client, stdout, stderr } = context;
  const left = new AbortController();
  process.once('SIGINT', () => left.abort());
  const report = (message: string): void => print(stderr, [message]);
  print(stdout, [JSON.stringify(await tool.run(given.data, { client, signal: left.signal, report }))]);
  return exitCodes.completed;
}

function parseArguments(text: string): unknown {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch (error) {
    throw new CodetetherError('usage', '--arguments is not a JSON object', { cause: error });
  }
}

function unknownTool(name: string): CodetetherError {
  const meant = nearest(
    name,
    mcpTools.map((tool) => tool.name),
  );
  return new CodetetherError(
    'usage',
    `there is no tool ${name}${meant === undefined ? '' : `; did you mean ${meant}?`}`,
    { next: 'See codetether mcp list-tools.' },
  );
}
