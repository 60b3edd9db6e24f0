import { isDeepStrictEqual } from 'node:util';

type Json = { readonly [key: string]: unknown };

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What is wrong with a value by what a case expects of it: a literal, an object of expectations, or both. */
export function problemsOf(value: unknown, expected: unknown, path = '$'): readonly string[] {
  if (!isObject(expected))
    return isDeepStrictEqual(value, expected) ? [] : [`${path} is ${shown(value)}, not ${shown(expected)}`];
  return Object.entries(expected).flatMap(([key, wanted]) => {
    const check = checks[key];
    if (check !== undefined) return check(value, wanted, path);
    return problemsOf(isObject(value) ? value[key] : undefined, wanted, `${path}.${key}`);
  });
}

const checks: { readonly [name: string]: (value: unknown, wanted: unknown, path: string) => readonly string[] } = {
  type: (value, wanted, path) => unless(typeOf(value) === wanted, `${path} is ${shown(value)}, no ${String(wanted)}`),
  exists: (value, wanted, path) => unless((value !== undefined) === wanted, `${path} is ${shown(value)}`),
  absent: (value, wanted, path) => unless((value === undefined) === wanted, `${path} is ${shown(value)}`),
  one_of: any,
  any_of: any,
  all_of: (value, wanted, path) => list(wanted).flatMap((one) => problemsOf(value, one, path)),
  contains: (value, wanted, path) =>
    unless(typeof value === 'string' && value.includes(String(wanted)), `${path} is ${shown(value)}`),
  matches: (value, wanted, path) =>
    unless(typeof value === 'string' && new RegExp(String(wanted)).test(value), `${path} is ${shown(value)}`),
  starts_with: (value, wanted, path) =>
    unless(typeof value === 'string' && value.startsWith(String(wanted)), `${path} is ${shown(value)}`),
  count: (value, wanted, path) => unless(lengthOf(value) === wanted, `${path} has ${lengthOf(value)}`),
  count_gte: (value, wanted, path) => unless(lengthOf(value) >= Number(wanted), `${path} has ${lengthOf(value)}`),
  count_lte: (value, wanted, path) => unless(lengthOf(value) <= Number(wanted), `${path} has ${lengthOf(value)}`),
  items: (value, wanted, path) =>
    Array.isArray(wanted)
      ? wanted.flatMap((one, index) => problemsOf(list(value)[index], one, `${path}[${index}]`))
      : list(value).flatMap((item, index) => problemsOf(item, wanted, `${path}[${index}]`)),
};

function any(value: unknown, wanted: unknown, path: string): readonly string[] {
  const found = list(wanted).map((one) => problemsOf(value, one, path));
  return found.some((problems) => problems.length === 0) ? [] : [`${path} is ${shown(value)}`];
}

/** All values at a path like `task.artifacts[*].parts[0]`. */
export function valuesAt(value: unknown, path: string): readonly unknown[] {
  let found: readonly unknown[] = [value];
  for (const key of path.split(/[.[\]]+/).filter((part) => part !== ''))
    found = found.flatMap((one) => {
      if (key === '*') return list(one);
      if (Array.isArray(one)) return [one[Number(key)]];
      return isObject(one) ? [one[key]] : [];
    });
  return found.filter((one) => one !== undefined);
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : -1;
}

function unless(isRight: boolean, problem: string): readonly string[] {
  return isRight ? [] : [problem];
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'absent').slice(0, 200);
}
