import { Extensions } from '@a2a-js/sdk';
import type { StreamResponse } from '@a2a-js/sdk';
import { RequestMalformedError, VersionNotSupportedError } from '@a2a-js/sdk/errors';
import { ServerCallContext } from '@a2a-js/sdk/server';
import type { A2ARequestHandler } from '@a2a-js/sdk/server';
import type { Principal } from '../../../domain/access/permissions.ts';
import type { ApiDeps } from '../deps.ts';
import { openStream } from '../stream-reply.ts';
import type { StreamCounts } from '../stream-reply.ts';
import type { CardAddresses } from './agent-card.ts';
import { createCards } from './cards.ts';
import type { Cards } from './cards.ts';
import { problemOf } from './request-shape.ts';
import { callerKey, createTaskHandler } from './task-handler.ts';
import type { Caller } from './task-handler.ts';
import { createTaskReader } from './task-reader.ts';

export const spokenVersions = ['1.0', '0.3'] as const;
export type SpokenVersion = (typeof spokenVersions)[number];

/** One call of a method, whatever it came by. */
export interface Call {
  readonly principal: Principal;
  readonly version: SpokenVersion;
  /** The header `A2A-Extensions`. */
  readonly extensions: string | undefined;
  /** Raised when nobody waits for the answer any more. */
  readonly gone: AbortSignal;
  /** Where the caller reaches this server. */
  readonly addresses: CardAddresses;
}

export interface OpenCall {
  readonly handler: A2ARequestHandler;
  readonly context: ServerCallContext;
}

export interface Calls {
  readonly cards: Cards;
  /** The A2A methods for one call. Streams count as event streams: theirs throw `rate-limited` as they begin. */
  open(call: Call): OpenCall;
}

export interface CallContext extends StreamCounts {
  /** Raised when the process ends. */
  readonly closing: AbortSignal;
}

/** What the three bindings of A2A have in common: who calls, in which version, until when, and what is counted. */
export function createCalls(deps: ApiDeps, context: CallContext): Calls {
  const cards = createCards(deps);
  const own = { ...deps, readTask: createTaskReader(deps.store) };
  return {
    cards,
    open: ({ principal, version, extensions, gone, addresses }) => {
      const caller: Caller = { principal, version, signal: AbortSignal.any([gone, context.closing]) };
      const handler = createTaskHandler(own, {
        card: () => cards.card(addresses),
        extendedCard: async () => await cards.extendedCard(addresses, version),
      });
      return {
        handler: {
          ...handler,
          sendMessageStream: (params, context) => counted(principal, handler.sendMessageStream(params, context)),
          resubscribe: (params, context) => counted(principal, handler.resubscribe(params, context)),
        },
        context: new ServerCallContext({
          requestedVersion: version,
          requestedExtensions: Extensions.parseServiceParameter(extensions),
          user: { isAuthenticated: true, userName: principal.id },
          state: new Map([[callerKey, caller]]),
        }),
      };
    },
  };

  async function* counted(
    principal: Principal,
    events: AsyncGenerator<StreamResponse, void, undefined>,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const end = openStream(context, principal);
    try {
      yield* events;
    } finally {
      end();
    }
  }
}

/** `1.0.1` is 1.0: patches take no part. */
export function versionNamed(text: string | undefined, otherwise: SpokenVersion): string {
  const version = text === undefined || text.trim() === '' ? otherwise : text.trim();
  return /^(\d+\.\d+)\.\d+$/.exec(version)?.[1] ?? version;
}

/** @throws the SDK's VersionNotSupportedError */
export function requireSpoken(version: string, spoken: readonly SpokenVersion[] = spokenVersions): SpokenVersion {
  const found = spoken.find((each) => each === version);
  if (found !== undefined) return found;
  throw new VersionNotSupportedError(`A2A ${version} is not spoken here; ${spoken.join(' and ')} is`);
}

/** @throws the SDK's RequestMalformedError */
export function requireShape(method: string, params: unknown): void {
  const problem = problemOf(method, params);
  if (problem !== undefined) throw new RequestMalformedError(problem);
}
