import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CodetetherError, errorCatalogue, exitCodes, isErrorCode } from '../../../domain/errors.ts';
import { longestMessage } from '../../../domain/session/limits.ts';
import type { MessageRequest, MessageResponse, SessionView } from '../../../domain/contracts/api.ts';
import type { OnAsk } from '../../../domain/run/approval.ts';
import type { RunEvent } from '../../../domain/run/events.ts';
import { projectFiles, projectOf } from '../../../services/config/extension-files.ts';
import { exitCodeOf } from '../../output/final.ts';
import { turnFactLines } from '../../output/turn-facts.ts';
import { turnEndLine, turnLine, turnObjects } from '../../output/turn.ts';
import { lookOf } from '../../output/terminal.ts';
import { cleanLine } from '../../output/text.ts';
import { absoluteModel, defaultModel, knownDefaultModel } from '../model-option.ts';
import { openContext, print, startStack } from '../ralph/context.ts';
import type { Context } from '../ralph/context.ts';
import type { OutputFormat } from '../ralph/options.ts';
import { realpath } from '../ralph/repository.ts';
import { reviver } from '../ralph/revive.ts';
import { followTurn } from '../../../services/client/follow-turn.ts';
import { QuestionPrompt } from './question-prompt.ts';
import { shortSessionId } from './short-id.ts';
import { writeResult } from './write-result.ts';

export interface SayOptions {
  readonly print?: string;
  readonly model?: string;
  readonly fallbackModel?: string;
  readonly agent?: string;
  readonly continue?: boolean;
  readonly resume?: string;
  readonly fork?: string;
  readonly cwd?: string;
  readonly maxSteps?: number;
  readonly maxTime?: number;
  readonly maxCost?: number;
  readonly maxTokens?: number;
  readonly onAsk?: OnAsk;
  readonly askTimeout?: number;
  readonly outputSchema?: string;
  readonly output?: string;
  readonly outputFormat: OutputFormat;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly sinceSeq?: number;
}

type TurnEnded = Extract<RunEvent, { kind: 'turn-ended' }>;

/** `codetether run`: one message, and the answer on stdout. @returns the exit status */
export async function say(words: readonly string[], options: SayOptions): Promise<number> {
  const context = openContext();
  const text = await messageOf(context, words, options);
  const outputSchema = options.outputSchema === undefined ? undefined : await readSchema(context, options.outputSchema);
  const folder = realpath(resolve(context.cwd, options.cwd ?? '.'));
  const target = await targetOf(context, options, folder);
  if (target !== undefined && options.quiet !== true) tellFolder(context, target, folder);
  const request = requestOf(context, options, { text, outputSchema });
  const sent =
    target === undefined
      ? await startSession(context, options, { ...request, folder })
      : await resumeSession(context, options, target, request);
  if (options.quiet !== true)
    print(
      context.stderr,
      sent.warnings.map((warning) => `left out: ${cleanLine(warning)}`),
    );
  const outputFormat = options.json === true ? 'json' : options.outputFormat;
  return await watchTurn(context, sent, { ...options, outputFormat });
}

async function startSession(
  context: Context,
  options: SayOptions,
  request: MessageRequest & { readonly folder: string },
): Promise<MessageResponse> {
  // An agent or a command can name the model: the API knows.
  const mayBeNamed = options.agent !== undefined || request.text.startsWith('/');
  const named = options.model ?? (mayBeNamed ? knownDefaultModel(context) : defaultModel(context, 'run'));
  const fallback = named === undefined ? {} : { defaultModel: absoluteModel(named, context.cwd) };
  await settleTrust(context, options, request.folder);
  await startStack(context, 'apply');
  return await context.client.startSession({ ...request, ...fallback });
}

async function resumeSession(
  context: Context,
  options: SayOptions,
  { sessionId, folder }: SessionView,
  request: MessageRequest,
): Promise<MessageResponse> {
  await settleTrust(context, options, folder);
  await startStack(context, 'apply');
  return await context.client.sendMessage(sessionId, request);
}

/** What reads and shows a project's own configuration is loaded only where there is one. */
export async function settleTrust(
  context: Context,
  { quiet }: Pick<SayOptions, 'quiet'>,
  folder: string,
): Promise<void> {
  const project = await projectOf(folder);
  if ((await projectFiles(project)).digest === null) return;
  const trust = await import('./trust.ts');
  await trust.settleTrust(context, project, (line) => {
    if (quiet !== true) print(context.stderr, [line]);
  });
}

