/** The API process of the local stack, on its socket. Ends by itself only when it cannot be of use. */
import { asCodetetherError } from '../../domain/errors.ts';
import { loadConfig } from '../config/config.ts';
import { processEnvironment } from '../config/environment.ts';
import { serveUntilTold } from './process.ts';

function fail(error: unknown): never {
  const known = asCodetetherError(error);
  const lines = [`error: ${known.message}`, ...known.problems.map((problem) => `  ${problem}`)];
  process.stderr.write(`${[...lines, `${known.next} [${known.code}]`].join('\n')}\n`);
  if (known.code === 'internal' && known.stack !== undefined) process.stderr.write(`${known.stack}\n`);
  process.exit(known.entry.exit);
}

async function run(): Promise<void> {
  const environment = processEnvironment();
  const config = loadConfig({ environment });
  await serveUntilTold({ config, environment, socket: config.apiSocket });
}

run().then(() => process.exit(0), fail);
