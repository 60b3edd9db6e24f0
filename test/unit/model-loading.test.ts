import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadedBy, moduleOf } from '../support/loaded-packages.ts';
import type { Loaded } from '../support/loaded-packages.ts';

const program = `
const { createModelActivities } = await import(${moduleOf('activities/model/model-activities.ts')});
const { createFakeModelStore } = await import(${moduleOf('test/support/fake-model-store.ts')});
const { modelSettings } = await import(${moduleOf('test/support/model-server.ts')});
const { modelStep } = createModelActivities({
  store: createFakeModelStore(),
  spool: { read: async () => undefined, write: async () => undefined, remove: async () => undefined },
  settings: modelSettings('http://127.0.0.1:9'),
  tools: { definitions: [], describe: () => ({ risk: 'read', label: 'x' }) },
  cancellationSignal: () => new AbortController().signal,
  attemptNumber: () => 1,
});
const input = { runId: 'r', storyId: 'US-1', attempt: 1, sessionId: 's', step: 1, model: process.argv[1] };
globalThis.result = await modelStep(input).then(() => 'answered', (error) => error.code);
`;

/** Makes one model step in a process of its own. */
async function step(model: string): Promise<Loaded> {
  return await loadedBy(program, model);
}

it('a scripted model loads no SDK, and no YAML for JSON', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'codetether-model-loading-'));
  const path = join(folder, 'script.json');
  await writeFile(path, JSON.stringify({ version: 1, default: { attempts: [{ turns: [{ text: 'Done.' }] }] } }));
  const { result, packages } = await step(`scripted/${path}`);
  expect(result).toBe('answered');
  expect(packages.filter((name) => /^(@ai-sdk\/.*|ai|yaml)$/.test(name))).toEqual([]);
  await rm(folder, { recursive: true });
});

it('a provider loads its own SDK and no other', async () => {
  const { result, packages } = await step('anthropic/claude-sonnet-4-5');
  expect(result).toBe('provider-unreachable');
  expect(packages).toContain('@ai-sdk/anthropic');
  expect(packages).not.toContain('@ai-sdk/openai');
  expect(packages).not.toContain('@ai-sdk/google');
});
