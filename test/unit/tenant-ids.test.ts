import { expect, test } from 'vitest';
import {
  agentSessionId,
  attemptId,
  defaultTenant,
  ralphRunId,
  repositoryOf,
  runIdOf,
  sessionRunId,
  tenantOf,
} from '../../domain/run/ids.ts';

test.each([defaultTenant, 'acme', 'a-2'])(
  'every id below a run of %s says whose it is, and which run it is of',
  (tenant) => {
    const run = ralphRunId('todo-1f2e3d', 'feature/due-dates', tenant);
    const session = sessionRunId('8d1b', tenant);
    const below = [run, attemptId(run, 's1', 2), agentSessionId(attemptId(run, 's1', 2), 'call:1')];
    for (const id of below) expect([tenantOf(id), runIdOf(id)]).toEqual([tenant, run]);
    for (const id of [session, agentSessionId(session, 'c')])
      expect([tenantOf(id), runIdOf(id)]).toEqual([tenant, session]);
    expect(repositoryOf(run)).toBe('todo-1f2e3d');
  },
);

test('the ids of the local stack are what they were', () => {
  expect(ralphRunId('todo-1f2e3d', 'due-dates')).toBe('ralph:todo-1f2e3d:due-dates');
  expect(sessionRunId('8d1b')).toBe('session:8d1b');
});