/**
 * Undefined: a new session. A session stays in the folder it was started in, wherever the command is called.
 * @param folder where the command is called, or its `--cwd`
 * @throws `not-found` when there is none to go on with; `usage` for a `--cwd` that is not the session's folder
 */
export async function targetOf(
  context: Context,
  options: Pick<SayOptions, 'resume' | 'continue' | 'fork' | 'cwd'>,
  folder: string,
): Promise<SessionView | undefined> {
  const named = [options.resume, options.fork, options.continue].filter((option) => option !== undefined);
  if (named.length === 0) return undefined;
  if (named.length > 1) throw new CodetetherError('usage', 'only one of --continue, --resume and --fork can be given');
  await startStack(context, 'keep');
  const id = options.resume ?? options.fork;
  const found = id === undefined ? await newestSession(context, folder) : await context.client.getSession(id);
  if (options.cwd !== undefined && found.folder !== folder) {
    throw new CodetetherError('usage', `session ${shortSessionId(found.sessionId)} works in ${found.folder}`, {
      next: `Leave --cwd out to go on there; to work in ${folder}, start a session: codetether run --cwd ${folder} "…"`,
    });
  }
  return options.fork === undefined ? found : await context.client.forkSession(found.sessionId, {});
}

async function newestSession({ client }: Context, folder: string): Promise<SessionView> {
  const { sessions } = await client.listSessions({ limit: 1, folder });
  const [newest] = sessions;
  if (newest !== undefined) return newest;
  throw new CodetetherError('not-found', `there is no session of ${folder} to go on with`, {
    next: 'Start one: codetether run "…"; those of other folders: codetether sessions list --all',
  });
}

/** Nobody should think that the agent works here when it works elsewhere. */
export function tellFolder({ stderr }: Context, session: SessionView, folder: string): void {
  if (session.folder !== folder) print(stderr, [`works in ${cleanLine(session.folder)}, the session's folder`]);
}

/** What the API is asked. */
export function requestOf(
  { cwd, stdin, stderr }: Pick<Context, 'cwd' | 'stdin' | 'stderr'>,
  options: Omit<SayOptions, 'outputFormat'>,
  { text, outputSchema }: { readonly text: string; readonly outputSchema: Record<string, unknown> | undefined },
): MessageRequest {
  const { model, fallbackModel, agent, maxSteps, maxTime, maxCost, maxTokens, askTimeout } = options;
  return {
    text,
    ...(model === undefined ? {} : { model: absoluteModel(model, cwd) }),
    ...(fallbackModel === undefined ? {} : { fallbackModel: absoluteModel(fallbackModel, cwd) }),
    ...(agent === undefined ? {} : { agent }),
    ...(maxSteps === undefined ? {} : { maxSteps }),
    ...(maxTime === undefined ? {} : { maxTimeMs: maxTime }),
    ...(maxCost === undefined ? {} : { maxCostUsd: maxCost }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(askTimeout === undefined ? {} : { askTimeoutMs: askTimeout }),
    ...(outputSchema === undefined ? {} : { outputSchema }),
    onAsk: options.onAsk ?? (stdin.isTTY && stderr.isTTY ? 'wait' : 'deny'),
  };
}

/** The words of the command line, and what is piped in as context below them. */
async function messageOf({ stdin }: Context, words: readonly string[], options: SayOptions): Promise<string> {
  const said = [...(options.print === undefined ? [] : [options.print]), ...words].join(' ').trim();
  const piped = stdin.isTTY ? '' : await readPiped(stdin);
  const text = said === '' || piped === '' ? said + piped : `${said}\n\n<stdin>\n${piped}\n</stdin>`;
  if (text.trim() === '') {
    throw new CodetetherError('usage', 'there is no message', { next: 'Say what is to be done: codetether run "…"' });
  }
  if (text.length <= longestMessage) return text;
  throw tooLong(String(text.length));
}

const tooLong = (characters: string): CodetetherError =>
  new CodetetherError('usage', `the message has ${characters} characters; ${longestMessage} are allowed`, {
    next: 'Put the rest into a file, and name it in the message: the agent can read it.',
  });

/** @throws `usage` for what is no text in UTF-8 */
async function readPiped(stdin: NodeJS.ReadStream): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const buffer = Buffer.from(chunk);
    bytes += buffer.length;
    // Four bytes for each character at most: the message would be too long anyway.
    if (bytes > 4 * longestMessage) throw tooLong(`more than ${longestMessage}`);
    chunks.push(buffer);
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
    if (!text.includes('\0')) return text.trimEnd();
  } catch {
    // Told below.
  }
  throw new CodetetherError('usage', 'what is piped in is not a text in UTF-8', {
    next: 'Convert it (iconv -t utf-8), or put it into a file and name it in the message.',
  });
}

