import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DefaultLogger, Runtime, Worker, bundleWorkflowCode } from '@temporalio/worker';
import { beforeAll, describe, expect, test } from 'vitest';
import { a2aTaskType, pushDeliveryType } from '../../domain/contracts/a2a.ts';
import { workflowTypes } from '../../domain/contracts/ralph.ts';
import { agentSessionType, subAgentType } from '../../domain/contracts/session.ts';

const historiesDir = new URL('./histories/', import.meta.url);
const names = readdirSync(historiesDir);

const logger = new DefaultLogger('ERROR');
const bundle = (path: string) =>
  bundleWorkflowCode({ workflowsPath: fileURLToPath(new URL(path, import.meta.url)), logger });

function read(name: string): { readonly workflowId: string; readonly history: unknown } {
  return JSON.parse(readFileSync(new URL(name, historiesDir), 'utf8'));
}

beforeAll(() => {
  Runtime.install({ logger, telemetryOptions: { logging: { filter: 'OFF' } } });
});

describe('the workflows as they are now replay what was recorded', async () => {
  const workflowBundle = await bundle('../../workflows/index.ts');

  test.each(names)('%s', async (name) => {
    const { workflowId, history } = read(name);
    await Worker.runReplayHistory({ workflowBundle, replayName: name }, history, workflowId);
  });

  test.each([...Object.values(workflowTypes), agentSessionType, subAgentType, a2aTaskType, pushDeliveryType])(
    'there are histories of %s',
    (type) => {
      expect(names.filter((name) => name.startsWith(`${type}-`)).length).toBeGreaterThan(0);
    },
  );

  test('the bundle is small and holds neither clients nor schemas', () => {
    expect(workflowBundle.code.length).toBeLessThan(2_500_000);
    for (const forbidden of ['node_modules/pg/', 'node_modules/fastify/', 'node_modules/zod/', '@temporalio/client/']) {
      expect(workflowBundle.code.includes(forbidden), forbidden).toBe(false);
    }
  });
});

test('a workflow that does something else than it did is caught', async () => {
  const workflowBundle = await bundle('./changed/index.ts');
  const { workflowId, history } = read(names.find((name) => name.startsWith('ralphStory-diamond')) ?? '');
  await expect(Worker.runReplayHistory({ workflowBundle }, history, workflowId)).rejects.toThrow(/[Nn]ondeterminism/);
});
