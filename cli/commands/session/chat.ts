import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';
import { asCodetetherError, exitCodes } from '../../../domain/errors.ts';
import type { RunEvent } from '../../../domain/run/events.ts';
import { turnFactLines } from '../../output/turn-facts.ts';
import { turnEndLine, turnLine } from '../../output/turn.ts';
import { lookOf, paint } from '../../output/terminal.ts';
import { formatCost, formatTokens } from '../../output/format.ts';
import { cleanLine, counted } from '../../output/text.ts';
import { absoluteModel, defaultModel } from '../model-option.ts';
import { openContext, print, startStack } from '../ralph/context.ts';
import type { Context } from '../ralph/context.ts';
import { realpath } from '../ralph/repository.ts';
import { reviver } from '../ralph/revive.ts';
import { followTurn } from '../../../services/client/follow-turn.ts';
import { OpenQuestions } from './open-questions.ts';
import { requestOf, settleTrust, targetOf, tellFolder } from './say.ts';
import type { SayOptions } from './say.ts';
import { shortSessionId } from './short-id.ts';

export type ChatOptions = Pick<
  SayOptions,
  'model' | 'agent' | 'continue' | 'resume' | 'fork' | 'cwd' | 'maxSteps' | 'maxCost' | 'maxTokens' | 'onAsk'
>;

/** `codetether chat`. @returns the exit status */
export async function chat(options: ChatOptions): Promise<number> {
  const context = openContext();
  const folder = realpath(resolve(context.cwd, options.cwd ?? '.'));
  const session = await targetOf(context, options, folder);
  const model =
    session === undefined ? absoluteModel(options.model ?? defaultModel(context, 'chat'), context.cwd) : options.model;
  if (session !== undefined) tellFolder(context, session, folder);
  const where = { folder: session?.folder ?? folder, sessionId: session?.sessionId };
  await settleTrust(context, {}, where.folder);
  await startStack(context, 'apply');
  return await new Chat(context, { ...options, ...(model === undefined ? {} : { model }) }, where).talk();
}

interface Sent {
  readonly messageId: string;
  readonly afterSeq: number;
}

const help = [
  'a line          a message; while the agent works, it waits for its turn; while it asks, the answer',
  '! <text>        told to the agent at work before its next step',
  '/interrupt      ends the turn under way (Ctrl-C too)',
  '/undo [n]       the last turn, or the last n, do not count any more; files stay as they are',
  '/redo           takes the undo back',
  '/session        the session and what it has cost',
  '/quit           leaves (Ctrl-D too); a turn under way goes on',
];
const reviveMs = 2_000;

/** Lines come from the person, turns are shown one after the other. */
class Chat {
  readonly #context: Context;
  readonly #options: ChatOptions;
  readonly #folder: string;
  readonly #lines: Interface;
  readonly #leaving = new AbortController();
  readonly #isInteractive: boolean;
  readonly #questions: OpenQuestions;
  #sessionId: string | undefined;
  /** Sent and not shown to the end, oldest first. */
  readonly #pending: Sent[] = [];
  /** One thing after the other: messages are sent in the order of their lines. */
  #sending: Promise<void> = Promise.resolve();
  #showing: Promise<void> = Promise.resolve();
  #failure: unknown;

