import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { yaml } from '../../activities/yaml.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { defaultModelTimeouts } from '../../domain/model/timeouts.ts';
import { bytesOf } from '../../domain/text/bytes.ts';
import { searchProviders, toolProfiles, webAccessPolicies } from '../../domain/session/tool-settings.ts';
import { areSecretKeys } from './key-ring.ts';
import { processEnvironment, variable } from './environment.ts';
import type { Environment } from './environment.ts';
import { apiSocketPath, locate } from './paths.ts';
import { Secret } from './secret.ts';

const text = z.string('expected a text').min(1, 'expected a text that is not empty');
const folder = text;
const secret = text.transform((value) => new Secret(value));
const port = z.coerce
  .number('expected a port number, 1 to 65535')
  .int('expected a whole port number, 1 to 65535')
  .min(1, 'expected a port number, 1 to 65535')
  .max(65_535, 'expected a port number, 1 to 65535');
const webAddress = z.url({ protocol: /^https?$/, error: 'expected an address that begins with http:// or https://' });
const hostAndPort = text.regex(/^[^\s/:]+:\d{1,5}$/, 'expected host:port');
const databaseAddress = text
  .regex(/^postgres(?:ql)?:\/\//, 'expected an address that begins with postgresql://')
  .transform((value) => new Secret(value));
const count = z.coerce
  .number('expected a whole number, 1 to 1024')
  .int('expected a whole number, 1 to 1024')
  .min(1, 'expected a whole number, 1 to 1024')
  .max(1024, 'expected a whole number, 1 to 1024');
const limit = (most: number) => {
  const expected = `expected a whole number, 1 to ${most}`;
  return z.coerce.number(expected).int(expected).min(1, expected).max(most, expected);
};
const seconds = (most: number) => {
  const expected = `expected a number of seconds, 1 to ${most}`;
  return z.coerce.number(expected).int(expected).min(1, expected).max(most, expected);
};
const modelNames = text
  .transform((value) => value.split(',').map((name) => name.trim().toLowerCase()))
  .pipe(
    z.array(z.string().regex(/^[a-z-]+\/[^\s*]*\*?$/, 'expected provider/model or provider/*, separated by commas')),
  );
const hostNames = text
  .transform((value) => value.split(',').map((name) => name.trim().toLowerCase()))
  .pipe(z.array(z.string().regex(/^(?:\*\.)?[\w.-]+$/, 'expected names of hosts, separated by commas')));
const secretKeyList = text
  .refine(areSecretKeys, 'expected keys of 32 bytes in base64, separated by commas')
  .transform((value) => new Secret(value));
const receivers = text
  .transform((value) => value.split(',').map((name) => name.trim().toLowerCase()))
  .pipe(
    z.array(
      z
        .string()
        .regex(/^(?:[\w.-]+|\[[\da-f:]+\]):(?:\d{1,5}|\*)$/, 'expected host:port or host:*, separated by commas'),
    ),
  );

/** `5g`, `500m`, or a number of bytes. */
const diskSize = z
  .union([z.string(), z.number()], 'expected a size: 5g or 500m')
  .transform((value) => bytesOf(String(value)))
  .refine((bytes) => bytes !== null, 'expected a size: 5g or 500m')
  .transform((bytes) => bytes ?? 0);

/** Every setting of codetether. The message of each check is what is expected of the value. */
const Config = z.strictObject({
  dataDir: folder,
  cacheDir: folder,
  /** The Unix socket of the API. */
  apiSocket: text,
  /** Set: no embedded PostgreSQL is started. */
  databaseUrl: databaseAddress.optional(),
  /** As the owner of the tables, for migrations; default: as `databaseUrl`, whose role owns them then. */
  databaseOwnerUrl: databaseAddress.optional(),
  /** Set: no embedded Temporal is started. */
  temporalAddress: hostAndPort.optional(),
  temporalNamespace: text.default('default'),
  temporalUiUrl: webAddress.optional(),
  /** A `temporal` program to use instead of looking for one. */
  temporalCli: text.optional(),
  postgresPort: port.optional(),
  temporalPort: port.optional(),
  temporalUiPort: port.optional(),
  /** Tool calls and gates that this host runs at the same time. */
  workerSlots: count.default(8),
  /** What the worktrees of one run may take on disk, in bytes. */
  maxDisk: diskSize.default(50e9),
  /** Which tools agents are told of; default: `lean` in stories, `full` in sessions. */
  toolProfile: z.enum(toolProfiles, `expected ${toolProfiles.join(' or ')}`).optional(),
  /** `off`: agents have no web tools; `ask`: a person is asked about each address whose host `webHosts` does not name. */
  webAccess: z.enum(webAccessPolicies, `expected ${webAccessPolicies.join(', ')}`).default('ask'),
  /** Hosts that agents may ask, separated by commas; `*.example.com` stands for all below `example.com`. */
  webHosts: hostNames.default([]),
  /** Set: agents can search the web. */
  searchProvider: z.enum(searchProviders, `expected ${searchProviders.join(' or ')}`).optional(),
  searchUrl: webAddress.optional(),
  searchApiKey: secret.optional(),
  /** By which others reach `codetether serve`, where that is not the address it listens at. */
  publicUrl: webAddress.optional(),
  /** The same for its gRPC, which has a port of its own. */
  publicGrpc: hostAndPort.optional(),
  /** OpenID Connect issuer whose access tokens the API takes, as the tokens name it. */
  oidcIssuer: webAddress.optional(),
  /** What those tokens name as their audience. */
  oidcAudience: text.optional(),
  /** Claim that names the tenant; default: everybody is of the local stack's. */
  oidcTenantClaim: text.optional(),
  /** What one credential may ask of one process that serves, on average; ten seconds' worth of it at once. */
  requestsPerSecond: limit(100_000).default(100),
  /** Event streams that one credential may have open at one process. */
  maxStreams: limit(100_000).default(500),
  /** What one principal's chat completions may cost in a day (UTC), in US dollars; default: no cap. */
  maxChatCostUsd: z.coerce
    .number('expected US dollars, more than 0')
    .positive('expected US dollars, more than 0')
    .optional(),
  /** A process that serves an address and is told to end is not ready for so long before it ends. */
  drainSecs: z.coerce
    .number('expected a number of seconds, 0 to 60')
    .min(0, 'expected a number of seconds, 0 to 60')
    .max(60, 'expected a number of seconds, 0 to 60')
    .default(1),
  /** Encrypt what has to be known in clear: the first does, all decrypt. Default: the local stack's own. */
  secretKeys: secretKeyList.optional(),
  /** Receivers of push notifications on this machine or its network, or over http; `host:*` stands for any port. */
  pushHosts: receivers.default([]),
  /** What the official kits take for a long while, in seconds; for `serve --conformance`. */
  tckStreamingTimeout: seconds(600).default(2),
  /** `provider/model[:effort]` of runs that name none. */
  defaultModel: text.optional(),
  /** Models that cannot be given tools: they are told of them in the system prompt, and call them in their answers' texts. */
  textToolModels: modelNames.default([]),
  /** Longest time of one model call, in seconds. */
  stepTimeoutSecs: seconds(3600).default(defaultModelTimeouts.stepTimeoutMs / 1000),
  /** A provider that sends nothing for so many seconds is hung up on; five times that with `:high` and `:max`. */
  streamIdleTimeoutSecs: seconds(3600).default(defaultModelTimeouts.idleTimeoutMs / 1000),
  /** Read with each message, see `extensions.ts`: changing it needs no restart. */
  hooks: z.unknown().optional(),
  /** The same. */
  mcpServers: z.unknown().optional(),
  anthropicApiKey: secret.optional(),
  anthropicBaseUrl: webAddress.optional(),
  openaiApiKey: secret.optional(),
  openaiBaseUrl: webAddress.optional(),
  googleApiKey: secret.optional(),
  googleBaseUrl: webAddress.optional(),
  openaiCompatibleBaseUrl: webAddress.optional(),
  openaiCompatibleApiKey: secret.optional(),
});
export type Config = Readonly<z.output<typeof Config>>;
type Key = keyof Config;

/** Where each setting comes from besides the file; the first variable that is set wins. */
const variables: { readonly [key in Key]: readonly string[] } = {
  dataDir: ['CODETETHER_DATA_DIR'],
  cacheDir: [],
  apiSocket: ['CODETETHER_API_SOCKET'],
  databaseUrl: ['DATABASE_URL'],
  databaseOwnerUrl: ['DATABASE_OWNER_URL'],
  temporalAddress: ['TEMPORAL_ADDRESS'],
  temporalNamespace: ['TEMPORAL_NAMESPACE'],
  temporalUiUrl: ['CODETETHER_TEMPORAL_UI_URL'],
  temporalCli: ['CODETETHER_TEMPORAL_CLI'],
  postgresPort: ['CODETETHER_POSTGRES_PORT'],
  temporalPort: ['CODETETHER_TEMPORAL_PORT'],
  temporalUiPort: ['CODETETHER_TEMPORAL_UI_PORT'],
  workerSlots: ['CODETETHER_WORKER_SLOTS'],
  maxDisk: ['CODETETHER_MAX_DISK'],
  toolProfile: ['CODETETHER_TOOL_PROFILE'],
  webAccess: ['CODETETHER_WEB_ACCESS'],
  webHosts: ['CODETETHER_WEB_HOSTS'],
  searchProvider: ['CODETETHER_SEARCH_PROVIDER'],
  searchUrl: ['CODETETHER_SEARCH_URL'],
  searchApiKey: ['CODETETHER_SEARCH_API_KEY'],
  publicUrl: ['CODETETHER_PUBLIC_URL'],
  publicGrpc: ['CODETETHER_PUBLIC_GRPC'],
  oidcIssuer: ['CODETETHER_OIDC_ISSUER'],
  oidcAudience: ['CODETETHER_OIDC_AUDIENCE'],
  oidcTenantClaim: ['CODETETHER_OIDC_TENANT_CLAIM'],
  requestsPerSecond: ['CODETETHER_REQUESTS_PER_SECOND'],
  maxStreams: ['CODETETHER_MAX_STREAMS'],
  maxChatCostUsd: ['CODETETHER_MAX_CHAT_COST_USD'],
  drainSecs: ['CODETETHER_DRAIN_SECS'],
  secretKeys: ['CODETETHER_SECRET_KEYS'],
  pushHosts: ['CODETETHER_PUSH_HOSTS'],
  tckStreamingTimeout: ['TCK_STREAMING_TIMEOUT'],
  defaultModel: ['CODETETHER_DEFAULT_MODEL'],
  textToolModels: ['CODETETHER_TEXT_TOOL_MODELS'],
  stepTimeoutSecs: ['CODETETHER_STEP_TIMEOUT_SECS'],
  streamIdleTimeoutSecs: ['CODETETHER_STREAM_IDLE_TIMEOUT_SECS'],
  hooks: [],
  mcpServers: [],
  anthropicApiKey: ['ANTHROPIC_API_KEY'],
  anthropicBaseUrl: ['ANTHROPIC_BASE_URL'],
  openaiApiKey: ['OPENAI_API_KEY'],
  openaiBaseUrl: ['OPENAI_BASE_URL'],
  googleApiKey: ['GOOGLE_GENERATIVE_AI_API_KEY', 'GEMINI_API_KEY'],
  googleBaseUrl: ['GOOGLE_GEMINI_BASE_URL'],
  openaiCompatibleBaseUrl: ['OPENAI_COMPATIBLE_BASE_URL'],
  openaiCompatibleApiKey: ['OPENAI_COMPATIBLE_API_KEY'],
};

/** Never in a file, and never shown in a message. */
const secretKeys: readonly string[] = [
  'anthropicApiKey',
  'openaiApiKey',
  'googleApiKey',
  'openaiCompatibleApiKey',
  'searchApiKey',
  'secretKeys',
];
const hiddenKeys: readonly string[] = [...secretKeys, 'databaseUrl', 'databaseOwnerUrl'];

export type ConfigFlags = { readonly [key in Key]?: string | number | undefined };

interface Raw {
  readonly value: unknown;
  /** For people: where the value was set. */
  readonly source: string;
}

/**
 * Reads all settings once: defaults, then the config file, then the environment, then flags. Frozen.
 * @throws `config-invalid` naming each bad setting, where it was set, and what is expected
 */
export function loadConfig(options: { readonly environment?: Environment; readonly flags?: ConfigFlags } = {}): Config {
  const environment = options.environment ?? processEnvironment();
  const flags = options.flags ?? {};
  const locations = locate({
    environment,
    ...(typeof flags.dataDir === 'string' ? { dataDir: flags.dataDir } : {}),
  });
  const raw = new Map<string, Raw>([
    ...fromFile(locations.configFile),
    ...fromEnvironment(environment),
    ...fromFlags(flags),
  ]);
  // Folders are the ones that every part of the program computes from the same settings.
  for (const key of ['dataDir', 'cacheDir'] as const) {
    const set = raw.get(key);
    if (set === undefined || typeof set.value === 'string') {
      raw.set(key, { value: locations[key], source: set?.source ?? 'default' });
    }
  }
  if (!raw.has('apiSocket')) raw.set('apiSocket', { value: apiSocketPath(locations.dataDir), source: 'default' });
  const values = Object.fromEntries([...raw].map(([key, { value }]) => [key, value]));
  const parsed = Config.safeParse(values);
  if (parsed.success) return Object.freeze(parsed.data);
  throw new CodetetherError('config-invalid', undefined, {
    problems: parsed.error.issues.flatMap((issue) => problems(issue, raw)),
  });
}

function problems(issue: z.core.$ZodIssue, raw: ReadonlyMap<string, Raw>): readonly string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const known = Object.keys(variables).filter((name) => !secretKeys.includes(name));
      return `${key} in ${raw.get(key)?.source ?? 'the settings'}: is not a setting; settings are ${known.join(', ')}`;
    });
  }
  const key = String(issue.path[0] ?? '');
  const entry = raw.get(key);
  const shown = hiddenKeys.includes(key) ? 'its value (not shown)' : JSON.stringify(entry?.value);
  return [`${key} (${entry?.source ?? 'default'}): ${shown}; ${issue.message}`];
}

