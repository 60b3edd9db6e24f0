/** Where things are. Loads no library: a command that only talks to the running stack needs no more than this. */
import { readFileSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { yaml } from '../../activities/yaml.ts';
import { variable } from './environment.ts';
import type { Environment } from './environment.ts';

export interface Locations {
  /** Absolute, symbolic links resolved: one folder has one name. */
  readonly dataDir: string;
  readonly cacheDir: string;
  /** May not exist. */
  readonly configFile: string;
  /** The user's own model prices, beside the config file. May not exist. */
  readonly pricesFile: string;
}

/** Longest socket path that every system takes (`sun_path` holds 104 bytes on macOS, 108 on Linux). */
const maxSocketPathBytes = 100;

/** Creates nothing. `dataDir` is the command line's, and wins. */
export function locate(options: { readonly environment: Environment; readonly dataDir?: string }): Locations {
  const { environment } = options;
  const configFile = join(base(environment, 'XDG_CONFIG_HOME', '.config'), 'codetether', 'config.yaml');
  const pricesFile = join(dirname(configFile), 'prices.yaml');
  const inFile = (key: string): string | undefined => settingInFile(configFile, key);
  const dataDir =
    options.dataDir ??
    variable(environment, 'CODETETHER_DATA_DIR') ??
    inFile('dataDir') ??
    join(base(environment, 'XDG_DATA_HOME', '.local', 'share'), 'codetether');
  const cacheDir = inFile('cacheDir') ?? join(base(environment, 'XDG_CACHE_HOME', '.cache'), 'codetether');
  return { dataDir: realPath(resolve(dataDir)), cacheDir: realPath(resolve(cacheDir)), configFile, pricesFile };
}

/** The Unix socket of the API. */
export function apiSocketPath(dataDir: string): string {
  return socketPath(dataDir, 'api.sock');
}

/** The Unix socket of the supervisor. */
export function controlSocketPath(dataDir: string): string {
  return socketPath(dataDir, 'control.sock');
}

/**
 * In the data dir; where that name is too long for a socket, in a private folder under `/tmp` (not `TMPDIR`, which differs
 * between shells of one user).
 */
function socketPath(dataDir: string, name: string): string {
  const path = join(dataDir, name);
  if (Buffer.byteLength(path) <= maxSocketPathBytes) return path;
  const { createHash } = process.getBuiltinModule('node:crypto');
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  return join('/tmp', `codetether-${process.getuid?.() ?? 0}`, `${hash}-${name}`);
}

function base(environment: Environment, name: string, ...underHome: readonly string[]): string {
  const value = variable(environment, name);
  // The XDG specification: a relative path is to be ignored.
  if (value !== undefined && isAbsolute(value)) return value;
  return join(variable(environment, 'HOME') ?? homedir(), ...underHome);
}

/** Parses YAML only when the file has the key; whatever is wrong with the file is `loadConfig`'s to report. */
function settingInFile(file: string, key: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // No file, no setting.
    return undefined;
  }
  if (!new RegExp(`^["']?${key}["']?\\s*:`, 'm').test(text)) return undefined;
  try {
    const parsed: unknown = yaml().parse(text);
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    const value: unknown = Object.entries(parsed).find(([name]) => name === key)?.[1];
    return typeof value === 'string' && value !== '' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Resolves the links of the part that exists. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}
