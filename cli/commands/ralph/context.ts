import { CodetetherError } from '../../../domain/errors.ts';
import { createClient } from '../../../services/client/client.ts';
import type { ApiAddress, Client } from '../../../services/client/client.ts';
import { processEnvironment, variable } from '../../../services/config/environment.ts';
import type { Environment } from '../../../services/config/environment.ts';
import { isLoopback } from '../../../services/config/loopback.ts';
import { apiSocketPath, locate } from '../../../services/config/paths.ts';
import { lookOf } from '../../output/terminal.ts';
import type { Look } from '../../output/terminal.ts';
import type { Streams } from './progress.ts';

/** All that a command of `ralph` works with. */
export interface Context extends Streams {
  readonly environment: Environment;
  readonly cwd: string;
  readonly dataDir: string;
  readonly client: Client;
}

/** Starts nothing and connects to nothing. */
export function openContext(): Context {
  const environment = processEnvironment();
  const { dataDir } = locate({ environment });
  const { stdin, stdout, stderr } = process;
  for (const stream of [stdout, stderr]) {
    // Whoever read this has gone (a closed pipe or terminal): nothing more to say, and no reason to break.
    stream.on('error', () => undefined);
  }
  const client = createClient(apiAddress(environment, dataDir));
  return { environment, cwd: process.cwd(), dataDir, client, stdin, stdout, stderr };
}

function apiAddress(environment: Environment, dataDir: string): ApiAddress {
  const url = variable(environment, 'CODETETHER_SERVER');
  if (url === undefined)
    return {
      socketPath: variable(environment, 'CODETETHER_API_SOCKET') ?? apiSocketPath(dataDir),
      tenant: variable(environment, 'CODETETHER_TENANT'),
    };
  const parsed = URL.parse(url);
  const isSafe = parsed?.protocol === 'https:' || (parsed?.protocol === 'http:' && isLoopback(parsed.hostname));
  if (parsed === null || !isSafe) {
    throw new CodetetherError('config-invalid', 'the server cannot be used', {
      problems: ['CODETETHER_SERVER (environment): expected https://host[:port]; http only on this machine'],
    });
  }
  return { url: parsed.href, token: variable(environment, 'CODETETHER_TOKEN') };
}

/**
 * Makes sure that the local stack runs, telling on stderr what is being set up; does nothing where the API is another's.
 * @param settings `apply` for commands that start work, see `ensureStack`
 */
export async function startStack(context: Context, settings: 'apply' | 'keep'): Promise<void> {
  if (isElsewhere(context)) return;
  const [{ ensureStack }, { stepLines }] = await Promise.all([
    import('../../../services/stack/ensure-stack.ts'),
    import('../../output/steps.ts'),
  ]);
  const steps = stepLines(context.stderr, context.environment);
  try {
    await ensureStack({ environment: context.environment, settings, onProgress: steps.show });
  } finally {
    steps.clear();
  }
}

/** Whether the API is that of a server which this user does not run. */
function isElsewhere({ environment }: Pick<Context, 'environment'>): boolean {
  return variable(environment, 'CODETETHER_SERVER') !== undefined;
}

/** The answer to a question that any running stack can answer; mends the stack when it is not whole. */
export async function ask<T>(context: Context, question: (client: Client) => Promise<T>): Promise<T> {
  const isSupervised = supervisorAnswers(context);
  try {
    const answer = await question(context.client);
    // Its servers go on without a killed supervisor, but nobody restarts them any more.
    if (!(await isSupervised)) await startStack(context, 'keep');
    return answer;
  } catch (error) {
    if (!(error instanceof CodetetherError) || !error.entry.retryable) throw error;
    if (isElsewhere(context)) throw error;
    // The API may go on without the database or the engine: those come back as long as somebody restarts them.
    if (error.code !== 'api-unreachable' && (await isSupervised)) throw error;
    await startStack(context, 'keep');
    return await question(context.client);
  }
}

/** Whether what dies is started again. */
export async function supervisorAnswers({
  environment,
  dataDir,
}: Pick<Context, 'environment' | 'dataDir'>): Promise<boolean> {
  // An API that is named by its socket may be anybody's, with no supervisor of ours.
  if (variable(environment, 'CODETETHER_API_SOCKET') !== undefined || isElsewhere({ environment })) return true;
  const { askSupervisor } = await import('../../../services/stack/control.ts');
  return (await askSupervisor(dataDir, { op: 'state' }, { timeoutMs: 2_000 })) !== undefined;
}

export function stdoutLook(context: Context): Look {
  return lookOf(context.stdout, context.environment);
}

export function print(stream: NodeJS.WriteStream, lines: readonly string[]): void {
  if (lines.length > 0) stream.write(`${lines.join('\n')}\n`);
}
