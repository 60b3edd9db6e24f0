import { asCodetetherError } from '../../../domain/errors.ts';
import type { RunEvent, RunEventBody } from '../../../domain/run/events.ts';
import type { Client } from '../../../services/client/client.ts';
import { answeredLine, questionLines, typedAnswer, typedAnswers, withoutOne } from '../../output/questions.ts';

type Asked = RunEventBody<'approval-requested'>;

/** What a session asks now, oldest first, for somebody who answers it where it is shown. */
export class OpenQuestions {
  readonly #client: Pick<Client, 'answerApproval'>;
  readonly #say: (lines: readonly string[]) => void;
  #asked: readonly Asked[] = [];

  constructor(client: Pick<Client, 'answerApproval'>, say: (lines: readonly string[]) => void) {
    this.#client = client;
    this.#say = say;
  }

  get isOpen(): boolean {
    return this.#asked.length > 0;
  }

  /** @returns whether the event was one of a question, and was shown */
  take(event: RunEvent): boolean {
    if (event.kind === 'approval-requested') {
      this.#asked = [...this.#asked, event.body];
      if (this.#asked.length === 1) this.#show(event.body);
      return true;
    }
    if (event.kind === 'turn-ended') this.#asked = [];
    if (event.kind !== 'approval-answered') return false;
    const [shown] = this.#asked;
    this.#asked = this.#asked.filter(({ id }) => id !== event.body.id);
    this.#say([answeredLine(event.body)]);
    const [next] = this.#asked;
    if (next !== undefined && next !== shown) this.#show(next);
    return true;
  }

  /** Answers the one that is shown; what is no answer, or comes too late, is said. */
  async answer(line: string): Promise<void> {
    const [asked] = this.#asked;
    if (asked === undefined) return;
    const typed = typedAnswer(asked, line);
    if (typed === undefined) return this.#say([typedAnswers(asked)]);
    try {
      await this.#client.answerApproval(asked.id, typed);
    } catch (error) {
      this.#say([asCodetetherError(error).message]);
    }
  }

  #show(asked: Asked): void {
    this.#say([...questionLines(asked), `${typedAnswers(asked)}; ${withoutOne(asked, asked.expiresAt)}`]);
  }
}
