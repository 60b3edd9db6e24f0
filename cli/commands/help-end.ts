import type { Command } from 'commander';

export interface StackHelp {
  /** Command line, then what it does. */
  readonly examples: readonly (readonly [commandLine: string, what: string])[];
  /** Number, then what it means. */
  readonly exitCodes: readonly (readonly [code: number, meaning: string])[];
}

/** Ends the help of a command about the local stack. */
export function withStackHelp(command: Command, { examples, exitCodes }: StackHelp): Command {
  const width = Math.max(...examples.map(([line]) => line.length));
  const exampleLines = examples.map(([line, what]) => `  ${line.padEnd(width)}  ${what}`);
  const codeLines = exitCodes.map(([code, meaning]) => `  ${String(code).padEnd(3)}  ${meaning}`);
  const text = ['', 'Examples:', ...exampleLines, '', 'Exit codes:', ...codeLines, '', 'More: docs/local-stack.md'];
  return command.addHelpText('after', text.join('\n'));
}
