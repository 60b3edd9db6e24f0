import { asCodetetherError } from '../domain/errors.ts';

/** What a process says of the error that ends it, in its log: words for people; a stack only for what nobody foresaw. */
export function processError(error: unknown): readonly string[] {
  const { message, problems, next, code, stack } = asCodetetherError(error);
  const lines = [`error: ${message}`, ...problems.map((problem) => `  ${problem}`), `${next} [${code}]`];
  return code === 'internal' && stack !== undefined ? [...lines, stack] : lines;
}
