/** Tools for models that cannot be given any: told of in the system prompt, called and answered in texts. */
import { readTextCalls, writeTextCall } from '../../domain/model/text-calls.ts';
import type { SaidRow, SessionEvent } from '../../domain/session/transcript.ts';
import type { AnsweredPart, ProviderAnswer, ToolDefinition } from './provider-call.ts';

/**
 * Whether a model (`provider/model`) is among those that get their tools as text.
 * @param named names, or beginnings of names followed by `*`
 */
export function getsToolsAsText(model: string, named: readonly string[] = []): boolean {
  const name = model.toLowerCase();
  return named.some((entry) => (entry.endsWith('*') ? name.startsWith(entry.slice(0, -1)) : name === entry));
}

/** What comes at the end of the system prompt. */
export function toolsPrompt(tools: readonly ToolDefinition[]): string {
  const lines = tools.map(({ name, description, inputSchema }) =>
    JSON.stringify({ name, description, parameters: inputSchema }),
  );
  return `# Tools

You call a tool by writing, each call on lines of its own, at the end of your answer:

${writeTextCall({ name: 'the tool', args: { argument: 'value' } })}

Between the tags stands one JSON object, and its arguments follow the tool's schema. Write several calls one after the other when they do not need one another's results, and nothing after the last: each result comes in the next message, between <tool_response> and </tool_response>. Never write a result yourself.

The tools:

${lines.join('\n')}`;
}

/** The conversation with calls and results in its texts; what a person said and results that follow one another are one message. */
export function asTexts(rows: readonly SaidRow[]): readonly SaidRow[] {
  const texts: SaidRow[] = [];
  for (const row of rows) {
    if (row.kind === 'assistant') {
      const { text, toolCalls, problem } = row.body;
      const said = [text, ...toolCalls.map(writeTextCall)].filter((part) => part.trim() !== '').join('\n\n');
      texts.push({ ...row, body: { text: said, toolCalls: [], ...(problem === undefined ? {} : { problem }) } });
    } else if (row.kind === 'system') texts.push(row);
    else {
      const text = row.kind === 'user' ? row.body.text : resultText(row.body);
      const last = texts.at(-1);
      if (last?.kind === 'user') texts[texts.length - 1] = { ...last, body: { text: `${last.body.text}\n\n${text}` } };
      else texts.push({ seq: row.seq, kind: 'user', body: { text } });
    }
  }
  return texts;
}

function resultText({ tool, output }: SessionEvent<'tool-result'>['body']): string {
  // A result that has the tag in it does not end there.
  const content = output.replaceAll('</tool_response>', '<\\/tool_response>');
  return `<tool_response tool="${tool.replace(/[^\w-]+/g, '_')}">\n${content}\n</tool_response>`;
}

export interface TextToolOptions {
  /** See `TextCallOptions`. */
  readonly form: 'told' | 'untold';
  readonly tools: readonly ToolDefinition[];
}

/**
 * The answer with the calls that stand in its text as calls. One that has calls besides is left as it is; so is one that did not come to its
 * end by itself, unless the model has no other way to call.
 */
export function withTextCalls(answer: ProviderAnswer, { form, tools }: TextToolOptions): ProviderAnswer {
  if (tools.length === 0 || answer.content.some(({ type }) => type === 'tool-call')) return answer;
  if (form === 'untold' && answer.finish !== 'done') return answer;
  const names = new Set(tools.map(({ name }) => name));
  const said = answer.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  const { text, calls } = readTextCalls(said, { form, isTool: (name) => names.has(name) });
  if (calls.length === 0) return answer;
  const content: AnsweredPart[] = answer.content.filter(({ type }) => type !== 'text');
  if (text !== '') content.push({ type: 'text', text });
  for (const call of calls) content.push({ type: 'tool-call', id: '', ...call });
  return { ...answer, content };
}
