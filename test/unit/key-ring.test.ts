import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { areSecretKeys, createKeyRing, newSecretKey } from '../../services/config/key-ring.ts';

const [one, two] = [newSecretKey(), newSecretKey()];

test('what a ring has sealed is opened by it, by one to which a new first key was added, and by no other', () => {
  const sealed = createKeyRing(one)?.seal('the secret', ['push', 'a']) ?? Buffer.alloc(0);
  expect(sealed.includes('secret')).toBe(false);
  expect(createKeyRing(one)?.open(sealed, ['push', 'a'])).toBe('the secret');
  expect(createKeyRing(`${two},${one}`)?.open(sealed, ['push', 'a'])).toBe('the secret');
  expect(() => createKeyRing(two)?.open(sealed, ['push', 'a'])).toThrow(/no key/);
});

test('a ring with a new first key seals with that one', () => {
  const sealed = createKeyRing(`${two},${one}`)?.seal('x', []) ?? Buffer.alloc(0);
  expect(() => createKeyRing(one)?.open(sealed, [])).toThrow(/no key/);
  expect(createKeyRing(two)?.open(sealed, [])).toBe('x');
});

test('a secret is never the same twice, and not opened as that of something else or when a bit of it was changed', () => {
  const ring = createKeyRing(one);
  const [sealed, again] = [ring?.seal('x', ['a', 'b']), ring?.seal('x', ['a', 'b'])];
  if (sealed === undefined || again === undefined) throw new Error('there is no ring');
  expect(sealed.equals(again)).toBe(false);
  for (const whose of [['a'], ['ab'], ['a', 'b', ''], ['b', 'a']]) expect(() => ring?.open(sealed, whose)).toThrow();
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(() => ring?.open(changed, ['a', 'b']), String(at)).toThrow();
  }
  expect(() => ring?.open(sealed.subarray(0, 12), ['a', 'b'])).toThrow();
});

test('what is derived is the same in every process, another for each purpose and key', () => {
  const derived = (keys: string, purpose: string) =>
    createKeyRing(keys)
      ?.derive(purpose)
      .map((bytes) => bytes.toString('hex'));
  const [first] = derived(one, 'card') ?? [];
  expect(derived(`${two},${one}`, 'card')?.[1]).toBe(first);
  expect(derived(one, 'other')).not.toContain(first);
  expect(derived(two, 'card')).not.toContain(first);
});

test.each([
  [newSecretKey(), true],
  [`${one} , ${two}`, true],
  ['', false],
  ['secret', false],
  [`${one},`, false],
  [randomBytes(31).toString('base64'), false],
  [randomBytes(32).toString('hex'), false],
])('%s as keys: %s', (text, isRight) => {
  expect(areSecretKeys(text)).toBe(isRight);
});