async function readSchema({ cwd }: Context, file: string): Promise<Record<string, unknown>> {
  const bad = (problem: string) =>
    new CodetetherError('usage', 'the output schema cannot be used', { problems: [`${file}: ${problem}`] });
  let text: string;
  try {
    text = await readFile(resolve(cwd, file), 'utf8');
  } catch (error) {
    throw bad(error instanceof Error ? error.message : String(error));
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw bad('is not JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw bad('is not a JSON schema: expected an object');
}

const leaveSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Shows a turn until it ends. Ctrl-C leaves it running. */
export async function watchTurn(
  context: Context,
  { session, messageId, afterSeq, ahead }: Omit<MessageResponse, 'warnings'>,
  options: Pick<SayOptions, 'outputFormat' | 'quiet' | 'output' | 'sinceSeq'>,
): Promise<number> {
  const { stdin, stderr, stdout, environment } = context;
  const { sessionId } = session;
  const look = lookOf(stderr, environment);
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  const isInteractive = stdin.isTTY && stderr.isTTY && options.outputFormat !== 'stream-json';
  const prompt = isInteractive ? new QuestionPrompt(context, leave) : undefined;
  const note = (line: string) => {
    if (options.quiet === true) return;
    if (prompt === undefined) print(stderr, [line]);
    else prompt.say([line]);
  };
  for (const signal of leaveSignals) process.on(signal, leave);
  const revive = reviver({ context, say: note, onStackDown: leave });
  let lost: NodeJS.Timeout | undefined;
  if (ahead > 0) note(`${ahead === 1 ? '1 message is' : `${ahead} messages are`} worked on first`);
  const onEvent = (event: RunEvent): void => {
    if (options.outputFormat === 'stream-json') {
      for (const object of turnObjects(sessionId, event)) {
        if (event.seq > (options.sinceSeq ?? 0)) print(stdout, [JSON.stringify(object)]);
      }
      return;
    }
    if (prompt?.take(event) === true) return;
    const line = turnLine(event, { look, nowMs: Date.now() });
    if (line !== undefined) note(line);
  };
  const onConnection = (connected: boolean): void => {
    clearInterval(lost);
    if (!connected) lost = setInterval(() => void revive(), reviveMs);
  };
  try {
    const turn = { sessionId, messageId, afterSeq, signal: leaving.signal, onEvent, onConnection };
    const ended = await followTurn(context.client, turn).finally(() => prompt?.close());
    if (ended === undefined) return leftRunning(context, sessionId);
    return await finished(context, { sessionId, ended, note }, options);
  } finally {
    clearInterval(lost);
    for (const signal of leaveSignals) process.off(signal, leave);
  }
}

const reviveMs = 2_000;

async function finished(
  context: Context,
  {
    sessionId,
    ended,
    note,
  }: { readonly sessionId: string; readonly ended: TurnEnded; readonly note: (line: string) => void },
  options: Pick<SayOptions, 'outputFormat' | 'output'>,
): Promise<number> {
  const { body } = ended;
  await writeResult(context, { sessionId, body }, options);
  for (const line of turnFactLines(body, lookOf(context.stderr, context.environment))) note(line);
  note(turnEndLine(body, lookOf(context.stderr, context.environment)));
  const handle = shortSessionId(sessionId);
  note(
    body.outcome === 'completed'
      ? `go on  codetether run --resume ${handle} "…"`
      : `go on  codetether run --resume ${handle} "go on"      look  codetether sessions show ${handle}`,
  );
  if (body.code !== null && isErrorCode(body.code)) return errorCatalogue[body.code].exit;
  return exitCodeOf(body.outcome);
}

function leftRunning({ stderr }: Context, sessionId: string): number {
  const handle = shortSessionId(sessionId);
  print(stderr, [
    'left running',
    `  watch  codetether sessions attach ${handle}      end  codetether sessions interrupt ${handle}`,
  ]);
  return exitCodes.interrupted;
}
