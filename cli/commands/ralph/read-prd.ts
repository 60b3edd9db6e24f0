import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { CodetetherError } from '../../../domain/errors.ts';
import { parsePrd } from '../../../domain/ralph/parse-prd.ts';
import type { ParsedPrd } from '../../../domain/ralph/parse-prd.ts';

/**
 * The PRD of a JSON or YAML file.
 * @throws `prd-missing`; `prd-invalid` with every problem and its place
 */
export async function readPrd(path: string): Promise<ParsedPrd> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new CodetetherError('prd-missing', `there is no PRD at ${path}`, { cause: error });
    const why = code === 'EISDIR' ? 'is a folder' : error instanceof Error ? error.message : String(error);
    throw new CodetetherError('prd-missing', `the PRD cannot be read: ${path} ${why}`, { cause: error });
  }
  return parsePrd(await parseText(path, text));
}

async function parseText(path: string, text: string): Promise<unknown> {
  const isYaml = ['.yaml', '.yml'].includes(extname(path).toLowerCase());
  try {
    if (!isYaml) return JSON.parse(text.replace(/^\uFEFF/, '')) as unknown;
    const { parse } = await import('yaml');
    return parse(text) as unknown;
  } catch (error) {
    const message = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw new CodetetherError('prd-invalid', `the PRD is not ${isYaml ? 'YAML' : 'JSON'}`, {
      problems: [`${path}: ${message}`],
      cause: error,
    });
  }
}
