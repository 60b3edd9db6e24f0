import { z } from 'zod';
import { contextParts, pinnedWith, rangeOf, tokensOf } from '../../domain/session/context-parts.ts';
import { deriveContext } from '../../domain/session/derive-context.ts';
import type { ContextWindow, LeftOut } from '../../domain/session/derive-context.ts';
import { recall, textOfBlock } from '../../domain/session/recall.ts';
import type { SessionEvent } from '../../domain/session/transcript.ts';
import type { Block, Turn } from '../../domain/session/turns.ts';
import { cleanLine } from './output-text.ts';
import { defineTool, failure, success, type Tool, type ToolContext } from './tool.ts';

/** What an agent can do about its own context. Nothing is taken out of the transcript. */
export function createContextTools(): readonly Tool[] {
  return [recallTool(), browseTool(), pinTool(), resetTool(), budgetTool(), summarizeTool()];
}

const rowCharacters = 20_000;
const mostLines = 200;
const row = z.number().int().min(1);

function recallTool(): Tool {
  return defineTool({
    name: 'session_recall',
    risk: 'read',
    description:
      'Searches this session for earlier steps, also those that are no longer in your context: words of what was said, of tool calls and of their results.',
    input: z.object({
      query: z.string().min(1).max(1_000).describe('Words that occur in it'),
      limit: z.number().int().min(1).max(5).default(3),
    }),
    label: ({ query }) => query,
    run: async ({ query, limit }, context) => {
      const { blocks } = await readParts(context);
      // The step that asks holds all words of its own query.
      const found = recall(blocks.slice(0, -1), query, limit);
      if (found.length === 0) return success('(nothing in this session has these words)');
      return success(found.map(({ block, excerpt }) => `${place(block)}\n${excerpt}`).join('\n\n'));
    },
  });
}

function browseTool(): Tool {
  return defineTool({
    name: 'context_browse',
    risk: 'read',
    description:
      'Shows what was said in this session, also what is no longer in your context: its turns (list), the steps of one turn (show_turn), or one row in full (show_row).',
    input: z.object({
      action: z.enum(['list', 'show_turn', 'show_row']),
      turn: z.number().int().min(1).optional(),
      row: row.optional(),
      offset: z.number().int().min(0).default(0).describe('show_turn: steps, show_row: characters to skip'),
    }),
    label: ({ action, turn, row: seq }) => [action, turn ?? seq ?? ''].join(' ').trim(),
    run: async ({ action, turn: number, row: seq, offset }, context) => {
      const { rows, turns } = await readParts(context);
      if (action === 'list') {
        const listed = turns
          .slice(-mostLines)
          .map((turn) => `turn ${turn.number}  ${sizeOf(turn)}  ${firstWords(turn)}`);
        const before = turns.length - listed.length;
        return success([...(before > 0 ? [`[${before} earlier turns]`] : []), ...listed].join('\n') || '(no turn yet)');
      }
      if (action === 'show_turn') {
        const turn = turns.find((known) => known.number === number);
        if (turn === undefined)
          return failure(`there is no turn ${number ?? '(none given)'}; there are ${turns.length}`);
        const shown = turn.blocks.slice(offset, offset + mostLines).map(stepLine);
        const rest = turn.blocks.length - offset - shown.length;
        return success([...shown, ...(rest > 0 ? [`[${rest} more: offset ${offset + shown.length}]`] : [])].join('\n'));
      }
      const found = rows.find((known) => known.seq === seq);
      if (found === undefined) return failure(`there is no row ${seq ?? '(none given)'}`);
      const text = textOfRow(found);
      const part = text.slice(offset, offset + rowCharacters).toWellFormed();
      const rest = text.length - offset - part.length;
      return success(rest > 0 ? `${part}\n[${rest} more characters: offset ${offset + part.length}]` : part);
    },
  });
}

function pinTool(): Tool {
  return defineTool({
    name: 'context_pin',
    risk: 'read',
    description:
      'Keeps a turn, or the step that a row belongs to, in your context however long the session gets (pin), no longer (unpin), or lists what is pinned.',
    input: z.object({
      action: z.enum(['pin', 'unpin', 'list']),
      turn: z.number().int().min(1).optional(),
      row: row.optional(),
    }),
    label: ({ action, turn, row: seq }) => [action, turn ?? seq ?? ''].join(' ').trim(),
    run: async ({ action, turn, row: seq }, context) => {
      const parts = await readParts(context);
      if (action === 'list') return success(parts.pinned.map(stepLine).join('\n') || '(nothing is pinned)');
      const range = rangeOf(parts, { turn, row: seq });
      if (range === undefined) return failure('there is no such turn or row; name one with turn or row');
      const { fromSeq, toSeq } = range;
      if (action === 'pin') {
        const { tokens, mostTokens } = pinnedWith(parts, range, await context.session.window());
        if (tokens > mostTokens)
          return failure(`with that ${count(tokens)} tokens would be pinned; at most ${count(mostTokens)} can be`);
      }
      await context.session.append({ kind: 'pin', body: { fromSeq, toSeq, pinned: action === 'pin' } });
      return success(`${action === 'pin' ? 'pinned' : 'no longer pinned'}: rows ${fromSeq}–${toSeq}`);
    },
  });
}

