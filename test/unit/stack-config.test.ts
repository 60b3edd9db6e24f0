import { mkdirSync, mkdtempSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CodetetherError } from '../../domain/errors.ts';
import { loadConfig } from '../../services/config/config.ts';
import type { ConfigFlags } from '../../services/config/config.ts';
import { workSettings } from '../../services/config/environment.ts';
import { apiSocketPath, controlSocketPath, locate } from '../../services/config/paths.ts';

let home: string;
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'codetether-config-')));
});
afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

function writeConfig(text: string): string {
  mkdirSync(join(home, '.config', 'codetether'), { recursive: true });
  const file = join(home, '.config', 'codetether', 'config.yaml');
  writeFileSync(file, text);
  return file;
}

function load(environment: { readonly [name: string]: string } = {}, flags: ConfigFlags = {}) {
  return loadConfig({ environment: { HOME: home, ...environment }, flags });
}

function problems(attempt: () => unknown): readonly string[] {
  try {
    attempt();
  } catch (error) {
    expect(error).toMatchObject({ code: 'config-invalid' });
    if (error instanceof CodetetherError) return error.problems;
  }
  throw new Error('it was accepted');
}

describe('settings', () => {
  it('come from defaults, then the file, then the environment, then flags', () => {
    expect(load()).toMatchObject({ temporalNamespace: 'default', workerSlots: 8 });
    writeConfig('workerSlots: 3\ntemporalNamespace: from-file\n');
    expect(load()).toMatchObject({ temporalNamespace: 'from-file', workerSlots: 3 });
    const environment = { CODETETHER_WORKER_SLOTS: '5' };
    expect(load(environment)).toMatchObject({ temporalNamespace: 'from-file', workerSlots: 5 });
    expect(load(environment, { workerSlots: 6 })).toMatchObject({ workerSlots: 6 });
    expect(load({ CODETETHER_WORKER_SLOTS: '' })).toMatchObject({ workerSlots: 3 });
  });

  it('say what agents may do on the web', () => {
    expect(load()).toMatchObject({ webAccess: 'ask', webHosts: [] });
    const environment = { CODETETHER_WEB_HOSTS: 'a.example, *.B.example', CODETETHER_SEARCH_API_KEY: 'key' };
    expect(load(environment).webHosts).toEqual(['a.example', '*.b.example']);
    expect(inspect(load(environment))).not.toContain("'key'");
    expect(
      problems(() => load({ CODETETHER_WEB_HOSTS: 'https://a.example/', CODETETHER_WEB_ACCESS: 'yes' })),
    ).toHaveLength(2);
    writeConfig('searchApiKey: key\n');
    expect(problems(load)[0]).toContain('expected CODETETHER_SEARCH_API_KEY in the environment');
  });

  it('say how long a model call may take', () => {
    expect(load()).toMatchObject({ stepTimeoutSecs: 900, streamIdleTimeoutSecs: 120 });
    writeConfig('stepTimeoutSecs: 600\n');
    const environment = { CODETETHER_STREAM_IDLE_TIMEOUT_SECS: '30' };
    expect(load(environment)).toMatchObject({ stepTimeoutSecs: 600, streamIdleTimeoutSecs: 30 });
    expect(problems(() => load({ CODETETHER_STEP_TIMEOUT_SECS: '0' }))).toEqual([
      'stepTimeoutSecs (CODETETHER_STEP_TIMEOUT_SECS in the environment): "0"; expected a number of seconds, 1 to 3600',
    ]);
  });

  it('name the models that get their tools as text', () => {
    expect(load().textToolModels).toEqual([]);
    const environment = { CODETETHER_TEXT_TOOL_MODELS: 'openai-compatible/Small-1, openai-compatible/tiny*' };
    expect(load(environment).textToolModels).toEqual(['openai-compatible/small-1', 'openai-compatible/tiny*']);
    expect(problems(() => load({ CODETETHER_TEXT_TOOL_MODELS: 'small' }))).toEqual([
      'textToolModels (CODETETHER_TEXT_TOOL_MODELS in the environment): "small"; expected provider/model or provider/*, separated by commas',
    ]);
  });

  it('are frozen', () => {
    expect(Object.isFrozen(load())).toBe(true);
  });

  it('with a bad value name the setting, where it was set, and what is expected', () => {
    const file = writeConfig('workerSlots: none\n');
    const environment = { CODETETHER_POSTGRES_PORT: '70000', TEMPORAL_ADDRESS: 'http://engine', OPENAI_BASE_URL: 'x' };
    expect(problems(() => load(environment))).toEqual([
      'temporalAddress (TEMPORAL_ADDRESS in the environment): "http://engine"; expected host:port',
      'postgresPort (CODETETHER_POSTGRES_PORT in the environment): "70000"; expected a port number, 1 to 65535',
      `workerSlots (${file}): "none"; expected a whole number, 1 to 1024`,
      'openaiBaseUrl (OPENAI_BASE_URL in the environment): "x"; expected an address that begins with http:// or https://',
    ]);
  });

  it('that are secret are shown in no message and no print of the settings', () => {
    const config = load({ ANTHROPIC_API_KEY: 'sk-secret', DATABASE_URL: 'postgresql://me:sk-secret@host/db' });
    expect(`${config.anthropicApiKey?.toString()} ${JSON.stringify(config)} ${inspect(config)}`).not.toContain(
      'sk-secret',
    );
    expect(config.anthropicApiKey?.reveal()).toBe('sk-secret');
    const [problem] = problems(() => load({ DATABASE_URL: 'mysql://me:sk-secret@host/db' }));
    expect(problem).toBe(
      'databaseUrl (DATABASE_URL in the environment): its value (not shown); expected an address that begins with postgresql://',
    );
  });

  it('refuse keys in the file, names that are not settings, and a file that is no settings at all', () => {
    const file = writeConfig('anthropicApiKey: sk-secret\n');
    expect(problems(() => load())).toEqual([
      `anthropicApiKey in ${file}: keys are not kept in files; expected ANTHROPIC_API_KEY in the environment`,
    ]);
    writeConfig('workerSlot: 3\n');
    expect(problems(() => load())[0]).toMatch(
      `workerSlot in ${file}: is not a setting; settings are dataDir, cacheDir,`,
    );
    writeConfig('- one\n');
    expect(problems(() => load())).toEqual([`${file}: expected settings, one \`name: value\` on each line`]);
    writeConfig('a: [\n');
    expect(problems(() => load())[0]).toContain(file);
  });

  it('take the Google key under both of its names', () => {
    expect(load({ GEMINI_API_KEY: 'a' }).googleApiKey?.reveal()).toBe('a');
    expect(load({ GEMINI_API_KEY: 'a', GOOGLE_GENERATIVE_AI_API_KEY: 'b' }).googleApiKey?.reveal()).toBe('b');
  });
});

