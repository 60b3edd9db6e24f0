import { expect, test } from 'vitest';
import { hostNote } from '../../cli/output/host-note.ts';

const now = new Date('2026-11-21T12:30:00');
const host = (hostId: string, alive: boolean, minute = 10) => ({
  hostId,
  name: hostId,
  pid: 1,
  version: '1',
  slots: 8,
  slotsUsed: 0,
  leases: 0,
  seenAt: new Date(2026, 10, 21, 12, minute).toISOString(),
  alive,
});
const run = { hostId: 'a', remote: null } as const;
const shared = { ...run, remote: '/srv/app.git' };

test('a run whose own host is lost says so, whatever other hosts there are', () => {
  expect(hostNote(run, [host('a', false), host('b', true)], now)).toBe(
    'waits for its host a (last seen today 12:10): codetether up there, or codetether worker',
  );
});

test('a shared run waits for a host only when all are lost', () => {
  expect(hostNote(shared, [host('a', false), host('b', true)], now)).toBeUndefined();
  expect(hostNote(shared, [host('a', false), host('b', false, 20)], now)).toBe(
    'waits for a host; all are lost (last seen today 12:20): codetether up there, or codetether worker',
  );
});
