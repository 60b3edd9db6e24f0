/** Servers of tools and resources for agents (the Model Context Protocol), as users and projects name them in files. */
import { z } from 'zod';

interface Named {
  readonly name: string;
  /** Whose file names it. */
  readonly from: 'user' | 'project';
}

/** A program that is started for each workspace. Its texts may hold `${NAME}`, see {@link expandVariables}. */
export interface LocalMcpServer extends Named {
  readonly kind: 'local';
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** One that is reached by Streamable HTTP. */
export interface RemoteMcpServer extends Named {
  readonly kind: 'remote';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export type McpServer = LocalMcpServer | RemoteMcpServer;

/** What the user has settled for calls of a server's tools. */
export interface McpCallPolicy {
  /** They change nothing: all of them, or those with these names. */
  readonly readOnly: boolean | readonly string[];
  /** A person is asked before each. */
  readonly ask: boolean;
}

/** Of a server that the user's own file does not name. */
export const unknownMcpCalls: McpCallPolicy = { readOnly: false, ask: false };

export const mcpServerName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

const text = z.string('expected a text').max(4_000, 'expected 4000 characters at most');
const words = text.min(1, 'expected a text that is not empty');
const texts = z.record(z.string(), text, 'expected names with texts');

const local = {
  type: z.literal('stdio', 'expected stdio or http').optional(),
  command: words,
  args: z.array(text, 'expected a list of texts').max(100).default([]),
  env: texts.default({}),
  disabled: z.boolean('expected true or false').default(false),
};
const remote = {
  type: z.enum(['http', 'streamable-http'], 'expected stdio or http').optional(),
  url: words.regex(/^(?:https?:\/\/|\$\{)/, 'expected an address that begins with http:// or https://'),
  headers: texts.default({}),
  disabled: z.boolean('expected true or false').default(false),
};
const calls = {
  readOnly: z.union([z.boolean(), z.array(words).max(500)], 'expected true, false or names of tools').default(false),
  ask: z.boolean('expected true or false').default(false),
};
/** What is said of its calls in an entry that was checked. */
export const McpCalls = z.object(calls);

/** One of `mcpServers` in a `.mcp.json`, which other programs write and read, too. */
export const ProjectMcpEntry = { local: z.object(local), remote: z.object(remote) };

/**
 * One of `mcpServers` in the user's own settings:
 *
 * ```yaml
 * mcpServers:
 *   issues:
 *     url: https://issues.example/mcp
 *     headers: { Authorization: "Bearer ${ISSUES_TOKEN}" }
 *     readOnly: [search, get_issue]
 *     ask: true
 * ```
 */
export const UserMcpEntry = {
  local: z.strictObject({ ...local, ...calls }),
  remote: z.strictObject({ ...remote, ...calls }),
};

/**
 * The text with `${NAME}` and `${NAME:-default}` replaced; `used` are the names with the values that were put in, `missing` those that have
 * neither a value nor a default.
 */
export function expandVariables(
  given: string,
  valueOf: (name: string) => string | undefined,
): {
  readonly text: string;
  readonly used: readonly (readonly [name: string, value: string])[];
  readonly missing: readonly string[];
} {
  const used: [string, string][] = [];
  const missing: string[] = [];
  const expanded = given.replace(
    /\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g,
    (place, name: string, otherwise: string | undefined) => {
      const value = valueOf(name);
      if (value !== undefined) {
        used.push([name, value]);
        return value;
      }
      if (otherwise === undefined) missing.push(name);
      return otherwise ?? place;
    },
  );
  return { text: expanded, used, missing };
}

/** The words of a command line as a shell would split them; undefined where only a shell can tell: operators, variables, open quotes. */
export function splitCommand(line: string): readonly string[] | undefined {
  const found: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let index = 0; index < line.length; index++) {
    const character = line[index] ?? '';
    if (quote !== "'" && (character === '$' || character === '`')) return undefined;
    if (character === '\\' && quote !== "'") {
      const next = line[++index];
      if (next === undefined) return undefined;
      // Within double quotes it is itself, except before what it protects.
      word = (word ?? '') + (quote === '"' && !/["\\$`]/.test(next) ? `\\${next}` : next);
    } else if (quote !== '') {
      if (character === quote) quote = '';
      else word = (word ?? '') + character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (/[;&|()<>\n*?~#]/.test(character)) return undefined;
    else if (/\s/.test(character)) {
      if (word !== undefined) found.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  if (quote !== '') return undefined;
  if (word !== undefined) found.push(word);
  return found;
}
