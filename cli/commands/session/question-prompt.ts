import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';
import type { RunEvent } from '../../../domain/run/events.ts';
import { print } from '../ralph/context.ts';
import type { Context } from '../ralph/context.ts';
import { OpenQuestions } from './open-questions.ts';

/** A line to answer on, below what is said; there only while something is asked. */
export class QuestionPrompt {
  readonly #context: Pick<Context, 'stdin' | 'stderr' | 'client'>;
  readonly #leave: () => void;
  readonly #questions: OpenQuestions;
  #lines: Interface | undefined;
  /** Ctrl-D: the person answers elsewhere, or not. */
  #isLeft = false;

  /** @param leave for Ctrl-C, which is a key as long as there is the line */
  constructor(context: Pick<Context, 'stdin' | 'stderr' | 'client'>, leave: () => void) {
    this.#context = context;
    this.#leave = leave;
    this.#questions = new OpenQuestions(context.client, (lines) => this.say(lines));
  }

  /** @returns whether the event was one of a question, and was shown */
  take(event: RunEvent): boolean {
    if (this.#isLeft) return false;
    const isShown = this.#questions.take(event);
    if (!this.#questions.isOpen) this.close();
    else if (this.#lines === undefined) this.#open();
    return isShown;
  }

  say(lines: readonly string[]): void {
    this.#clear();
    print(this.#context.stderr, lines);
    this.#lines?.prompt(true);
  }

  close(): void {
    this.#clear();
    const lines = this.#lines;
    this.#lines = undefined;
    lines?.close();
  }

  #open(): void {
    const { stdin, stderr } = this.#context;
    const lines = createInterface({ input: stdin, output: stderr, prompt: 'answer> ' });
    this.#lines = lines;
    lines.on('line', (line) => void this.#questions.answer(line));
    lines.on('SIGINT', this.#leave);
    lines.once('close', () => {
      if (this.#lines !== lines) return;
      this.#lines = undefined;
      this.#isLeft = true;
      print(stderr, ['', 'answer it later  codetether approvals']);
    });
    lines.prompt();
  }

  #clear(): void {
    if (this.#lines !== undefined) this.#context.stderr.write('\r\u001B[K');
  }
}
