import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { yaml } from '../../activities/yaml.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { OwnPrices } from '../../domain/model/prices.ts';

const price = z
  .number('expected US dollars per million tokens')
  .nonnegative('expected US dollars per million tokens, not below 0');

/**
 * `prices.yaml`, US dollars per million tokens by model:
 *
 * ```yaml
 * qwen3-coder: { input: 0.4, output: 1.6 }
 * anthropic/claude-sonnet-5-5: { input: 2, cachedInput: 0.1, cacheWrite: 2.5, output: 10 }
 * local-model: { input: 0, output: 0, contextTokens: 32768 }
 * ```
 * A price that is not named is that of `input`; `contextTokens` is the model's window.
 */
const PricesFile = z.record(
  z.string(),
  z.strictObject({
    input: price,
    cachedInput: price.optional(),
    cacheWrite: price.optional(),
    output: price,
    contextTokens: z.number().int().min(1024, 'expected tokens, 1024 or more').optional(),
  }),
);

/**
 * Reads the file anew when it has changed; without a file there are no own prices.
 * @returns a function that throws `config-invalid` naming each place
 */
export function createPriceReader(file: string): () => Promise<OwnPrices> {
  let read: { readonly version: string; readonly prices: OwnPrices } | undefined;
  return async () => {
    const version = await versionOf(file);
    if (version === undefined) return {};
    if (read?.version !== version) read = { version, prices: await readPrices(file) };
    return read.prices;
  };
}

async function versionOf(file: string): Promise<string | undefined> {
  try {
    const { mtimeMs, size, ino } = await stat(file);
    return `${mtimeMs}:${size}:${ino}`;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw unusable(file, [error instanceof Error ? error.message : String(error)]);
  }
}

async function readPrices(file: string): Promise<OwnPrices> {
  let content: unknown;
  try {
    content = yaml().parse(await readFile(file, 'utf8')) ?? {};
  } catch (error) {
    throw unusable(file, [error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)]);
  }
  const parsed = PricesFile.safeParse(content);
  if (!parsed.success) {
    throw unusable(
      file,
      parsed.error.issues.map(({ path, message }) => `${path.map(String).join(' → ')}: ${message}`),
    );
  }
  return Object.fromEntries(
    Object.entries(parsed.data).map(([model, { input, cachedInput, cacheWrite, output, contextTokens }]) => [
      model,
      {
        inputUsd: input,
        cachedInputUsd: cachedInput ?? input,
        cacheWriteUsd: cacheWrite ?? input,
        outputUsd: output,
        ...(contextTokens === undefined ? {} : { contextTokens }),
      },
    ]),
  );
}

function unusable(file: string, problems: readonly string[]): CodetetherError {
  return new CodetetherError('config-invalid', 'the price file cannot be used', {
    problems: problems.map((problem) => `${file}: ${problem}`),
    next: `Correct ${file}, or remove it: it is optional. docs/ralph.md shows its form.`,
  });
}
