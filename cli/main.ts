/** The program's entry. It answers `--version` by itself, since everything else costs more than Node's own start. */
import { writeSync } from 'node:fs';

const args = process.argv.slice(2);
if (args[0] === '--version' || args[0] === '-V') {
  const { packageVersion } = await import('../services/config/version.ts');
  writeSync(1, `${packageVersion()}\n`);
} else {
  const { runProgram } = await import('./program.ts');
  await runProgram(args);
}
