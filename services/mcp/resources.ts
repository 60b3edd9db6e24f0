import { ProtocolError, ResourceNotFoundError, ResourceTemplate } from '@modelcontextprotocol/server';
import type { McpServer } from '@modelcontextprotocol/server';
import { asCodetetherError } from '../../domain/errors.ts';
import { readEvents } from './read-events.ts';
import type { McpServerDeps } from './create-server.ts';

const mimeType = 'application/json';
/** The newest ones; tools read the rest page by page. */
const mostListed = 50;
const mostEvents = 200;
const mostRows = 100;

/** What is listed of a family of resources, the newest first. */
interface Listed {
  readonly id: string;
  readonly about: string;
}

/** The newest runs. */
export async function listedRuns({ client, ready }: McpServerDeps): Promise<readonly Listed[]> {
  await ready;
  const { runs } = await client.listRuns({ limit: mostListed });
  return runs.map(({ runId, status }) => ({ id: runId, about: status }));
}

async function listedSessions({ client, ready }: McpServerDeps): Promise<readonly Listed[]> {
  await ready;
  const { sessions } = await client.listSessions({ limit: mostListed });
  return sessions.map(({ sessionId, title }) => ({ id: sessionId, about: title }));
}

/** Ids that have in them what somebody has begun to write. */
export function completions(listed: readonly Listed[], begun = ''): string[] {
  return listed.map(({ id }) => id).filter((id) => id.includes(begun));
}

/** Runs, their PRDs and events, and sessions and their transcripts, as JSON. */
export function registerResources(server: McpServer, deps: McpServerDeps): void {
  const { client, ready } = deps;
  const add = (
    family: 'runs' | 'sessions',
    end: string,
    { name, title, description }: { readonly name: string; readonly title: string; readonly description: string },
    read: (id: string) => Promise<unknown>,
  ): void => {
    const listed = async () => await (family === 'runs' ? listedRuns(deps) : listedSessions(deps));
    const variable = family === 'runs' ? 'runId' : 'sessionId';
    const list = async () => ({
      resources: (await listed()).map(({ id, about }) => ({
        uri: `codetether://${family}/${encodeURIComponent(id)}${end}`,
        name: `${name} ${id}`,
        description: about,
        mimeType,
      })),
    });
    const complete = { [variable]: async (begun: string) => completions(await listed(), begun) };
    const template = new ResourceTemplate(`codetether://${family}/{${variable}}${end}`, { list, complete });
    server.registerResource(name, template, { title, description, mimeType }, async (uri, variables) => {
      try {
        await ready;
        const text = JSON.stringify(await read(decodeURIComponent(String(variables[variable]))));
        return { contents: [{ uri: uri.href, mimeType, text }] };
      } catch (error) {
        const { code, entry, message } = asCodetetherError(error);
        if (code === 'not-found') throw new ResourceNotFoundError(uri.href, message);
        throw new ProtocolError(entry.jsonrpc, `${message} [${code}]`, { code });
      }
    });
  };

  add('runs', '', { name: 'run', title: 'Run', description: 'One run with its stories.' }, client.getRun);
  const prd = { name: 'prd', title: 'PRD of a run', description: 'As the run follows it now.' };
  add('runs', '/prd', prd, client.getPrd);
  const events = { name: 'events', title: 'Events of a run', description: `The newest ${mostEvents}, in order.` };
  add('runs', '/events', events, async (runId) => {
    const { headSeq } = await client.getRun(runId);
    const page = { afterSeq: Math.max(0, headSeq - mostEvents), limit: mostEvents, headSeq };
    return await readEvents((options) => client.events(runId, options), page);
  });
  add('sessions', '', { name: 'session', title: 'Session', description: 'One session.' }, client.getSession);
  const about = `The newest ${mostRows} rows of a session.`;
  add('sessions', '/transcript', { name: 'transcript', title: 'Transcript', description: about }, async (sessionId) => {
    const { rows } = await client.transcript(sessionId);
    return { rows: rows.slice(-mostRows), rowsInAll: rows.length };
  });
}
