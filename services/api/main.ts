/** The API process: serves until SIGTERM or SIGINT. Ends by itself only when it cannot be of use. */
import { asCodetetherError } from '../../domain/errors.ts';
import { loadConfig } from '../config/config.ts';
import { processEnvironment } from '../config/environment.ts';
import { serveApi } from './serve.ts';

/** Below the time that the local stack gives. */
const closeMs = 4_000;

async function run(): Promise<void> {
  const environment = processEnvironment();
  const server = await serveApi({ config: loadConfig({ environment }), environment });
  const stop = (): void => {
    setTimeout(() => process.exit(1), closeMs).unref();
    server.close().then(() => process.exit(0), fail);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  await server.prepared;
}

function fail(error: unknown): never {
  const known = asCodetetherError(error);
  const lines = [`error: ${known.message}`, ...known.problems.map((problem) => `  ${problem}`)];
  process.stderr.write(`${[...lines, `${known.next} [${known.code}]`].join('\n')}\n`);
  if (known.code === 'internal' && known.stack !== undefined) process.stderr.write(`${known.stack}\n`);
  process.exit(known.entry.exit);
}

run().catch(fail);
