import { DefaultLogger } from '@temporalio/worker';

/** One line of JSON per entry on stderr, from warnings up and what this process itself says. */
export const logger = new DefaultLogger('INFO', ({ level, timestampNanos, message, meta }) => {
  const isOurs = meta?.['sdkComponent'] === undefined;
  if (level === 'INFO' && !isOurs) return;
  const at = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
  process.stderr.write(`${JSON.stringify({ at, level: level.toLowerCase(), message, ...readable(meta) })}\n`);
});

function readable(meta: Readonly<Record<string, unknown>> | undefined): Record<string, unknown> {
  const entries = Object.entries(meta ?? {}).filter(([key]) => key !== 'taskToken' && key !== 'sdkComponent');
  return Object.fromEntries(entries.map(([key, value]) => [key, value instanceof Error ? value.message : value]));
}