function fromEnvironment(environment: Environment): readonly (readonly [string, Raw])[] {
  return Object.entries(variables).flatMap(([key, names]) => {
    const name = names.find((candidate) => variable(environment, candidate) !== undefined);
    if (name === undefined) return [];
    return [[key, { value: variable(environment, name), source: `${name} in the environment` }] as const];
  });
}

function fromFlags(flags: ConfigFlags): readonly (readonly [string, Raw])[] {
  return Object.entries(flags).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, { value, source: 'the command line' }] as const],
  );
}

function fromFile(file: string): readonly (readonly [string, Raw])[] {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw unusableFile(file, error instanceof Error ? error.message : String(error), error);
  }
  let parsed: unknown;
  try {
    parsed = yaml().parse(content);
  } catch (error) {
    throw unusableFile(file, error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error), error);
  }
  if (parsed === null || parsed === undefined) return [];
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw unusableFile(file, 'expected settings, one `name: value` on each line');
  }
  const entries = Object.entries(parsed);
  const secrets = entries.filter(([key]) => secretKeys.includes(key));
  if (secrets.length > 0) {
    throw new CodetetherError('config-invalid', undefined, {
      problems: secrets.map(
        ([key]) => `${key} in ${file}: keys are not kept in files; expected ${nameOf(key)} in the environment`,
      ),
    });
  }
  return entries.map(([key, value]) => [key, { value, source: file }] as const);
}

function nameOf(key: string): string {
  return Object.entries(variables).find(([name]) => name === key)?.[1][0] ?? 'a variable';
}

function unusableFile(file: string, problem: string, cause?: unknown): CodetetherError {
  return new CodetetherError('config-invalid', 'the config file cannot be used', {
    problems: [`${file}: ${problem}`],
    next: `Correct ${file}, or remove it: it is optional.`,
    cause,
  });
}
