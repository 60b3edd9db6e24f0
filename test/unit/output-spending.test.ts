import { expect, test } from 'vitest';
import { diskLines, spendingLines } from '../../cli/output/spending.ts';
import { firstRun } from './board-fixture.ts';

const price = { inputUsd: 3, cachedInputUsd: 0.3, cacheWriteUsd: 3.75, outputUsd: 15, source: 'table' } as const;
const row = {
  storyId: 'US-001',
  model: 'anthropic/claude-sonnet-4-5',
  calls: 3,
  inputTokens: 30_000,
  outputTokens: 1_000,
  cachedInputTokens: 0,
  costUsd: 0.1,
  reservedUsd: 0,
  reservedTokens: 0,
  price,
};

test('spending is shown in all, by model and by story, with what is left of the caps', () => {
  const run = {
    ...firstRun,
    spentUsd: 0.32,
    spentTokens: 82_000,
    reservedUsd: 0.2,
    reservedTokens: 20_000,
    steps: 9,
    maxTotalSteps: 100,
    leftUsd: 4.48,
    leftSteps: 91,
    spending: [
      row,
      { ...row, storyId: 'US-002', calls: 4, costUsd: 0.02, reservedUsd: 0.2, reservedTokens: 20_000 },
      {
        ...row,
        storyId: 'US-002',
        model: 'x/y',
        calls: 2,
        costUsd: 0.2,
        price: { ...price, source: 'default' as const },
      },
    ],
  };
  expect(spendingLines(run)).toEqual([
    '',
    '## Spending',
    '',
    '- cost $0.32 spent, $0.20 reserved, $4.48 left of $5.00',
    '- tokens 82.0k spent, 20.0k reserved, no cap',
    '- steps 9, 91 left of 100',
    '',
    '| model                       | price per million                       | steps | tokens | spent | reserved |',
    '|-----------------------------|-----------------------------------------|-------|--------|-------|----------|',
    '| anthropic/claude-sonnet-4-5 | $3 in, $15 out                          | 7     | 62.0k  | $0.12 | $0.20    |',
    '| x/y                         | $3 in, $15 out (not known: the default) | 2     | 31.0k  | $0.20 | –        |',
    '',
    '| story  | steps | tokens | spent | reserved |',
    '|--------|-------|--------|-------|----------|',
    '| US-001 | 3     | 31.0k  | $0.10 | –        |',
    '| US-002 | 6     | 62.0k  | $0.22 | $0.20    |',
  ]);
});

test('nothing is shown before the first call', () => {
  expect(spendingLines(firstRun)).toEqual([]);
});

test('says what the worktrees take, once it was measured', () => {
  expect(diskLines({ disk: null })).toEqual([]);
  expect(diskLines({ disk: { bytes: 1.24e9, maxBytes: 50e9 } })).toEqual(['', '- disk 1.2 GB of 50.0 GB']);
  expect(diskLines({ disk: { bytes: 6e9, maxBytes: 5e9 } })).toEqual([
    '',
    '- disk 6.0 GB of 5.0 GB, which is too much',
  ]);
});
