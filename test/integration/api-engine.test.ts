import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RalphRunInput } from '../../domain/contracts/ralph.ts';
import { createTemporalEngine } from '../../services/api/temporal-engine.ts';
import type { TemporalEngine } from '../../services/api/temporal-engine.ts';
import { connectTemporal } from '../../services/temporal/connect.ts';
import { freePort } from '../../services/stack/ports.ts';
import { startEngine } from '../support/temporal.ts';
import type { TestEngine } from '../support/temporal.ts';
import { plan } from './store-fixtures.ts';

let server: TestEngine;
let engine: TemporalEngine;

beforeAll(async () => {
  server = await startEngine();
  engine = createTemporalEngine({ address: server.address, namespace: 'default' });
});

afterAll(async () => {
  await engine.close();
  await server.stop();
});

function input(runId: string, execution = 1): RalphRunInput {
  const { options, hostId, branch } = plan();
  return {
    runId,
    execution,
    hostId,
    project: 'todo',
    feature: 'due dates — ä'.repeat(40),
    branch,
    options,
    gates: ['test'],
    uiUrl: null,
  };
}

test('a run is missing, running, and closed with how it was ended, each execution by its number', async () => {
  const runId = 'ralph:todo-1f2e3d:first';
  await engine.ping();
  expect(await engine.describe(runId)).toEqual({ kind: 'missing' });
  expect(await engine.start(input(runId))).toBe('started');
  expect(await engine.describe(runId)).toEqual({ kind: 'running', execution: 1 });
  expect(await engine.start(input(runId, 2))).toBe('already-running');
  await server.client.workflow.getHandle(runId).terminate('test');
  expect(await engine.describe(runId)).toEqual({ kind: 'closed', execution: 1, how: 'terminated' });
  expect(await engine.start(input(runId, 2))).toBe('started');
  expect(await engine.describe(runId)).toEqual({ kind: 'running', execution: 2 });
});

test('a started run has its queue, its attributes and what people read in the engine’s UI', async () => {
  const runId = 'ralph:todo-1f2e3d:attributes';
  await engine.start(input(runId));
  const description = await server.client.workflow.getHandle(runId).describe();
  expect(description.type).toBe('ralphRun');
  expect(description.taskQueue).toBe('codetether.workflows');
  const attributes = description.typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]);
  expect(Object.fromEntries(attributes)).toMatchObject({
    CodetetherKind: 'ralph',
    CodetetherRepo: 'todo-1f2e3d',
    CodetetherStatus: 'running',
    CodetetherTenant: 'default',
    CodetetherHost: 'tiger-1f2e3d',
  });
  expect(await description.staticSummary()).toMatch(/^todo · due dates — ä/);
  expect(await description.staticDetails()).toContain('- branch `feature/due-dates`');
});

test('a run takes what it takes, and what it refuses is run-not-active with its reason', async () => {
  const runId = 'ralph:todo-1f2e3d:steered';
  await engine.start(input(runId));
  const worker = await Worker.create({
    connection: server.connection,
    taskQueue: 'codetether.workflows',
    workflowsPath: fileURLToPath(import.meta.resolve('./api-engine-workflow.ts')),
  });
  await worker.runUntil(async () => {
    await expect(engine.steer(runId, 'stop')).rejects.toMatchObject({
      code: 'run-not-active',
      message: `${runId} does not take stop: not yet`,
    });
    await engine.steer(runId, 'pause');
    await expect(engine.steer(runId, 'stop')).rejects.toThrow('it is ending');
    await engine.steer(runId, 'cancel');
    await expect
      .poll(async () => await engine.describe(runId))
      .toEqual({
        kind: 'closed',
        execution: 1,
        how: 'cancelled',
      });
    await expect(engine.steer(runId, 'pause')).rejects.toMatchObject({
      code: 'run-not-active',
      message: `${runId} is not being worked on`,
    });
    await expect(engine.steer('ralph:todo-1f2e3d:never', 'cancel')).rejects.toMatchObject({ code: 'run-not-active' });
  });
});

test('a run that nobody works on does not answer', async () => {
  const runId = 'ralph:todo-1f2e3d:alone';
  await engine.start(input(runId));
  const impatient = createTemporalEngine({
    address: server.address,
    namespace: 'default',
    updateTimeoutMs: 1000,
  });
  await expect(impatient.steer(runId, 'pause')).rejects.toMatchObject({
    code: 'worker-lost',
    entry: { retryable: true },
  });
  await impatient.close();
});

test('an engine that is not there is engine-unreachable, soon', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const nobody = createTemporalEngine({ address, namespace: 'default' });
  const from = Date.now();
  await expect(nobody.ping()).rejects.toMatchObject({ code: 'engine-unreachable' });
  await expect(nobody.describe('x', 500)).rejects.toMatchObject({ code: 'engine-unreachable' });
  await expect(connectTemporal({ address, namespace: 'default', timeoutMs: 500 })).rejects.toMatchObject({
    code: 'engine-unreachable',
    message: expect.stringContaining(address),
  });
  expect(Date.now() - from).toBeLessThan(5000);
  await nobody.close();
});

test('connecting waits for the engine and its namespace', async () => {
  const access = await connectTemporal({ address: server.address, namespace: 'default', timeoutMs: 5000 });
  expect((await access.connection.workflowService.getSystemInfo({})).serverVersion).toMatch(/^\d+\./);
  await access.connection.close();
  await expect(
    connectTemporal({ address: server.address, namespace: 'nowhere', timeoutMs: 300 }),
  ).rejects.toMatchObject({ code: 'engine-unreachable', message: expect.stringContaining('nowhere') });
});
