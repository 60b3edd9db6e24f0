import type { DeadLetterView } from '../../../domain/contracts/push-api.ts';
import { CodetetherError, exitCodes } from '../../../domain/errors.ts';
import type { Client } from '../../../services/client/client.ts';
import { formatDay } from '../../output/format.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { listTable } from '../../output/table.ts';
import { ask, openContext, print, stdoutLook } from '../ralph/context.ts';

export interface ListOptions {
  readonly limit: number;
  readonly json?: boolean;
}

export interface ReplayOptions {
  readonly all?: boolean;
  readonly json?: boolean;
}

export async function list({ limit, json = false }: ListOptions): Promise<number> {
  const context = openContext();
  const { deadLetters } = await ask(context, (client) => client.listDeadLetters({ limit }));
  if (json) {
    print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, deadLetters }))]);
    return exitCodes.completed;
  }
  const onTerminal = context.stdout.isTTY;
  const column = (title: string, cell: (letter: DeadLetterView) => string) => ({
    title,
    cells: deadLetters.map(cell),
  });
  const columns = [
    column('id', ({ deadLetterId }) => deadLetterId),
    column('at', ({ at }) => (onTerminal ? formatDay(at, new Date()) : at)),
    column('task', ({ taskId }) => taskId),
    column('event', ({ seq }) => String(seq)),
    column('receiver', ({ receiver, disabled }) => (disabled ? `${receiver} (told nothing)` : receiver)),
    column('attempts', ({ attempts }) => String(attempts)),
    column('reason', ({ reason }) => reason),
  ];
  print(context.stdout, listTable(columns, stdoutLook(context), onTerminal));
  return exitCodes.completed;
}

export async function replay(ids: readonly string[], { all = false, json = false }: ReplayOptions): Promise<number> {
  if (all === ids.length > 0)
    throw new CodetetherError('usage', 'which dead letters are replayed is not said', {
      next: 'Give their ids, or --all.',
    });
  const context = openContext();
  const replayed: DeadLetterView[] = [];
  for (const id of all ? await ask(context, allIds) : ids)
    replayed.push(await ask(context, (client) => client.replayDeadLetter(id)));
  if (json) print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, deadLetters: replayed }))]);
  else print(context.stderr, [`${replayed.length} ${replayed.length === 1 ? 'is' : 'are'} delivered again`]);
  return exitCodes.completed;
}

/** The oldest first: that is their order for a receiver. */
async function allIds(client: Client): Promise<readonly string[]> {
  const { deadLetters } = await client.listDeadLetters();
  return deadLetters.map(({ deadLetterId }) => deadLetterId).toReversed();
}
