import { writeFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { CodetetherError, exitCodes } from '../../../domain/errors.ts';
import { prdTemplate } from '../../../domain/ralph/prd-template.ts';
import { repositoryGates } from '../../../services/client/read-prd.ts';
import { processEnvironment, variable } from '../../../services/config/environment.ts';
import { shellWord } from '../../output/final.ts';
import { findRepository, realpath } from './repository.ts';

export interface CreatePrdOptions {
  readonly feature: string;
  readonly projectName?: string;
  readonly output: string;
  readonly force?: boolean;
  readonly stdout?: boolean;
  readonly json?: boolean;
}

/** `codetether ralph create-prd`: never overwrites a file unasked. */
export async function createPrd(options: CreatePrdOptions): Promise<number> {
  const { stdout, stderr } = process;
  const folder = findRepository(process.cwd()) ?? realpath(process.cwd());
  const prd = prdTemplate({
    project: options.projectName ?? basename(folder),
    feature: options.feature,
    gates: repositoryGates(folder, variable(processEnvironment(), 'PATH') ?? ''),
  });
  const text = `${JSON.stringify(prd, null, 2)}\n`;
  if (options.stdout === true || options.json === true) {
    stdout.write(text);
    return exitCodes.completed;
  }
  await writeNew(options.output, text, options.force === true);
  const gates = Object.values(prd.quality_checks);
  const file = shellWord(options.output);
  stdout.write(`${options.output}\n`);
  stderr.write(
    `  gates   ${gates.length === 0 ? 'none found; add quality_checks, or every story passes unchecked' : gates.join(', ')}\n` +
      `  write   your stories in place of the two examples\n` +
      `  check   codetether ralph validate ${file}\n` +
      `  run     codetether ralph run --prd ${file}\n`,
  );
  return exitCodes.completed;
}

async function writeNew(path: string, text: string, force: boolean): Promise<void> {
  try {
    await writeFile(resolve(path), text, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') {
      throw new CodetetherError('usage', `${path} is there already`, {
        next: 'Overwrite it with --force, name another file with --output, or only look with --stdout.',
        cause: error,
      });
    }
    if (code === 'ENOSPC') throw new CodetetherError('disk-full', undefined, { cause: error });
    throw new CodetetherError(
      'usage',
      `${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
      {
        next: 'Name a file in a folder that is there, with --output.',
        cause: error,
      },
    );
  }
}
