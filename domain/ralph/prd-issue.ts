/** Wording of what a schema found wrong in a PRD file: the place, what was expected, what is there. */
import type { z } from 'zod';
import type { PrdPath, SpelledPrd } from './prd-spelling.ts';

/** One problem line: `user_stories[2].title: must be text, is 5 (put it in quotes)`. */
export function describeIssue(issue: z.core.$ZodIssue, value: unknown, { place }: SpelledPrd): string {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  return `${place(path)}: ${describeMismatch(issue, valueAt(value, path))}`;
}

function describeMismatch(issue: z.core.$ZodIssue, found: unknown): string {
  if (issue.code === 'invalid_type') {
    const wanted = expectedWords[issue.expected] ?? issue.expected;
    return found === undefined
      ? `is missing (${wanted})`
      : `must be ${wanted}, is ${describeValue(found)}${quoteHint(issue.expected, found)}`;
  }
  if (issue.code === 'too_small')
    return issue.origin === 'string' ? 'is empty' : `must be ${issue.minimum} or more, is ${describeValue(found)}`;
  if (issue.code === 'invalid_format') return `${describeValue(found)} ${issue.message}`;
  if (issue.code === 'invalid_union')
    return found === undefined
      ? 'is missing (shell, file_exists or url)'
      : `must be shell, file_exists or url, is ${describeValue(found)}`;
  return `${issue.message}, is ${describeValue(found)}`;
}

const expectedWords: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

/** YAML reads unquoted `5`, `yes: no` and the like as something else than text. */
function quoteHint(expected: string, found: unknown): string {
  return expected === 'string' && found !== null && !Array.isArray(found) ? ' (put it in quotes)' : '';
}

/** A short text for a value of a file: at most 60 characters. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'number') return value.toString();
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}

function valueAt(value: unknown, path: PrdPath): unknown {
  return path.reduce<unknown>(
    (inner, part) => (isObject(inner) ? new Map(Object.entries(inner)).get(String(part)) : undefined),
    value,
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return isObject(value) && !Array.isArray(value);
}
