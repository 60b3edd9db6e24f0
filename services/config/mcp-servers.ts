import { readFileSync } from 'node:fs';
import { z } from 'zod';
import {
  McpCalls,
  ProjectMcpEntry,
  UserMcpEntry,
  mcpServerName,
  unknownMcpCalls,
} from '../../domain/session/mcp-servers.ts';
import type { McpCallPolicy, McpServer } from '../../domain/session/mcp-servers.ts';
import { openYaml, wrong } from './parse-yaml.ts';

interface Entry {
  readonly server: McpServer;
  readonly calls: McpCallPolicy;
}

const Named = z.looseObject({ mcpServers: z.record(z.string(), z.unknown(), 'expected servers by name').default({}) });
const maxServers = 100;

/** The servers that a file names, without those that cannot be used: each is a problem. YAML, or JSON, which is YAML. */
export function readMcpServers(
  text: string,
  file: { readonly path: string; readonly from: McpServer['from'] },
): { readonly servers: readonly McpServer[]; readonly problems: readonly string[] } {
  const { entries, problems } = readEntries(text, file);
  return { servers: entries.map(({ server }) => server), problems };
}

/**
 * What the user has settled for calls of a server, by its name, as the file says it now. Never throws: where the file cannot be read, a
 * person is asked.
 */
export function createMcpCallPolicies(configFile: string): (server: string) => McpCallPolicy {
  return (server) => {
    let text: string;
    try {
      text = readFileSync(configFile, 'utf8');
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      return isMissing ? unknownMcpCalls : { readOnly: false, ask: true };
    }
    const { entries, problems } = readEntries(text, { path: configFile, from: 'user' });
    const found = entries.find((entry) => entry.server.name === server);
    return found?.calls ?? (problems.length === 0 ? unknownMcpCalls : { readOnly: false, ask: true });
  };
}

function readEntries(
  text: string,
  { path, from }: { readonly path: string; readonly from: McpServer['from'] },
): { readonly entries: readonly Entry[]; readonly problems: readonly string[] } {
  const yaml = openYaml(text, { path, firstLine: 1 });
  if (yaml.kind === 'invalid') return { entries: [], problems: yaml.problems };
  const named = yaml.check(Named);
  if (named.kind === 'invalid') return { entries: [], problems: named.problems };
  const given = Object.entries(named.value.mcpServers);
  const entries: Entry[] = [];
  const problems = given.length > maxServers ? [`${path}: more than ${maxServers} servers; the rest is left out`] : [];
  for (const [name, value] of given.slice(0, maxServers)) {
    if (!mcpServerName.test(name)) {
      const expected = 'expected letters, digits, dot, dash and underscore, 64 at most';
      problems.push(...wrong(path, 1, `mcpServers.${name.slice(0, 100)}: ${expected}`).problems);
      continue;
    }
    const isRemote = typeof value === 'object' && value !== null && 'url' in value;
    const within = <T>(entry: z.ZodType<T>) => z.looseObject({ mcpServers: z.looseObject({ [name]: entry }) });
    const read = <T>(entry: z.ZodType<T>): T | undefined => {
      const parsed = yaml.check(within(entry));
      if (parsed.kind === 'invalid') problems.push(...parsed.problems);
      return parsed.kind === 'invalid' ? undefined : entry.parse(value);
    };
    const schemas = from === 'user' ? UserMcpEntry : ProjectMcpEntry;
    const entry = isRemote ? read(schemas.remote) : read(schemas.local);
    if (entry === undefined || entry.disabled) continue;
    const server: McpServer =
      'url' in entry
        ? { kind: 'remote', name, from, url: entry.url, headers: entry.headers }
        : { kind: 'local', name, from, command: entry.command, args: entry.args, env: entry.env };
    entries.push({ server, calls: from === 'user' ? McpCalls.parse(value) : unknownMcpCalls });
  }
  return { entries, problems };
}
