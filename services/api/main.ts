/** The API process of the local stack, on its socket. Ends by itself only when it cannot be of use. */
import { asCodetetherError } from '../../domain/errors.ts';
import { loadConfig } from '../config/config.ts';
import { processEnvironment } from '../config/environment.ts';
import { processError } from '../process-error.ts';
import { serveUntilTold } from './process.ts';

function fail(error: unknown): never {
  process.stderr.write(`${processError(error).join('\n')}\n`);
  process.exit(asCodetetherError(error).entry.exit);
}

async function run(): Promise<void> {
  const environment = processEnvironment();
  const config = loadConfig({ environment });
  await serveUntilTold({ config, environment, socket: config.apiSocket });
}

run().then(() => process.exit(0), fail);
