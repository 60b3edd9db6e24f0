import { expect, test } from 'vitest';
import { scrubEnvironment, worktreeEnvironment } from '../../activities/process/environment.ts';

test.each([
  'ANTHROPIC_API_KEY',
  'OPENAI_API_KEY',
  'OPENAI_COMPATIBLE_BASE_URL',
  'GOOGLE_APPLICATION_CREDENTIALS',
  'GEMINI_API_KEY',
  'MISTRAL_API_KEY',
  'GITHUB_TOKEN',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'STRIPE_SECRET',
  'PGPASSWORD',
  'DB_PASSWORD',
  'DATABASE_URL',
  'TEMPORAL_ADDRESS',
  'CODETETHER_DATA_DIR',
  'VITEST_WORKER_ID',
  'VITEST',
  'NODE_TEST_CONTEXT',
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'npm_lifecycle_event',
])('%s does not reach a command', (name) => {
  expect(scrubEnvironment({ [name]: 'x' })).not.toHaveProperty(name);
});

test.each([
  'PATH',
  'HOME',
  'LANG',
  'NODE_OPTIONS',
  'NODE_ENV',
  'TOKENIZERS_PARALLELISM',
  'SSH_AUTH_SOCK',
  'npm_config_registry',
])('%s does', (name) => {
  expect(scrubEnvironment({ [name]: 'x' })).toHaveProperty(name, 'x');
});

test('nothing asks a person', () => {
  expect(scrubEnvironment({ GIT_EDITOR: 'vim', PAGER: 'less', UNSET: undefined })).toEqual({
    GIT_TERMINAL_PROMPT: '0',
    GIT_EDITOR: 'true',
    PAGER: 'cat',
    GIT_PAGER: 'cat',
  });
});

test('git does not look above a worktree', () => {
  expect(worktreeEnvironment('/r/.codetether-worktrees/sums/us-001')).toEqual({
    GIT_CEILING_DIRECTORIES: '/r/.codetether-worktrees/sums',
  });
});
