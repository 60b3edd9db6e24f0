import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    globalSetup: ['test/support/engine.ts', 'test/support/postgres.ts'],
    reporters: ['default', './test/support/closing-line.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // A hang is to be found, not a busy machine.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Polls end as soon as they hold; a busy machine may need longer than the default second.
    expect: { poll: { timeout: 10_000 } },
  },
});
