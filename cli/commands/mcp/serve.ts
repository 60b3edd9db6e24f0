import { once } from 'node:events';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { exitCodes } from '../../../domain/errors.ts';
import { createMcpServer } from '../../../services/mcp/create-server.ts';
import { packageVersion } from '../../../services/config/version.ts';
import { openContext, startStack } from '../ralph/context.ts';

/** Answers at once, also while the stack is still starting: the first call waits for it. Ends with its stdin. */
export async function serve(): Promise<number> {
  const context = openContext();
  const { client, stdin, stderr } = context;
  const closing = new AbortController();
  const ready = startStack(context, 'apply');
  // Told to whoever calls.
  ready.catch(() => undefined);
  const version = packageVersion();
  const ended = once(stdin, 'close');
  const handle = serveStdio(() => createMcpServer({ client, version, closing: closing.signal, ready }), {
    onerror: (error) => stderr.write(`${error.message}\n`),
  });
  await ended;
  closing.abort();
  await handle.close();
  return exitCodes.completed;
}
