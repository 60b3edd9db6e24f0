import { DatabaseError } from 'pg';
import { expect, test } from 'vitest';
import { databaseError } from '../../services/store/database-errors.ts';
import { numericDollars } from '../../services/store/money.ts';

function fromServer(state: string): DatabaseError {
  const error = new DatabaseError('said the server', 0, 'error');
  error.code = state;
  return error;
}

function fromSystem(code: string): Error {
  return Object.assign(new AggregateError([], ''), { code });
}

test.each(['57P01', '57P02', '57P03', '08006', '53300', '28P01', '3D000'])(
  'SQLSTATE %s means the database does not answer now',
  (state) => {
    expect(databaseError(fromServer(state))).toMatchObject({
      code: 'database-unreachable',
      message: 'PostgreSQL does not answer: said the server',
    });
  },
);

test.each(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND'])('%s means the same', (code) => {
  expect(databaseError(fromSystem(code))).toMatchObject({
    code: 'database-unreachable',
    message: `PostgreSQL does not answer: ${code}`,
  });
});

test('a connection that ended without a code means the same', () => {
  expect(databaseError(new Error('Connection terminated unexpectedly'))).toMatchObject({
    code: 'database-unreachable',
  });
});

test('a full disk is a full disk, wherever it is', () => {
  expect(databaseError(fromServer('53100'))).toMatchObject({ code: 'disk-full' });
  expect(databaseError(fromSystem('ENOSPC'))).toMatchObject({ code: 'disk-full' });
});

test('mistakes of ours stay what they are', () => {
  for (const error of [fromServer('42P01'), fromServer('23505'), new TypeError('x'), 'text']) {
    expect(databaseError(error)).toBe(error);
  }
});

test('money is written to the nano-dollar, and nothing that is no amount is written', () => {
  expect(numericDollars(0.1 + 0.2)).toBe('0.300000000');
  expect(numericDollars(0.0000000006)).toBe('0.000000001');
  expect(() => numericDollars(Number.NaN)).toThrow('not finite');
});
