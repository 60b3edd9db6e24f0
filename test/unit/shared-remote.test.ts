import { expect, test } from 'vitest';
import { isRemoteUrl, remoteProblem } from '../../domain/ralph/remote.ts';
import { leastUsedHost } from '../../domain/run/placement.ts';

test.each([
  '/srv/git/app.git',
  'https://example.com/app.git',
  'ssh://git@example.com/app.git',
  'git@example.com:app.git',
  'file:///srv/app.git',
])('%s can be a shared remote', (remote) => {
  expect(remoteProblem(remote)).toBeNull();
});

test.each([
  ['https://token@example.com/app.git', /credential helper/],
  ['https://ada:secret@example.com/app.git', /credential helper/],
  ['ssh://git:secret@example.com/app.git', /credential helper/],
  ['ada:secret@example.com:app.git', /password/],
  ['ext::sh -c "touch /tmp/x"', /any command/],
  ['--upload-pack=touch', /absolute path or a URL/],
  ['../app.git', /absolute path or a URL/],
  ['gopher://example.com/app', /scheme gopher/],
])('%s is refused, and not repeated', (remote, problem) => {
  expect(remoteProblem(remote)).toMatch(problem);
  expect(remoteProblem(remote)).not.toContain('secret');
  expect(remoteProblem(remote)).not.toContain('token@');
});

test('a relative path is no URL', () => {
  expect(isRemoteUrl('../app.git')).toBe(false);
  expect(isRemoteUrl('git@example.com:app.git')).toBe(true);
});

test('the host with the smallest share of its slots in use is chosen; at a tie the own one, then the first', () => {
  const host = (hostId: string, stories: number, slots = 8) => ({ hostId, slots, stories });
  expect(leastUsedHost([host('a', 2), host('b', 1), host('c', 3)], 'c')?.hostId).toBe('b');
  expect(leastUsedHost([host('a', 1), host('b', 1, 2)], 'b')?.hostId).toBe('a');
  expect(leastUsedHost([host('a', 1), host('b', 1), host('c', 1)], 'c')?.hostId).toBe('c');
  expect(leastUsedHost([host('b', 0), host('a', 0)], 'c')?.hostId).toBe('a');
  expect(leastUsedHost([], 'a')).toBeUndefined();
});
