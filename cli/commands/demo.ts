import { spawn } from 'node:child_process';
import { cp, mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { exitCodes } from '../../domain/errors.ts';

interface DemoOptions {
  readonly model?: string;
}

/** `codetether demo`: the main job on an example repository, from nothing, in a minute. */
export function command(): Command {
  return new Command('demo')
    .summary('run the example PRD on a copy of the example repository')
    .description(
      'Copies examples/todo-cli to a temporary folder, makes it a git repository and runs `codetether ralph run` on its PRD.\n' +
        'Without --model a script plays the model: no key, no network, no cost.',
    )
    .option('-m, --model <provider/model>', 'use a real model instead of the script')
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  codetether demo\n' +
        '  codetether demo --model anthropic/claude-sonnet-4-5\n' +
        '  npm run demo                                    the same in a fresh clone\n' +
        '\nExit codes: those of codetether ralph run.',
    )
    .action(async (options: DemoOptions) => {
      process.exitCode = await demo(options);
    });
}

async function demo(options: DemoOptions): Promise<number> {
  const example = join(packageRoot(), 'examples', 'todo-cli');
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-demo-')));
  const repository = join(folder, 'todo-cli');
  await cp(join(example, 'repository'), repository, { recursive: true });
  const author = ['-c', 'user.name=codetether demo', '-c', 'user.email=demo@localhost'];
  await run('git', ['init', '--quiet', '--initial-branch', 'main'], repository);
  await run('git', ['add', '--all'], repository);
  await run('git', [...author, 'commit', '--quiet', '--message', 'chore: a to-do list without due dates'], repository);
  process.stderr.write(`demo repository ${repository}\n`);

  const model = options.model ?? `scripted/${join(example, 'script.yaml')}`;
  const code = await run(
    process.execPath,
    [process.argv[1] ?? '', 'ralph', 'run', '--prd', 'prd.json', '--model', model],
    repository,
  );
  if (code === exitCodes.completed) {
    process.stderr.write(
      `\nlook      cd ${repository} && git log --stat main..feature/due-dates\n` +
        'again     codetether demo      the stack stays up for it; stop it with: codetether down\n',
    );
  }
  return code;
}

/** `dist/cli/commands/demo.js` or `cli/commands/demo.ts`: the folder that holds package.json. */
function packageRoot(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const above = join(here, '..', '..');
  return above.endsWith('dist') || dirname(above) === above ? dirname(above) : above;
}

function run(file: string, args: readonly string[], cwd: string): Promise<number> {
  return new Promise((resolve, reject) => {
    // Ctrl-C reaches the child by the terminal; this process only waits for it.
    const ignore = () => undefined;
    process.on('SIGINT', ignore);
    const child = spawn(file, args, { cwd, stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (code) => {
      process.off('SIGINT', ignore);
      resolve(code ?? exitCodes.error);
    });
  });
}
