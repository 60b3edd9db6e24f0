import { realpath, stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import type { MessageRequest } from '../../domain/contracts/api.ts';
import type { SessionMessage } from '../../domain/contracts/session.ts';
import type { SessionOpening, SessionRun } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { defaultAskTimeoutMs } from '../../domain/run/approval.ts';
import { hookPoints } from '../../domain/session/hooks.ts';
import type { TurnHooks } from '../../domain/session/hooks.ts';
import type { ApiDeps } from './deps.ts';
import { resolveMessage } from './resolve-message.ts';

export interface PreparedTurn {
  readonly opening: SessionOpening;
  readonly message: SessionMessage;
  /** For people, about what was accepted on the way. */
  readonly warnings: readonly string[];
}

const mostWarnings = 20;
const titleCharacters = 100;

/**
 * Checks a message to a session and makes it what its turn works with, whatever becomes of the files meanwhile; its texts are in the
 * store then, and nothing is opened or sent.
 * @throws `request-invalid`, `not-found`, `extension-invalid`, `model-unknown`, `provider-key-missing`, `script-invalid`
 */
export async function prepareTurn(
  deps: Pick<ApiDeps, 'store' | 'extensions' | 'checkModel'>,
  session: Pick<SessionRun, 'sessionId' | 'folder' | 'hostId' | 'title' | 'agent'> & {
    readonly model: string | undefined;
  },
  request: z.output<typeof MessageRequest> & { readonly messageId: string },
): Promise<PreparedTurn> {
  const { store } = deps;
  const { sessionId, folder, hostId, title } = session;
  const { fallbackModel, outputSchema } = request;
  const extensions = await deps.extensions(folder);
  const { text, agent, model, rules, maxSteps, prompt } = resolveMessage(extensions, { session, request });
  const points = hookPoints(extensions.hooks);
  const hooks: TurnHooks = { folder: extensions.project, hooks: extensions.hooks };
  await Promise.all([deps.checkModel(model), fallbackModel === undefined ? undefined : deps.checkModel(fallbackModel)]);
  const schema = outputSchema === undefined ? undefined : checkedSchema(outputSchema);
  const message: SessionMessage = {
    messageId: request.messageId,
    text: await store.putBlob(text),
    ...(schema === undefined ? {} : { outputSchema: await store.putBlob(schema) }),
    agent,
    ...(prompt === undefined ? {} : { agentPrompt: await store.putBlob(prompt) }),
    ...rules,
    ...(points.length === 0 ? {} : { hooks: { settings: await store.putBlob(JSON.stringify(hooks)), points } }),
    model,
    ...(fallbackModel === undefined ? {} : { fallbackModel }),
    maxSteps: request.maxSteps ?? maxSteps,
    maxTimeMs: request.maxTimeMs ?? null,
    onAsk: request.onAsk ?? 'deny',
    askTimeoutMs: request.askTimeoutMs ?? defaultAskTimeoutMs,
  };
  const { maxCostUsd, maxTokens, maxTotalSteps } = request;
  const caps = {
    ...(maxCostUsd === undefined ? {} : { maxCostUsd }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(maxTotalSteps === undefined ? {} : { maxTotalSteps }),
  };
  const opening: SessionOpening = {
    sessionId,
    folder,
    hostId,
    title,
    // What a command or an agent names is for its own turns.
    model: request.model ?? session.model ?? model,
    agent: request.agent ?? session.agent,
    caps,
  };
  return { opening, message, warnings: extensions.problems.slice(0, mostWarnings) };
}

/** As text. @throws `request-invalid` when it is no JSON schema that answers can be held against */
function checkedSchema(schema: Readonly<Record<string, unknown>>): string {
  try {
    z.fromJSONSchema(schema);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CodetetherError('request-invalid', 'the output schema cannot be used', {
      problems: [`outputSchema: ${reason}`],
      cause: error,
    });
  }
  return JSON.stringify(schema);
}

export async function requireFolder(folder: string): Promise<string> {
  const problem = (what: string) =>
    new CodetetherError('request-invalid', `the folder cannot be worked in: ${folder}`, {
      problems: [`folder: ${what}`],
    });
  if (!isAbsolute(folder) || folder.includes('\0')) throw problem('must be an absolute path');
  if ((await stat(folder).catch(() => undefined))?.isDirectory() !== true) throw problem('is not there (any more)');
  return await realpath(folder);
}

export function titleOf(text: string): string {
  const line = text.trim().split('\n')[0] ?? '';
  return line.slice(0, titleCharacters).toWellFormed();
}
