import type { SessionView, TranscriptView } from '../../domain/contracts/api.ts';
import { TurnFacts } from '../../domain/session/turn-facts.ts';
import { inSigns, unicodeSigns } from './signs.ts';
import { turnFactLines } from './turn-facts.ts';
import { paint } from './terminal.ts';
import type { Look } from './terminal.ts';
import { cleanLine, cleanOutputLine } from './text.ts';

type Row = TranscriptView['rows'][number];

/** Lines of a result that are shown where not all is wanted. */
const shownLines = 5;

/** A session for people: what was said, which tools were called and what came of it. */
export function transcriptLines(
  session: SessionView,
  rows: readonly Row[],
  { agent, verbose, look }: { readonly agent?: string | undefined; readonly verbose: boolean; readonly look: Look },
): string[] {
  const whose = agent === undefined ? '' : ` · agent ${agent}`;
  const head = `${session.sessionId} · ${session.folder} · ${session.model}${whose}`;
  const lines = rows.flatMap((row) => rowLines(row, verbose, look));
  return [paint(head, 'bold', look), ...lines].map((line) => inSigns(line, look.signs));
}

function rowLines({ kind, body }: Row, verbose: boolean, look: Look): string[] {
  switch (kind) {
    case 'system':
      return verbose ? ['', paint('system', 'dim', look), ...cleaned(textOf(body, 'text'))] : [];
    case 'user':
      return ['', paint('> you', 'bold', look), ...cleaned(textOf(body, 'text'))];
    case 'assistant': {
      const text = textOf(body, 'text');
      return [...(text === '' ? [] : ['', ...cleaned(text)]), ...calls(body).map((call) => `● ${cleanLine(call)}`)];
    }
    case 'tool-result': {
      const sign = isOk(body) ? paint('✓', 'good', look) : paint('✗', 'bad', look);
      const output = cleaned(textOf(body, 'output').trimEnd());
      const shown = verbose ? output : output.slice(0, shownLines);
      const left = output.length - shown.length;
      const rest = left === 0 ? [] : [`… ${left} more ${left === 1 ? 'line' : 'lines'}`];
      return [...shown, ...rest].map((line, index) => (index === 0 ? `  ${sign} ${line}` : `    ${line}`));
    }
    case 'turn-end':
      return ['', ...factLines(body, look).map((line) => paint(line, 'dim', look))];
    default:
      return verbose ? [paint(`(${kind})`, 'dim', look)] : [];
  }
}

/** The whole of a session as Markdown. */
export function transcriptMarkdown(session: SessionView, rows: readonly Row[]): string {
  const head = [
    `# ${session.title}`,
    '',
    `- session \`${session.sessionId}\``,
    `- folder \`${session.folder}\``,
    `- model \`${session.model}\``,
    `- begun ${session.createdAt}`,
  ];
  return `${[...head, ...rows.flatMap(markdownRow)].join('\n')}\n`;
}

function markdownRow({ kind, body }: Row): string[] {
  switch (kind) {
    case 'user':
      return ['', '## You', '', textOf(body, 'text')];
    case 'assistant': {
      const text = textOf(body, 'text');
      const asked = calls(body).map((call) => `- calls \`${call.replaceAll('`', "'")}\``);
      return ['', '## Agent', ...(text === '' ? [] : ['', text]), ...(asked.length === 0 ? [] : ['', ...asked])];
    }
    case 'tool-result': {
      const output = textOf(body, 'output').trimEnd();
      const fence = fenceFor(output);
      return ['', `### ${textOf(body, 'tool')}${isOk(body) ? '' : ' (failed)'}`, '', fence, output, fence];
    }
    case 'turn-end':
      return ['', ...factLines(body, markdownLook).map((line) => `> ${line}`)];
    default:
      return [];
  }
}

const markdownLook: Look = { signs: unicodeSigns, color: false, columns: 0 };

function factLines(body: unknown, look: Look): readonly string[] {
  const facts = TurnFacts.safeParse(body);
  return facts.success ? turnFactLines(facts.data, look) : [];
}

/** Longer than any run of backticks in the text. */
function fenceFor(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  return '`'.repeat(longest + 1);
}

function calls(body: unknown): string[] {
  const asked = fieldOf(body, 'toolCalls');
  if (!Array.isArray(asked)) return [];
  return asked.map((call: unknown) =>
    `${textOf(call, 'name')} ${JSON.stringify(fieldOf(call, 'args')) ?? ''}`.slice(0, 200).toWellFormed(),
  );
}

function cleaned(text: string): string[] {
  return text.split('\n').map((line) => cleanOutputLine(line));
}

function isOk(body: unknown): boolean {
  return fieldOf(body, 'ok') === true;
}

function textOf(body: unknown, key: string): string {
  const value = fieldOf(body, key);
  return typeof value === 'string' ? value : '';
}

function fieldOf(body: unknown, key: string): unknown {
  return typeof body === 'object' && body !== null ? Reflect.get(body, key) : undefined;
}
