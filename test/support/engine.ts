import { loadConfig } from '../../services/config/config.ts';
import { processEnvironment } from '../../services/config/environment.ts';
import { findTemporalCli } from '../../services/stack/temporal-cli.ts';

/** Before all tests: the Temporal CLI, which may take minutes to build where there is none yet. */
export async function setup(): Promise<void> {
  await temporalCli();
}

/** Path of the Temporal CLI. */
export async function temporalCli(): Promise<string> {
  const { path } = await findTemporalCli({
    config: loadConfig(),
    environment: processEnvironment(),
    onProgress: ({ text }) => process.stderr.write(`${text}\n`),
  });
  return path;
}
