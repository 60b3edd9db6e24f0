import type { z } from 'zod';
import type {
  AskInput,
  CallThatAsks,
  CloseAskInput,
  OpenAskResult,
  SessionProjections,
} from '../../domain/contracts/activities.ts';
import type { RunStore, SessionStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { isByPerson, longestQuestion } from '../../domain/run/approval.ts';
import type { ApprovalSettlement } from '../../domain/run/approval.ts';
import { toolCallKey, whoseStep } from '../../domain/run/ids.ts';
import { planOf } from '../../domain/session/plan-mode.ts';
import type { RequestedToolCall } from '../../domain/session/transcript.ts';
import { requireCall } from './agent-calls.ts';
import { cleanLine, plainText } from '../tools/output-text.ts';
import { PlanExitArguments } from '../tools/plan.ts';
import { longestOption, QuestionArguments } from '../tools/question.ts';
import { readArguments } from '../tools/tool.ts';
import type { ToolOutcome } from '../tools/tool.ts';

type AskCallStore = Pick<SessionStore, 'readSession' | 'appendSessionEvents'> & Pick<RunStore, 'appendRunEvents'>;

/** See {@link SessionProjections}. */
export function createAskCalls(store: AskCallStore): Pick<SessionProjections, 'openAsk' | 'closeAsk'> {
  return {
    openAsk: async (input) => {
      const { runId, storyId, attempt, step } = input;
      const rows = await store.readSession(input.sessionId);
      const call = requireCall(rows, input.callId);
      const key = `${keyOf(input)}:start`;
      const body = { ...whoseStep(input.sessionId), step, label: labelOf(input.asks, call) };
      await store.appendRunEvents(runId, [{ key, kind: 'step-started', storyId, attempt, body }]);
      if (input.asks === 'question') return { kind: 'ask', question: questionOf(call) };
      const plan = planOf(rows);
      if (plan !== undefined) return { kind: 'ask', question: planQuestionOf(call, plan) };
      const output = 'error: this is not plan mode, and nobody has to be asked; plan_enter begins it';
      await tell(input, call, { ok: false, output }, 0);
      return { kind: 'settled' };
    },
    closeAsk: async ({ settlement, durationMs, ...input }) => {
      const call = requireCall(await store.readSession(input.sessionId), input.callId);
      const outcome = input.asks === 'question' ? answerTo(call, settlement) : planAnswer(settlement);
      await tell(input, call, outcome, durationMs);
    },
  };

  async function tell(
    input: AskInput,
    call: RequestedToolCall,
    { ok, output }: ToolOutcome,
    durationMs: CloseAskInput['durationMs'],
  ): Promise<void> {
    const { runId, storyId, attempt, step, sessionId, callId } = input;
    const key = keyOf(input);
    await store.appendSessionEvents(sessionId, [
      { key, kind: 'tool-result', body: { callId, tool: call.name, ok, output: plainText(output) } },
    ]);
    const body = { ...whoseStep(sessionId), step, tool: call.name, label: labelOf(input.asks, call), ok, durationMs };
    await store.appendRunEvents(runId, [{ key: `${key}:end`, kind: 'tool-ended', storyId, attempt, body }]);
  }
}

type Question = Extract<OpenAskResult, { kind: 'ask' }>['question'];

function questionOf(call: RequestedToolCall): Question {
  const { question, options = [], default: taken = '' } = argumentsOf(QuestionArguments, call);
  return {
    kind: 'question',
    question: shortened(question, 'question'),
    choices: options.map(answerLine),
    defaultChoice: answerLine(taken),
  };
}

/** As an answer comes, too. */
function answerLine(text: string): string {
  return cleanLine(text, longestOption);
}

function planQuestionOf(call: RequestedToolCall, plan: string): Question {
  const [goal = ''] = plan.split('\n', 1);
  const { summary } = argumentsOf(PlanExitArguments, call);
  return {
    kind: 'plan',
    question: shortened(`${goal}\n${summary}\nCarry it out?`, 'plan'),
    choices: ['approve', 'deny'],
    isSafe: true,
  };
}

/** An end that says so where it is longer than what a question may be. */
function shortened(text: string, kind: 'question' | 'plan'): string {
  const plain = plainText(text);
  const most = longestQuestion(kind);
  const cut = '… (cut here; the transcript has the whole of it)';
  return plain.length <= most ? plain : `${plain.slice(0, most - cut.length).toWellFormed()}${cut}`;
}

function answerTo(call: RequestedToolCall, settlement: ApprovalSettlement): ToolOutcome {
  const { answer, note } = settlement;
  if (isByPerson(settlement)) return { ok: true, output: withNote(`The person answers: ${answer}`, note) };
  const { default: taken } = argumentsOf(QuestionArguments, call);
  const decide = taken === undefined ? 'Decide yourself' : `Take what you have named (${taken}), or decide yourself`;
  return { ok: true, output: `${unanswered(settlement)} ${decide}, and say in your answer what you have assumed.` };
}

function planAnswer(settlement: ApprovalSettlement): ToolOutcome {
  const { answer, note } = settlement;
  if (answer === 'approve') return { ok: true, output: withNote('The plan was approved. Plan mode is over.', note) };
  const still = 'This is still plan mode.';
  return isByPerson(settlement)
    ? { ok: false, output: withNote(`The plan was denied. ${still}`, note) }
    : {
        ok: false,
        output: `${unanswered(settlement)} ${still} Answer with the plan, and say that it waits for approval; call plan_exit again when you are told to go ahead.`,
      };
}

function unanswered({ answeredBy }: ApprovalSettlement): string {
  return answeredBy === 'timeout' ? 'Nobody has answered in time.' : 'Nobody is there to answer.';
}

function withNote(text: string, note: string): string {
  return note === '' ? text : `${text}\nnote: ${note}`;
}

function argumentsOf<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  { id, args }: RequestedToolCall,
): z.output<z.ZodObject<Shape>> {
  const read = readArguments(schema, args);
  if (read.ok) return read.value;
  throw new CodetetherError(
    'internal',
    `the arguments of ${id} are not those that were looked at before: ${read.problem}`,
  );
}

function keyOf({ sessionId, step, callId }: AskInput): string {
  return toolCallKey(sessionId, step, callId);
}

const labelCharacters = 100;

function labelOf(asks: CallThatAsks, call: RequestedToolCall): string {
  const asked =
    asks === 'question' ? argumentsOf(QuestionArguments, call).question : argumentsOf(PlanExitArguments, call).summary;
  return cleanLine(`${call.name} ${asked}`, labelCharacters);
}
