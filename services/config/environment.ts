/** The only place that reads the process environment. Imports nothing: every command loads it. */

export interface Environment {
  readonly [name: string]: string | undefined;
}

/** A frozen copy, taken when it is called. */
export function processEnvironment(): Environment {
  return Object.freeze({ ...process.env });
}

/** The variable's value; unset and empty are the same. */
export function variable(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  return value === undefined || value === '' ? undefined : value;
}

/** Variables that say which servers the local stack consists of; they cannot change while it runs. */
export const stackVariables = [
  'DATABASE_URL',
  'DATABASE_OWNER_URL',
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  'CODETETHER_POSTGRES_PORT',
  'CODETETHER_TEMPORAL_PORT',
  'CODETETHER_TEMPORAL_UI_PORT',
] as const;

const providerVariables: readonly string[] = [
  'ANTHROPIC_API_KEY',
  'ANTHROPIC_BASE_URL',
  'OPENAI_API_KEY',
  'OPENAI_BASE_URL',
  'GOOGLE_GENERATIVE_AI_API_KEY',
  'GEMINI_API_KEY',
  'GOOGLE_GEMINI_BASE_URL',
  'OPENAI_COMPATIBLE_BASE_URL',
  'OPENAI_COMPATIBLE_API_KEY',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'NODE_EXTRA_CA_CERTS',
  'NODE_USE_ENV_PROXY',
];

/** `CODETETHER_` variables that are about one command or one process, not about the work. */
const ownVariables: readonly string[] = [
  ...stackVariables,
  'CODETETHER_DATA_DIR',
  'CODETETHER_TEMPORAL_CLI',
  'CODETETHER_TEMPORAL_UI_URL',
  'CODETETHER_API_SOCKET',
  'CODETETHER_SERVER',
  'CODETETHER_TENANT',
  'CODETETHER_TOKEN',
  'CODETETHER_DEBUG',
  'CODETETHER_DEFAULT_MODEL',
];

/** What worker and API depend on besides the servers: provider keys and addresses, and `CODETETHER_` settings. */
export function workSettings(environment: Environment): { readonly [name: string]: string } {
  const settings: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || value === '') continue;
    const isOurs = name.startsWith('CODETETHER_') && !ownVariables.includes(name);
    if (isOurs || providerVariables.includes(name)) settings[name] = value;
  }
  return settings;
}
