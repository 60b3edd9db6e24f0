import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { locate } from '../../services/config/paths.ts';
import { createPriceReader } from '../../services/config/prices.ts';

const folder = mkdtempSync(join(tmpdir(), 'codetether-prices-'));
const file = join(folder, 'prices.yaml');
const read = createPriceReader(file);
afterAll(() => rmSync(folder, { recursive: true }));

test('own prices lie beside the config file', () => {
  const { pricesFile } = locate({ environment: { XDG_CONFIG_HOME: '/etc/xdg', HOME: '/home/ada' } });
  expect(pricesFile).toBe('/etc/xdg/codetether/prices.yaml');
});

test('without a file there are none; a changed file counts at once', async () => {
  expect(await read()).toEqual({});
  writeFileSync(file, 'qwen3-coder: { input: 0.4, output: 1.6 }\n');
  const own = { inputUsd: 0.4, cachedInputUsd: 0.4, cacheWriteUsd: 0.4, outputUsd: 1.6 };
  expect(await read()).toEqual({ 'qwen3-coder': own });
  writeFileSync(file, 'openai/x: { input: 2, cachedInput: 0.1, cacheWrite: 2.5, output: 10 }\n# changed\n');
  expect(await read()).toEqual({
    'openai/x': { inputUsd: 2, cachedInputUsd: 0.1, cacheWriteUsd: 2.5, outputUsd: 10 },
  });
  writeFileSync(file, '# nothing yet\n');
  expect(await read()).toEqual({});
});

test.each([
  ['qwen: { input: cheap, output: 1 }', 'qwen → input: expected US dollars per million tokens'],
  ['qwen: { input: -1, output: 1 }', 'qwen → input: expected US dollars per million tokens, not below 0'],
  ['qwen: { input: 1 }', 'qwen → output: expected US dollars per million tokens'],
  ['qwen: { input: 1, output: 1, per: month }', 'qwen: Unrecognized key: "per"'],
  ['qwen: [1, 2', 'Flow sequence in block collection must be'],
])('%s is refused with its place', async (text, problem) => {
  writeFileSync(file, `${text}\n`);
  await expect(read()).rejects.toMatchObject({
    code: 'config-invalid',
    problems: [expect.stringContaining(`${file}: ${problem}`)],
  });
});
