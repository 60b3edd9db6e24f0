import assert from 'node:assert/strict';
import test from 'node:test';
import { main } from '../src/main.js';

test('an unknown command exits with 2', async () => {
  const lines = [];
  assert.equal(await main(['nonsense'], { write: (line) => lines.push(line) }), 2);
  assert.deepEqual(lines, ['todo: unknown command nonsense']);
});

test('help is the default command', async () => {
  const lines = [];
  assert.equal(await main([], { write: (line) => lines.push(line) }), 0);
  assert.match(lines[0], /^usage/);
});
