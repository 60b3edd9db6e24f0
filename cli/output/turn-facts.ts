import type { TurnFacts } from '../../domain/session/turn-facts.ts';
import { inSigns } from './signs.ts';
import type { Look } from './terminal.ts';
import { cleanLine, counted } from './text.ts';

const changeWords = { added: ' (new)', changed: '', deleted: ' (deleted)' } as const;

/** What a turn has come to, for people: `changed: 2 files · a.ts, b.ts (new)` and `ran: npm test (ok)`; no line for nothing. */
export function turnFactLines({ changes, commands = [] }: TurnFacts, look: Look): readonly string[] {
  const lines: string[] = [];
  if (changes !== undefined) {
    const files = changes.files.map(({ path, change }) => `${cleanLine(path)}${changeWords[change]}`);
    const more = changes.total - files.length;
    const named = [...files, ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
    lines.push(`changed: ${counted(changes.total, 'file')} · ${named}`);
  }
  const ran = commands.map(({ command, exitCode }) => `${cleanLine(command)} (${endOf(exitCode)})`);
  if (ran.length > 0) lines.push(`ran: ${ran.join(' · ')}`);
  return lines.map((line) => inSigns(line, look.signs));
}

function endOf(exitCode: number | null): string {
  if (exitCode === 0) return 'ok';
  return exitCode === null ? 'cut off' : `exit code ${exitCode}`;
}
