import { readFile, stat } from 'node:fs/promises';
import type { z } from 'zod';
import { CodetetherError } from '../../domain/errors.ts';
import { ModelScript } from '../../domain/model/script.ts';
import { yaml } from '../yaml.ts';

export interface ScriptReader {
  /**
   * Reads and checks a script; a file that has not changed is read once. Throws `script-invalid` naming each place.
   */
  read(path: string): Promise<ModelScript>;
}

const largestBytes = 16 * 1024 * 1024;

export function createScriptReader(): ScriptReader {
  const cache = new Map<string, { readonly version: string; readonly script: ModelScript }>();
  return {
    async read(path) {
      const version = await fileVersion(path);
      const cached = cache.get(path);
      if (cached?.version === version) return cached.script;
      const script = await parseScript(path, await readFile(path, 'utf8'));
      cache.set(path, { version, script });
      return script;
    },
  };
}

async function fileVersion(path: string): Promise<string> {
  try {
    const file = await stat(path);
    if (!file.isFile()) throw invalid(path, ['it is not a file']);
    if (file.size > largestBytes) throw invalid(path, [`it is larger than ${largestBytes / 1024 / 1024} MB`]);
    return `${file.mtimeMs}:${file.size}:${file.ino}`;
  } catch (error) {
    if (error instanceof CodetetherError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw invalid(path, [code === 'ENOENT' ? 'there is no such file' : `it cannot be read: ${code}`]);
  }
}

async function parseScript(path: string, text: string): Promise<ModelScript> {
  const parsed = ModelScript.safeParse(parseText(path, text));
  if (!parsed.success) throw invalid(path, parsed.error.issues.map(problem));
  const { stories, default: other } = parsed.data;
  if (Object.keys(stories).length === 0 && other === undefined)
    throw invalid(path, ['stories: there is none, and no default either']);
  return parsed.data;
}

function parseText(path: string, text: string): unknown {
  if (path.endsWith('.json')) {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw invalid(path, [error instanceof Error ? error.message : String(error)]);
    }
  }
  const document = yaml().parseDocument(text);
  if (document.errors.length > 0)
    throw invalid(
      path,
      document.errors.map((error) => error.message.split('\n')[0]?.replace(/:$/, '') ?? error.code),
    );
  return document.toJS();
}

/** `stories.US-001.attempts[0].turns[1].text: expected string, received number`. */
function problem(issue: z.core.$ZodIssue): string {
  const place = issue.path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`))
    .join('');
  const what = issue.message.replace(/^Invalid input: /, '');
  return place === '' ? what : `${place}: ${what}`;
}

function invalid(path: string, problems: readonly string[]): CodetetherError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return new CodetetherError('script-invalid', `the model script ${path} is not usable (${count})`, {
    problems: problems.slice(0, 20),
    details: { path },
  });
}
