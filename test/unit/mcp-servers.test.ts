import { expect, test } from 'vitest';
import { expandVariables, splitCommand } from '../../domain/session/mcp-servers.ts';

test('a command line is split as a shell would, or not at all where only a shell can tell', () => {
  expect(splitCommand('npx -y  @me/server')).toEqual(['npx', '-y', '@me/server']);
  expect(splitCommand(`a 'b  c' "d \\" \\e" f\\ g ''`)).toEqual(['a', 'b  c', 'd " \\e', 'f g', '']);
  expect(splitCommand('  ')).toEqual([]);
  for (const line of [
    'a | b',
    'a; b',
    'a && b',
    'a $HOME',
    'a "$(b)"',
    'a `b`',
    "a 'b",
    'a > b',
    'a *',
    'a\nb',
    'a \\',
  ])
    expect(splitCommand(line), line).toBeUndefined();
  expect(splitCommand("a '$HOME'")).toEqual(['a', '$HOME']);
});

test('variables are put in, with their defaults, and those that are missing are named', () => {
  const valueOf = (name: string) => (name === 'KEY' ? 'k-1' : undefined);
  expect(expandVariables('Bearer ${KEY}, ${PORT:-80} ${NONE:-} $KEY', valueOf)).toEqual({
    text: 'Bearer k-1, 80  $KEY',
    used: [['KEY', 'k-1']],
    missing: [],
  });
  expect(expandVariables('${AWAY}/${KEY}', valueOf)).toMatchObject({ text: '${AWAY}/k-1', missing: ['AWAY'] });
});