function resetTool(): Tool {
  return defineTool({
    name: 'context_reset',
    risk: 'read',
    description:
      'Empties your context: from your next answer on you see the rules, the request that you are working on, what is pinned, and the summary that you give here. Call it alone.',
    input: z.object({
      summary: z
        .string()
        .min(1)
        .max(20_000)
        .describe('All that you will need: decisions, files, findings, what is left to do'),
    }),
    label: ({ summary }) => summary,
    run: async ({ summary }, context) => {
      const refused = await refusedByPolicy(context);
      if (refused !== undefined) return refused;
      await context.session.append({ kind: 'reset', body: { summary } });
      return success('done: your next answer begins with the summary; session_recall and context_browse find the rest');
    },
  });
}

function budgetTool(): Tool {
  return defineTool({
    name: 'context_budget',
    risk: 'read',
    description: 'Says how full your context is, what is left out of it and why, and what is pinned.',
    input: z.object({}),
    label: () => '',
    run: async (_input, context) => {
      const { rows, blocks, turns, pinned } = await readParts(context);
      const [policy, window] = await Promise.all([context.session.policy(), context.session.window()]);
      const derived = deriveContext(rows, policy, window);
      const share =
        derived.budgetTokens === Infinity ? '' : ` (${Math.round((derived.tokens / derived.budgetTokens) * 100)} %)`;
      const leftOut =
        derived.kind === 'derived' ? derived.leftOut.map(leftOutLine) : ['too long: the next model call will fail'];
      return success(
        [
          windowLine(window, derived.budgetTokens),
          `in use ${count(derived.tokens)} tokens${share}, estimated; pinned ${count(tokensOf(pinned))}`,
          `policy ${policy.kind}; ${turns.length} turns, ${blocks.length} steps`,
          ...(leftOut.length === 0 ? ['nothing is left out'] : leftOut.slice(-mostLines)),
        ].join('\n'),
      );
    },
  });
}

function summarizeTool(): Tool {
  return defineTool({
    name: 'context_summarize',
    risk: 'read',
    description:
      'Has a range of earlier rows summarised; from your next answer on the summary stands for them in your context. context_browse shows the rows.',
    input: z.object({
      start: row.describe('First row'),
      end: row.describe('Last row'),
      target_tokens: z.number().int().min(64).max(4_096).default(512),
    }),
    label: ({ start, end }) => `rows ${start}–${end}`,
    run: async ({ start, end, target_tokens: targetTokens }, context) => {
      const refused = await refusedByPolicy(context);
      if (refused !== undefined) return refused;
      const { blocks } = await readParts(context);
      const range = blocks.slice(0, -1).filter((block) => block.seq >= start && block.seq <= end);
      const [first, last] = [range[0], range.at(-1)];
      if (first === undefined || last === undefined) return failure(`no earlier step begins in rows ${start}–${end}`);
      const tokens = tokensOf(range);
      if (tokens < 2 * targetTokens)
        return failure(
          `these steps have ${count(tokens)} tokens; a summary of ${targetTokens} would not make them much shorter`,
        );
      const body = { fromSeq: first.seq, toSeq: Math.max(last.seq, Math.min(end, last.toSeq)), targetTokens };
      await context.session.append({ kind: 'summary-request', body });
      return success(
        `rows ${body.fromSeq}–${body.toSeq} (${count(tokens)} tokens) are summarised before your next answer`,
      );
    },
  });
}

async function readParts({ session }: ToolContext) {
  return contextParts(await session.events());
}

async function refusedByPolicy({ session }: ToolContext) {
  const policy = await session.policy();
  return policy.kind === 'off' ? failure('the context policy of this session is off: everything is sent') : undefined;
}

function place(block: Block): string {
  return `turn ${block.turn}, row ${block.seq}:`;
}

function sizeOf(turn: Turn): string {
  const tokens = tokensOf(turn.blocks);
  return `rows ${turn.fromSeq}–${turn.toSeq}, ${turn.blocks.length} steps, ${count(tokens)} tokens`;
}

function firstWords(turn: Turn): string {
  const first = turn.blocks[0];
  return first === undefined ? '' : cleanLine(textOfBlock(first), 80);
}

function stepLine(block: Block): string {
  const [first, ...results] = block.rows;
  const failed = results.some((known) => known.kind === 'tool-result' && !known.body.ok) ? ', failed' : '';
  const who = first?.kind === 'user' ? 'user' : 'you';
  return `rows ${block.seq}–${block.toSeq}  ${who}, ${count(tokensOf([block]))} tokens${failed}: ${cleanLine(textOfBlock(block), 120)}`;
}

function textOfRow(known: SessionEvent): string {
  if (known.kind === 'tool-result') return known.body.output;
  if (known.kind === 'assistant')
    return [
      known.body.text,
      ...known.body.toolCalls.map(({ name, args }) => `${name} ${JSON.stringify(args) ?? ''}`),
    ].join('\n');
  return 'text' in known.body ? known.body.text : JSON.stringify(known.body);
}

const reasons: { readonly [R in LeftOut['reason']]: string } = {
  window: 'they did not fit',
  summarised: 'a summary stands for them',
  reset: 'before a reset',
  cut: 'the middle of a long result',
};

function leftOutLine({ fromSeq, toSeq, steps, tokens, reason }: LeftOut): string {
  return `left out: rows ${fromSeq}–${toSeq}, ${steps} steps, ${count(tokens)} tokens (${reasons[reason]})`;
}

function windowLine({ model, contextTokens }: ContextWindow, budgetTokens: number): string {
  if (contextTokens === Infinity) return `${model || 'the model'} has no known window`;
  return `window of ${model}: ${count(contextTokens)} tokens, of them ${count(budgetTokens)} for the conversation`;
}

function count(tokens: number): string {
  return Math.round(tokens).toLocaleString('en');
}
