import type { MessageRequest } from '../../domain/contracts/api.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { builtInAgents, isBuiltInAgent } from '../../domain/session/agents.ts';
import type { AgentRules } from '../../domain/session/agents.ts';
import { expandCommand, readCommandLine } from '../../domain/session/extensions.ts';
import type { CustomAgent, Extensions } from '../../domain/session/extensions.ts';
import { nearest } from '../../domain/text/nearest.ts';

export interface ResolvedMessage {
  readonly text: string;
  readonly agent: string;
  readonly model: string;
  readonly rules: AgentRules;
  readonly maxSteps: number;
  /** What an agent that is not built in is told. */
  readonly prompt: string | undefined;
}

/**
 * A message as it is worked on, whatever becomes of the files meanwhile: its command expanded, its agent looked up. What the request
 * names comes before what the command names, before what the agent names, before what the session had last.
 * @throws `request-invalid` when nothing names a model, `not-found` with the nearest name for a command or an agent that is not there
 */
export function resolveMessage(
  extensions: Pick<Extensions, 'agents' | 'commands' | 'problems'>,
  {
    session,
    request,
  }: {
    readonly session: { readonly agent: string; readonly model: string | undefined };
    readonly request: Pick<MessageRequest, 'text' | 'agent' | 'model'>;
  },
): ResolvedMessage {
  const called = readCommandLine(request.text);
  const command =
    called === undefined
      ? undefined
      : found(extensions, { kind: 'command', sign: '/', name: called.name, all: extensions.commands });
  const agent = request.agent ?? command?.agent ?? session.agent;
  const own = isBuiltInAgent(agent)
    ? undefined
    : found<CustomAgent>(extensions, {
        kind: 'agent',
        sign: '',
        name: agent,
        all: extensions.agents,
        builtIn: Object.keys(builtInAgents),
      });
  const model = request.model ?? command?.model ?? own?.model ?? session.model;
  if (model === undefined)
    throw new CodetetherError('request-invalid', 'no model is named', { problems: ['model: is missing'] });
  const { readsOnly, maxSteps } = own ?? (isBuiltInAgent(agent) ? builtInAgents[agent] : builtInAgents.build);
  return {
    text: command === undefined || called === undefined ? request.text : expandCommand(command, called),
    agent,
    model,
    rules: {
      ...(readsOnly === true ? { readsOnly } : {}),
      ...(own?.tools === undefined ? {} : { tools: own.tools }),
    },
    maxSteps,
    prompt: own?.prompt,
  };
}

function found<T extends { readonly name: string }>(
  { problems }: Pick<Extensions, 'problems'>,
  wanted: {
    readonly kind: string;
    /** What stands before the name. */
    readonly sign: string;
    readonly name: string;
    readonly all: readonly T[];
    readonly builtIn?: readonly string[];
  },
): T {
  const { kind, sign, name, all, builtIn = [] } = wanted;
  const match = all.find((each) => each.name === name);
  if (match !== undefined) return match;
  const names = [...builtIn, ...all.map((each) => each.name)];
  const meant = nearest(name, names);
  const list = names.length === 0 ? 'there is none' : names.map((each) => `${sign}${each}`).join(', ');
  throw new CodetetherError(
    'not-found',
    `there is no ${kind} ${sign}${name}${meant === undefined ? '' : `; did you mean ${sign}${meant}?`}`,
    {
      // It may be in one of the files that are left out.
      problems: problems.filter((problem) => problem.includes(`/${kind}s/`)),
      next: `Name one of these: ${list}. Those of a project count when it is trusted: codetether trust`,
    },
  );
}
