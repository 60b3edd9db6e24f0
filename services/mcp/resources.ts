import { ProtocolError, ResourceNotFoundError, ResourceTemplate } from '@modelcontextprotocol/server';
import type { McpServer, Variables } from '@modelcontextprotocol/server';
import { asCodetetherError } from '../../domain/errors.ts';
import { readEvents } from './read-events.ts';
import type { McpServerDeps } from './create-server.ts';

const mimeType = 'application/json';
const mostListed = 50;
/** The newest ones; tools read the rest page by page. */
const mostEvents = 200;
const mostRows = 100;

/** Runs, their PRDs and events, and sessions and their transcripts, as JSON. */
export function registerResources(server: McpServer, { client, ready }: McpServerDeps): void {
  const listRuns = async () => {
    await ready;
    return (await client.listRuns({ limit: mostListed })).runs;
  };
  const listSessions = async () => {
    await ready;
    return (await client.listSessions({ limit: mostListed })).sessions;
  };
  const runIds = async (begun: string) =>
    (await listRuns()).map(({ runId }) => runId).filter((runId) => runId.includes(begun));
  const sessionIds = async (begun: string) =>
    (await listSessions()).map(({ sessionId }) => sessionId).filter((sessionId) => sessionId.includes(begun));
  const json = async (uri: URL, read: () => Promise<unknown>) => {
    try {
      await ready;
      return { contents: [{ uri: uri.href, mimeType, text: JSON.stringify(await read()) }] };
    } catch (error) {
      const { code, entry, message } = asCodetetherError(error);
      if (code === 'not-found') throw new ResourceNotFoundError(uri.href, message);
      throw new ProtocolError(entry.jsonrpc, `${message} [${code}]`, { code });
    }
  };
  const run = (
    name: string,
    end: string,
    { title, description }: { readonly title: string; readonly description: string },
    read: (runId: string) => Promise<unknown>,
  ) => {
    const list = async () => ({
      resources: (await listRuns()).map(({ runId, status }) => ({
        uri: `codetether://runs/${encodeURIComponent(runId)}${end}`,
        name: `${name} ${runId}`,
        description: status,
        mimeType,
      })),
    });
    const template = new ResourceTemplate(`codetether://runs/{runId}${end}`, { list, complete: { runId: runIds } });
    server.registerResource(name, template, { title, description, mimeType }, async (uri, variables) =>
      json(uri, async () => await read(textOf(variables, 'runId'))),
    );
  };
  const session = (
    name: string,
    end: string,
    { title, description }: { readonly title: string; readonly description: string },
    read: (sessionId: string) => Promise<unknown>,
  ) => {
    const list = async () => ({
      resources: (await listSessions()).map(({ sessionId, title: about }) => ({
        uri: `codetether://sessions/${encodeURIComponent(sessionId)}${end}`,
        name: `${name} ${sessionId}`,
        description: about,
        mimeType,
      })),
    });
    const uri = `codetether://sessions/{sessionId}${end}`;
    const template = new ResourceTemplate(uri, { list, complete: { sessionId: sessionIds } });
    server.registerResource(name, template, { title, description, mimeType }, async (address, variables) =>
      json(address, async () => await read(textOf(variables, 'sessionId'))),
    );
  };

  run('run', '', { title: 'Run', description: 'One run with its stories.' }, client.getRun);
  run('prd', '/prd', { title: 'PRD of a run', description: 'As the run follows it now.' }, client.getPrd);
  const eventsAbout = { title: 'Events of a run', description: `The newest ${mostEvents}, in order.` };
  run('events', '/events', eventsAbout, async (runId) => {
    const { headSeq } = await client.getRun(runId);
    const page = { afterSeq: Math.max(0, headSeq - mostEvents), limit: mostEvents, headSeq };
    return await readEvents((options) => client.events(runId, options), page);
  });
  session('session', '', { title: 'Session', description: 'One session.' }, client.getSession);
  const transcriptAbout = { title: 'Transcript', description: `The newest ${mostRows} rows of a session.` };
  session('transcript', '/transcript', transcriptAbout, async (sessionId) => {
    const { rows } = await client.transcript(sessionId);
    return { rows: rows.slice(-mostRows), rowsInAll: rows.length };
  });
}

function textOf(variables: Variables, name: string): string {
  return decodeURIComponent(String(variables[name]));
}
