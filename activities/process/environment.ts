/** Environment variables as a process has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

const secret =
  /(^|_)(TOKEN|SECRET|PASSWORD|PASSPHRASE|API_?KEY|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY|CREDENTIALS)$|^(ANTHROPIC|OPENAI|GOOGLE|GEMINI|TEMPORAL|CODETETHER)_|^(DATABASE(_OWNER)?_URL|PGPASSWORD|ANTHROPIC_API_KEY)$/i;

/** Whether a variable of this name holds a secret, by all that the name says. */
export function isSecretName(name: string): boolean {
  return secret.test(name);
}

/** What an outer git command, test runner or npm script says about itself; wrong for a command of its own. */
const outer =
  /^(GIT_DIR|GIT_WORK_TREE|GIT_INDEX_FILE|GIT_COMMON_DIR|GIT_OBJECT_DIRECTORY|GIT_ALTERNATE_OBJECT_DIRECTORIES|GIT_NAMESPACE|GIT_PREFIX|GIT_CONFIG_PARAMETERS|GIT_CONFIG_COUNT|NODE_TEST_CONTEXT|NODE_CHANNEL_FD|NODE_UNIQUE_ID|JEST_WORKER_ID|INIT_CWD|npm_command|npm_execpath|npm_node_execpath)$|^(VITEST|npm_lifecycle_|npm_package_)/;

const unattended = { GIT_TERMINAL_PROMPT: '0', GIT_EDITOR: 'true', PAGER: 'cat', GIT_PAGER: 'cat' };

/**
 * The environment that commands of agents and gates get: the given one without secrets (keys of providers, tokens, passwords,
 * codetether's own settings) and without what an outer git, test runner or npm script left in it; nothing in it asks a
 * person or opens an editor. Pure.
 */
export function scrubEnvironment(env: Environment): Record<string, string> {
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !secret.test(entry[0]) && !outer.test(entry[0]),
  );
  return { ...Object.fromEntries(kept), ...unattended };
}

/**
 * What a command that runs in a worktree gets on top: git never looks for a repository above the worktree, so
 * that a command which deleted the worktree's `.git` cannot reach the user's checkout around it.
 */
export function worktreeEnvironment(worktree: string): Record<string, string> {
  const parent = worktree.replace(/\/+$/, '').replace(/\/[^/]*$/, '');
  return { GIT_CEILING_DIRECTORIES: parent };
}