describe('the data dir', () => {
  it('is the flag, else the variable, else the file, else XDG, else under the home', () => {
    expect(locate({ environment: { HOME: home } }).dataDir).toBe(join(home, '.local/share/codetether'));
    expect(locate({ environment: { HOME: home, XDG_DATA_HOME: 'relative' } }).dataDir).toBe(
      join(home, '.local/share/codetether'),
    );
    const environment = { HOME: home, XDG_DATA_HOME: join(home, 'x'), XDG_CACHE_HOME: join(home, 'c') };
    expect(locate({ environment })).toMatchObject({
      dataDir: join(home, 'x', 'codetether'),
      cacheDir: join(home, 'c', 'codetether'),
    });
    writeConfig(`dataDir: ${home}/from-file\n`);
    expect(locate({ environment }).dataDir).toBe(join(home, 'from-file'));
    expect(load({ XDG_DATA_HOME: join(home, 'x') }).dataDir).toBe(join(home, 'from-file'));
    const withVariable = { ...environment, CODETETHER_DATA_DIR: `${home}/variable` };
    expect(locate({ environment: withVariable }).dataDir).toBe(join(home, 'variable'));
    expect(locate({ environment: withVariable, dataDir: `${home}/flag` }).dataDir).toBe(join(home, 'flag'));
  });

  it('has one name, whatever links lead to it', () => {
    mkdirSync(join(home, 'real'));
    symlinkSync(join(home, 'real'), join(home, 'link'));
    const environment = { CODETETHER_DATA_DIR: join(home, 'link', 'new') };
    expect(locate({ environment }).dataDir).toBe(join(home, 'real', 'new'));
  });

  it('holds the sockets unless their names get too long', () => {
    expect(apiSocketPath('/data')).toBe('/data/api.sock');
    expect(controlSocketPath('/data')).toBe('/data/control.sock');
    const long = `/${'é'.repeat(50)}`;
    expect(apiSocketPath(long)).toMatch(/^\/tmp\/codetether-\d+\/[0-9a-f]{16}-api\.sock$/);
    expect(apiSocketPath(long)).not.toBe(apiSocketPath(`${long}x`));
  });
});

describe('the settings of worker and API', () => {
  it('are provider variables and our own, without what names servers, folders or one command', () => {
    const environment = {
      PATH: '/bin',
      OPENAI_COMPATIBLE_BASE_URL: 'http://x',
      ANTHROPIC_API_KEY: '',
      CODETETHER_WORKER_SLOTS: '4',
      CODETETHER_DATA_DIR: '/data',
      CODETETHER_DEBUG: '1',
      DATABASE_URL: 'postgresql://x',
    };
    expect(workSettings(environment)).toEqual({ OPENAI_COMPATIBLE_BASE_URL: 'http://x', CODETETHER_WORKER_SLOTS: '4' });
  });
});
