import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../services/config/config.ts';
import type { Environment } from '../../services/config/environment.ts';
import { examine } from '../../services/stack/doctor.ts';
import type { Check } from '../../services/stack/doctor.ts';
import { prepareTemporalCli, testStack } from './stack-fixtures.ts';
import type { TestStack } from './stack-fixtures.ts';

let stack: TestStack;
beforeAll(prepareTemporalCli, 600_000);
beforeEach(async () => {
  stack = await testStack();
});
afterEach(async () => {
  await stack.remove();
});

async function checks(more: Environment = {}): Promise<{ readonly [name: string]: Check }> {
  const environment = { ...stack.environment, ...more };
  const found = await examine({ config: loadConfig({ environment }), environment });
  return Object.fromEntries(found.map((check) => [check.name, check]));
}

describe('doctor', () => {
  it('starts nothing, and says of what does not run that it starts when needed', async () => {
    const found = await checks({ OPENAI_COMPATIBLE_BASE_URL: 'http://127.0.0.1:1/v1', GEMINI_API_KEY: 'x' });
    expect(Object.keys(found).join(' ')).toBe('node git data-dir postgres temporal worker api sandbox model-keys disk');
    for (const name of ['postgres', 'temporal', 'worker', 'api']) {
      expect(found[name]).toMatchObject({ result: 'warning', mend: 'codetether up' });
    }
    expect(found['postgres']?.text).toMatch(/^PostgreSQL 18\.\d+: not running/);
    expect(found['model-keys']).toMatchObject({ result: 'ok', text: 'models: google, openai-compatible' });
    expect(found['sandbox']).toMatchObject({ result: 'warning' });
    expect(await stack.processes()).toEqual([]);
  });

  it('finds everything in order on a running stack, and what was killed without its supervisor', async () => {
    await stack.ensure();
    await expect.poll(async () => (await checks())['postgres']?.result).toBe('ok');
    const found = await checks();
    expect(Object.values(found).filter(({ result }) => result === 'failed')).toEqual([]);
    expect(found['temporal']?.text).toMatch(
      /^Temporal 1\.\d+\.\d+ \(port \d+, \d+ MB, ui http:\/\/127\.0\.0\.1:\d+\)$/,
    );
    const pids = await stack.pids();
    process.kill(pids.get('supervisor') ?? 0, 'SIGKILL');
    process.kill(pids.get('worker') ?? 0, 'SIGKILL');
    await expect
      .poll(async () => (await checks())['worker'])
      .toMatchObject({ result: 'failed', mend: 'codetether up' });
  });

  it('names what is broken with its mend', async () => {
    const bin = join(stack.dataDir, '..', 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'git'), '#!/bin/sh\necho git version 2.30.2\n');
    chmodSync(join(bin, 'git'), 0o755);
    const found = await checks({
      PATH: bin,
      CODETETHER_DATA_DIR: join(bin, 'git', 'data'),
      CODETETHER_TEMPORAL_CLI: '/nowhere/temporal',
    });
    expect(found['git']).toMatchObject({ result: 'failed', text: 'git 2.30.2: 2.38 or newer is needed' });
    expect(found['data-dir']).toMatchObject({ result: 'failed', mend: 'export CODETETHER_DATA_DIR=FOLDER' });
    expect(found['temporal']?.result).toBe('failed');
    expect(found['temporal']?.text).toContain('/nowhere/temporal');
    expect((await checks({ PATH: '/nowhere' }))['git']).toMatchObject({
      result: 'failed',
      text: 'git: not found on PATH',
    });
  });
});
