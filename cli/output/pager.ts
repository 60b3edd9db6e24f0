import { spawn } from 'node:child_process';
import { variable } from '../../services/config/environment.ts';
import type { Environment } from '../../services/config/environment.ts';

/**
 * Prints on stdout; on a terminal that the lines do not fit on, through `$PAGER` (else `less`). Lines that a missing
 * pager cannot show are printed plainly.
 */
export async function printPaged(
  stdout: NodeJS.WriteStream,
  lines: readonly string[],
  environment: Environment,
): Promise<void> {
  const text = lines.map((line) => `${line}\n`).join('');
  const pager = variable(environment, 'PAGER') ?? 'less';
  const fits = !stdout.isTTY || lines.length < stdout.rows;
  if (fits || pager === 'cat' || !(await paged(pager, text, environment))) stdout.write(text);
}

function paged(pager: string, text: string, environment: Environment): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(pager, {
      shell: true,
      stdio: ['pipe', 'inherit', 'inherit'],
      env: { LESS: 'FRX', ...environment },
    });
    child.on('error', () => resolve(false));
    // 127: the shell has found no such program.
    child.on('close', (code) => resolve(code !== 127));
    // A pager may be left before it has read everything.
    child.stdin.on('error', () => undefined);
    child.stdin.end(text);
  });
}
