import { inSigns } from './signs.ts';
import { lookOf } from './terminal.ts';
import type { LookEnvironment } from './terminal.ts';
import { truncate } from './text.ts';

export interface Step {
  /** `note` stays; each `step` replaces the one before on a terminal, and is a line off it. */
  readonly kind: 'note' | 'step';
  readonly text: string;
}

export interface Steps {
  readonly show: (step: Step) => void;
  /** Takes the last step off the terminal. */
  readonly clear: () => void;
}

/** Tells on `stream` what is being set up. */
export function stepLines(stream: NodeJS.WriteStream, environment: LookEnvironment): Steps {
  const look = lookOf(stream, environment);
  const inPlace = stream.isTTY && environment['TERM'] !== 'dumb';
  let shown = '';
  const clear = () => {
    if (shown !== '' && inPlace) stream.write('\r\u001B[K');
    shown = '';
  };
  return {
    clear,
    show: ({ kind, text }) => {
      const line = inSigns(text, look.signs);
      if (kind === 'step' && line === shown) return;
      clear();
      if (kind === 'note' || !inPlace) {
        stream.write(`${line}\n`);
        shown = kind === 'step' ? line : '';
        return;
      }
      shown = line;
      stream.write(truncate(line, look.columns - 1, look.signs.ellipsis));
    },
  };
}
