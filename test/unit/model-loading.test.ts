import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const root = new URL('../../', import.meta.url);

/** Makes one model step in a process of its own and tells which SDK packages that has loaded. */
const program = `
import { registerHooks } from 'node:module';
const loaded = new Set();
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const name = /node_modules\\/(@ai-sdk\\/[^/]+|ai|yaml)\\//.exec(resolved.url)?.[1];
    if (name !== undefined) loaded.add(name);
    return resolved;
  },
});
const { createModelActivities } = await import('${new URL('activities/model/model-activities.ts', root).href}');
const { createFakeModelStore } = await import('${new URL('test/support/fake-model-store.ts', root).href}');
const { modelSettings } = await import('${new URL('test/support/model-server.ts', root).href}');
const { modelStep } = createModelActivities({
  store: createFakeModelStore(),
  spool: { read: async () => undefined, write: async () => undefined, remove: async () => undefined },
  settings: modelSettings('http://127.0.0.1:9'),
  tools: { definitions: [], describe: () => ({ risk: 'read', label: 'x' }) },
  cancellationSignal: () => new AbortController().signal,
  attemptNumber: () => 1,
});
const input = { runId: 'r', storyId: 'US-1', attempt: 1, sessionId: 's', step: 1, model: process.argv[1] };
const end = await modelStep(input).then(() => 'answered', (error) => error.code);
console.log(JSON.stringify({ end, loaded: [...loaded].sort() }));
`;

async function step(model: string): Promise<unknown> {
  const args = ['--input-type=module', '-e', program, '--', model];
  const { stdout } = await run(process.execPath, args, { cwd: root });
  return JSON.parse(stdout);
}

it('a scripted model loads no SDK, and no YAML for JSON', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'codetether-model-loading-'));
  const path = join(folder, 'script.json');
  await writeFile(path, JSON.stringify({ version: 1, default: { attempts: [{ turns: [{ text: 'Done.' }] }] } }));
  expect(await step(`scripted/${path}`)).toEqual({ end: 'answered', loaded: [] });
  await rm(folder, { recursive: true });
});

it('a provider loads its own SDK and no other', async () => {
  const { end, loaded } = (await step('anthropic/claude-sonnet-4-5')) as { end: string; loaded: readonly string[] };
  expect(end).toBe('provider-unreachable');
  expect(loaded).toContain('@ai-sdk/anthropic');
  expect(loaded).not.toContain('@ai-sdk/openai');
  expect(loaded).not.toContain('@ai-sdk/google');
});
