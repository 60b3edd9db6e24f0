import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CodetetherError, errorCatalogue, fromProblem, toProblem } from '../../domain/errors.ts';

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');

test('docs/errors.md lists exactly the codes of the catalogue, with their exit codes and HTTP statuses', () => {
  const documented = page.split('\n').flatMap((line) => {
    const cells = /^\| `([a-z-]+)` \| (\d+) \| (\d+) \| (yes|no) \| (.+) \| (.+) \|$/.exec(line);
    return cells === null ? [] : [cells.slice(1)];
  });
  const catalogue = Object.entries(errorCatalogue).map(([code, entry]) => [
    code,
    String(entry.exit),
    String(entry.http),
    entry.retryable ? 'yes' : 'no',
    entry.summary,
    entry.next.replaceAll('|', '\\|'),
  ]);
  expect(documented).toEqual(catalogue);
});

test('every code has a documented exit status', () => {
  for (const [code, entry] of Object.entries(errorCatalogue))
    expect([1, 2, 3, 4, 5, 6, 75, 130], code).toContain(entry.exit);
});

test('an error survives a process boundary with its code, problems and next step', () => {
  const error = new CodetetherError('prd-invalid', 'prd.json is not usable', {
    problems: ['user_stories[0].id: missing'],
    next: 'mend it',
    details: { path: 'prd.json' },
  });
  const back = fromProblem(JSON.parse(JSON.stringify(toProblem(error))));
  expect({
    code: back.code,
    message: back.message,
    problems: back.problems,
    next: back.next,
    details: back.details,
  }).toEqual({
    code: 'prd-invalid',
    message: 'prd.json is not usable',
    problems: ['user_stories[0].id: missing'],
    next: 'mend it',
    details: { path: 'prd.json' },
  });
});

test('an error that nobody foresaw is internal, and a code of a newer release too', () => {
  expect(toProblem(new TypeError('x is undefined'))).toMatchObject({
    code: 'internal',
    title: 'x is undefined',
    status: 500,
  });
  expect(fromProblem({ ...toProblem(new Error('x')), code: 'not-known-here' as never }).code).toBe('internal');
});