  constructor(
    context: Context,
    options: ChatOptions,
    { folder, sessionId }: { readonly folder: string; readonly sessionId: string | undefined },
  ) {
    this.#context = context;
    this.#options = options;
    this.#folder = folder;
    this.#sessionId = sessionId;
    this.#isInteractive = context.stdin.isTTY && context.stdout.isTTY;
    this.#questions = new OpenQuestions(context.client, (lines) => this.#say(lines));
    this.#lines = createInterface({
      input: context.stdin,
      ...(this.#isInteractive ? { output: context.stdout, prompt: '> ' } : {}),
    });
  }

  async talk(): Promise<number> {
    const closed = new Promise<void>((done) => this.#lines.once('close', done));
    this.#lines.on('SIGINT', () => this.#onInterrupt());
    this.#lines.on('line', (line) => {
      this.#sending = this.#sending.then(() => this.#take(line.trim())).catch((error: unknown) => this.#fail(error));
    });
    if (this.#isInteractive) this.#note(`${this.#folder} · a line is a message · /help`);
    this.#prompt();
    await closed;
    await this.#sending;
    // Off a terminal the end of the input is not the end of the work.
    if (this.#isInteractive) this.#leaving.abort();
    await this.#showing;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#pending.length > 0) this.#note('the turn under way goes on');
    if (this.#sessionId !== undefined) this.#note(`go on  codetether chat --resume ${shortSessionId(this.#sessionId)}`);
    return exitCodes.completed;
  }

  async #take(line: string): Promise<void> {
    if (line === '') return this.#prompt();
    if (line === '/quit' || line === '/exit') return this.#lines.close();
    if (line === '/help') this.#say(help);
    else if (line === '/interrupt') await this.#tell((sessionId) => this.#context.client.interrupt(sessionId));
    else if (/^\/undo( \d+)?$/.test(line)) await this.#undo(Number(line.slice('/undo'.length).trim() || '1'));
    else if (line === '/redo') await this.#tell((sessionId) => this.#context.client.redoTurns(sessionId));
    else if (line === '/session') await this.#showSession();
    else if (line.startsWith('!'))
      await this.#tell((sessionId) => this.#context.client.steerSession(sessionId, line.slice(1).trim()));
    else if (this.#questions.isOpen) await this.#questions.answer(line);
    else if (line.startsWith('/')) this.#say([`${line.split(' ')[0]} is not known; /help`]);
    else await this.#send(line);
    this.#prompt();
  }

  async #send(text: string): Promise<void> {
    const { client } = this.#context;
    const request = requestOf(this.#context, this.#options, { text, outputSchema: undefined });
    const { session, messageId, afterSeq } =
      this.#sessionId === undefined
        ? await client.startSession({ ...request, model: request.model ?? '', folder: this.#folder })
        : await client.sendMessage(this.#sessionId, request);
    this.#sessionId = session.sessionId;
    this.#pending.push({ messageId, afterSeq });
    if (this.#pending.length > 1) this.#say([`queued: ${cleanLine(text)}`]);
    this.#showing = this.#showing
      .then(() => this.#show(session.sessionId, { messageId, afterSeq }))
      .catch((error: unknown) => this.#fail(error));
  }

  async #show(sessionId: string, { messageId, afterSeq }: Sent): Promise<void> {
    const { client, stdout, stderr, environment } = this.#context;
    const look = lookOf(stderr, environment);
    const revive = reviver({
      context: this.#context,
      say: (text) => this.#note(text),
      onStackDown: () => this.#leaving.abort(),
    });
    let lost: NodeJS.Timeout | undefined;
    const onEvent = (event: RunEvent): void => {
      if (this.#isInteractive && this.#questions.take(event)) return;
      const line = turnLine(event, { look, nowMs: Date.now() });
      if (line !== undefined) this.#say([line]);
    };
    const onConnection = (connected: boolean): void => {
      clearInterval(lost);
      if (!connected) lost = setInterval(() => void revive(), reviveMs);
    };
    try {
      const ended = await followTurn(client, {
        sessionId,
        messageId,
        afterSeq,
        signal: this.#leaving.signal,
        onEvent,
        onConnection,
      });
      if (ended === undefined) return;
      this.#pending.shift();
      this.#clearPrompt();
      if (ended.body.text !== '') print(stdout, [ended.body.text]);
      for (const line of turnFactLines(ended.body, look)) this.#note(paint(line, 'dim', look));
      this.#note(paint(turnEndLine(ended.body, look), 'dim', look));
      this.#prompt();
    } finally {
      clearInterval(lost);
    }
  }

  async #showSession(): Promise<void> {
    if (this.#sessionId === undefined) return this.#say(['nothing was said yet']);
    const { sessionId, model, turns, spentTokens, spentUsd } = await this.#context.client.getSession(this.#sessionId);
    const cost = formatCost({ usd: spentUsd, tokens: spentTokens });
    this.#say([`${sessionId} · ${model} · ${counted(turns, 'turn')} · ${formatTokens(spentTokens)} tokens · ${cost}`]);
  }

  async #undo(turns: number): Promise<void> {
    await this.#tell(async (sessionId) => {
      await this.#context.client.undoTurns(sessionId, turns);
      this.#say([`${counted(turns, 'turn is', 'turns are')} undone; files stay as they are`]);
    });
  }

  /** What cannot be told now is said, and nothing more. */
  async #tell(tell: (sessionId: string) => Promise<unknown>): Promise<void> {
    try {
      if (this.#sessionId === undefined) this.#say(['nothing was said yet']);
      else await tell(this.#sessionId);
    } catch (error) {
      this.#say([asCodetetherError(error).message]);
    }
  }

  /** Ctrl-C ends the turn under way, and leaves where there is none. */
  #onInterrupt(): void {
    if (this.#pending.length === 0) this.#lines.close();
    else void this.#tell((sessionId) => this.#context.client.interrupt(sessionId));
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#leaving.abort();
    this.#lines.close();
  }

  #say(lines: readonly string[]): void {
    this.#clearPrompt();
    print(this.#context.stderr, lines);
    this.#prompt();
  }

  #note(line: string): void {
    print(this.#context.stderr, [line]);
  }

  /** What is being typed stays on its line, below what is said. */
  #clearPrompt(): void {
    if (this.#isInteractive) this.#context.stdout.write('\r\u001B[K');
  }

  #prompt(): void {
    if (!this.#isInteractive || this.#leaving.signal.aborted) return;
    this.#lines.setPrompt(this.#questions.isOpen ? 'answer> ' : '> ');
    this.#lines.prompt(true);
  }
}
