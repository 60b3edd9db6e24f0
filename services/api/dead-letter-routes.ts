import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Principal } from '../../domain/access/permissions.ts';
import { DeadLetterListView, DeadLetterView } from '../../domain/contracts/push-api.ts';
import type { DeadLetter } from '../../domain/contracts/push-store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { ApiDeps } from './deps.ts';
import { cursorsOf, pageOf, pageQuery } from './pages.ts';
import { principalOf } from './permissions.ts';

const DeadLetterQuery = z.strictObject(pageQuery);
const DeadLetterPlace = z.tuple([z.uuid()]);
const DeadLetterParams = z.object({ deadLetterId: z.uuid() });

/** Push notifications that could not be delivered: those of one's own tasks; this machine's own user sees all of the tenant's. */
export function deadLetterRoutes({ store, engine }: Pick<ApiDeps, 'store' | 'engine'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/v1/dead-letters',
      {
        config: { permission: 'runs:read', summary: 'Push notifications that could not be delivered, newest first' },
        schema: { querystring: DeadLetterQuery, response: { 200: DeadLetterListView } },
      },
      async (request) => {
        const { limit, cursor } = request.query;
        const principal = principalOf(request);
        const cursors = cursorsOf([principal.tenant, 'dead-letters', whose(principal)], DeadLetterPlace);
        const [before] = cursors.read(cursor) ?? [];
        const read = await store.listDeadLetters({ ...whose(principal), before, limit: limit + 1 });
        const at = ({ deadLetterId }: DeadLetter) => [deadLetterId] as [string];
        const { items, nextCursor } = pageOf(read, { limit, cursors, at });
        return { deadLetters: items.map(deadLetterView), nextCursor };
      },
    );

    app.post(
      '/v1/dead-letters/:deadLetterId/replay',
      {
        config: { permission: 'runs:write', summary: 'Deliver it again, and what its receiver was not told since' },
        schema: { params: DeadLetterParams, response: { 200: DeadLetterView } },
      },
      async (request) => {
        const principal = principalOf(request);
        const { deadLetterId } = request.params;
        const replayed = await store.replayDeadLetter({ deadLetterId, ...whose(principal) });
        if (replayed === undefined)
          throw new CodetetherError('not-found', `there is no dead letter ${deadLetterId}`, {
            next: 'List what there is with codetether dead-letters list.',
          });
        const { taskId, configId, seq } = replayed;
        await store.appendAudit({
          principal: principal.id,
          action: 'dead-letters replay',
          outcome: 'done',
          detail: { taskId, configId, seq },
        });
        await engine.tellPush({ taskId, configId }, principal.tenant);
        return deadLetterView(replayed);
      },
    );
  };
}

function whose({ id, isLocal }: Principal): { readonly principal?: string } {
  return isLocal ? {} : { principal: id };
}

function deadLetterView({ url, at, isDisabled, ...letter }: DeadLetter): DeadLetterView {
  return { ...letter, receiver: URL.parse(url)?.origin ?? '', at: at.toISOString(), disabled: isDisabled };
}
