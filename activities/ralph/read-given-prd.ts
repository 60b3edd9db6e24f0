import { CodetetherError } from '../../domain/errors.ts';
import { parsePrd, type ParsedPrd } from '../../domain/ralph/parse-prd.ts';
import { parsePrdText } from './prd-text.ts';

/** A PRD that is in no file yet: its text, as it would stand in `path`, or its value. */
export interface GivenPrd extends ParsedPrd {
  readonly text: string;
}

/** Throws `prd-invalid` with all problems. */
export function readGivenPrd(content: string | object, path: string): GivenPrd {
  const text = typeof content === 'string' ? content : JSON.stringify(content, null, 2);
  if (text.trim() === '') throw new CodetetherError('prd-invalid', 'The PRD is empty.');
  return { ...parsePrd(parsePrdText(text, path).value), text: text.endsWith('\n') ? text : `${text}\n` };
}
