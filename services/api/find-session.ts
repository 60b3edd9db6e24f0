import type { SessionRun } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { agentPath, agentSessionId, isSessionRunId, sessionRunId, unnamed } from '../../domain/run/ids.ts';
import { isActive } from '../../domain/run/status.ts';
import { currentTenant } from '../store/current-tenant.ts';
import type { ApiDeps } from './deps.ts';

/** A row may be ahead of the engine for this long: it is written before the message is handed over. */
const startingMs = 30_000;
const readMs = 1_000;

/**
 * The session that `part` names: an id, with or without `session:`, or the beginning of one.
 * @throws `not-found`, `ambiguous-id` with the candidates
 */
export async function findSession(deps: Pick<ApiDeps, 'store' | 'engine'>, part: string): Promise<SessionRun> {
  const id = isSessionRunId(part) ? part : sessionRunId(part, currentTenant());
  const ids = await deps.store.findSessionIds(id);
  const [sessionId] = ids;
  const session = sessionId === undefined ? undefined : await deps.store.getSessionRun(sessionId);
  if (session === undefined) {
    throw new CodetetherError('not-found', `there is no session ${part}`, {
      next: 'See which there are: codetether sessions list',
    });
  }
  if (ids.length > 1) {
    throw new CodetetherError('ambiguous-id', `${part} fits ${ids.length} sessions`, {
      problems: ids,
      details: { candidates: ids },
    });
  }
  return await reconcileSession(deps, session);
}

/** The same, when it is not working on anything. @throws `session-busy` */
export async function findIdleSession(deps: Pick<ApiDeps, 'store' | 'engine'>, part: string): Promise<SessionRun> {
  const session = await findSession(deps, part);
  if (!isActive(session.status)) return session;
  throw new CodetetherError('session-busy', `${session.sessionId} is working`, {
    next: 'Wait for its turn, or end it: codetether sessions interrupt',
  });
}

/**
 * The transcript of an agent that the session's has started, or one that it has started itself: `scout`, `scout/helper`; the newest of
 * that name. @throws `not-found`
 */
export async function findAgentTranscript(
  { store }: Pick<ApiDeps, 'store'>,
  sessionId: string,
  agent: string,
): Promise<string> {
  let found = sessionId;
  for (const name of agent.split('/')) {
    const ids = await store.findSessionIds(agentSessionId(found, name.startsWith(unnamed) ? '' : name));
    const next = ids.find((id) => agentPath(id)?.split('/').at(-1) === name);
    if (next === undefined)
      throw new CodetetherError('not-found', `there is no agent ${agent} in ${sessionId}`, {
        next: 'Their names are in the lines of its turns, and in its calls of spawn_agent: codetether sessions show',
      });
    found = next;
  }
  return found;
}

/**
 * The session with its row corrected, where the row says that a turn is under way and the engine knows of none: somebody ended
 * its workflow. Where the engine does not answer, the row is taken as it is.
 */
export async function reconcileSession(
  deps: Pick<ApiDeps, 'store' | 'engine'>,
  session: SessionRun,
): Promise<SessionRun> {
  if (!isActive(session.status) || Date.now() - session.startedAt.getTime() < startingMs) return session;
  const known = await deps.engine.describe(session.sessionId, readMs).catch(() => undefined);
  if (known === undefined || known.kind === 'running') return session;
  await deps.store.abandonTurn(session.sessionId, 'its workflow was ended in the engine');
  return (await deps.store.getSessionRun(session.sessionId)) ?? session;
}
