import { Command } from 'commander';
import type { ApprovalView } from '../../domain/contracts/api.ts';
import { askedBy, withoutAnswer } from '../../domain/run/approval.ts';
import { CodetetherError, exitCodes } from '../../domain/errors.ts';
import { formatDay } from '../output/format.ts';
import { answerCommands, questionLines } from '../output/questions.ts';
import { snakeKeys } from '../output/stream-json.ts';
import { listTable } from '../output/table.ts';
import { cleanLine, truncate } from '../output/text.ts';
import { ask, openContext, print, stdoutLook } from './ralph/context.ts';
import { shortExitCodes, withHelpEnd } from './ralph/options.ts';

interface AnswerOptions {
  readonly note?: string;
  readonly json?: boolean;
}

const examples: Parameters<typeof withHelpEnd>[1]['examples'] = [
  ['codetether approvals', 'what is asked, and until when'],
  ['codetether approve q-k3f9x2ab', 'yes'],
  ['codetether deny q-k3f9x2ab --note "use the mock"', 'no, and what to do instead'],
  ['codetether answer q-k3f9x2ab "the one in src/lib"', "an answer to an agent's question"],
];

/** `codetether approvals`: what runs ask people now. */
export function command(): Command {
  const approvals = new Command('approvals')
    .summary('what runs ask people now')
    .description('Prints what runs wait for people to answer, oldest first; off a terminal as tab-separated values.')
    .argument('[id]', 'only this one, with the whole of the question')
    .option('--json', 'as one JSON object');
  return withHelpEnd(approvals, { examples, exitCodes: shortExitCodes }).action(
    async (id: string | undefined, options: { readonly json?: boolean }) => {
      process.exitCode = await list(id, options);
    },
  );
}

/** `codetether approve`. */
export function approveCommand(): Command {
  const approve = new Command('approve')
    .summary('answer yes')
    .description('Answers a question of a run with yes, or with one of its choices.')
    .argument('<id>', 'see codetether approvals')
    .argument('[choice]', 'default: the first')
    .option('--note <text>', 'what the agent is told')
    .option('--json', 'as one JSON object');
  return withHelpEnd(approve, { examples, exitCodes: shortExitCodes }).action(
    async (id: string, choice: string | undefined, options: AnswerOptions) => {
      process.exitCode = await answer(id, (approval) => choice ?? decisionOf(approval)[0], options);
    },
  );
}

/** `codetether deny`. */
export function denyCommand(): Command {
  const deny = new Command('deny')
    .summary('answer no')
    .description('Answers a question of a run with no.')
    .argument('<id>', 'see codetether approvals')
    .option('--note <text>', 'what the agent is told')
    .option('--json', 'as one JSON object');
  return withHelpEnd(deny, { examples, exitCodes: shortExitCodes }).action(
    async (id: string, options: AnswerOptions) => {
      process.exitCode = await answer(id, (approval) => decisionOf(approval).at(-1), options);
    },
  );
}

/** `codetether answer`. */
export function answerCommand(): Command {
  const given = new Command('answer')
    .summary("answer an agent's question")
    .description('Answers a question of an agent: with one of its options, or in your own words where it has none.')
    .argument('<id>', 'see codetether approvals')
    .argument('<answer...>', 'up to 1,000 characters; all words are one answer')
    .option('--note <text>', 'what the agent is told besides')
    .option('--json', 'as one JSON object');
  return withHelpEnd(given, { examples, exitCodes: shortExitCodes }).action(
    async (id: string, words: readonly string[], options: AnswerOptions) => {
      process.exitCode = await answer(id, () => words.join(' '), options);
    },
  );
}

/** @throws `usage` for what is no yes-or-no question */
function decisionOf({ id, kind, choices }: ApprovalView): readonly string[] {
  if (kind !== 'question') return choices;
  throw new CodetetherError('usage', `${id} is not answered by yes or no`, {
    next: answerCommands({ id, kind, choices }),
  });
}

async function list(id: string | undefined, options: { readonly json?: boolean }): Promise<number> {
  const context = openContext();
  const { approvals: all } = await ask(context, (client) => client.listApprovals());
  const approvals = id === undefined ? all : [asked(all, id)];
  if (options.json === true) print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, approvals }))]);
  else if (approvals.length === 0) print(context.stderr, ['nothing is asked']);
  else if (id !== undefined)
    print(
      context.stdout,
      approvals.flatMap((approval) => [...questionLines(approval), answerCommands(approval)]),
    );
  else {
    const onTerminal = context.stdout.isTTY;
    const time = (text: string) => (onTerminal ? formatDay(text, new Date()) : text);
    const column = (title: string, cell: (approval: ApprovalView) => string) => ({
      title,
      cells: approvals.map(cell),
    });
    const columns = [
      column('id', ({ id }) => id),
      column('story', ({ storyId }) => askedBy(storyId)),
      column('since', ({ createdAt }) => time(createdAt)),
      column('until', ({ expiresAt, defaultChoice }) => `${time(expiresAt)}, then ${withoutAnswer({ defaultChoice })}`),
      column('choices', ({ choices }) => (choices.length === 0 ? '(any text)' : choices.join(', '))),
      column('question', ({ question }) => (onTerminal ? shortened(question) : question)),
      column('run', ({ runId }) => runId),
    ];
    print(context.stdout, listTable(columns, stdoutLook(context), onTerminal));
  }
  return exitCodes.completed;
}

/** A plan has many lines; its own are shown by its id. */
function shortened(question: string): string {
  return truncate(cleanLine(question), 60, '…');
}

function asked(approvals: readonly ApprovalView[], id: string): ApprovalView {
  const approval = approvals.find((candidate) => candidate.id === id);
  if (approval !== undefined) return approval;
  throw new CodetetherError('approval-settled', `${id} is not asked now`);
}

async function answer(
  id: string,
  choose: (approval: ApprovalView) => string | undefined,
  { note, json }: AnswerOptions,
): Promise<number> {
  const context = openContext();
  const { approvals } = await ask(context, (client) => client.listApprovals());
  const approval = asked(approvals, id);
  const choice = choose(approval) ?? approval.defaultChoice;
  const request = note === undefined ? { choice } : { choice, note };
  const answered = await context.client.answerApproval(id, request);
  if (json === true) print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, ...answered }))]);
  else
    print(context.stdout, [
      `${id} was answered: ${cleanLine(answered.answer ?? choice)} (${askedBy(answered.storyId)})`,
    ]);
  return exitCodes.completed;
}
