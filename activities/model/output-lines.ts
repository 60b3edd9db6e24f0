/** The text on one line, without control characters: a model must not be able to steer a terminal. */
export function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
}

export interface OutputLines {
  add(delta: string): void;
  /** Waits for what is under way; drops what was not appended yet. Never throws. */
  end(): Promise<void>;
}

export interface OutputLinesOptions {
  /** Between two lines. */
  readonly intervalMs: number;
  /** Gets the newest line and its number from 1; may fail. */
  readonly append: (line: string, number: number) => Promise<void>;
}

const longestLine = 200;

/**
 * Passes on the newest line of a growing text, at most one in each interval and one at a time. A failed append is
 * forgotten: the lines are a courtesy to people, and the call must not fail for them.
 */
export function startOutputLines({ intervalMs, append }: OutputLinesOptions): OutputLines {
  let text = '';
  let number = 0;
  let lastLine = '';
  let nextAtMs = performance.now() + intervalMs;
  let underWay: Promise<void> | undefined;

  const pass = async (line: string) => {
    try {
      await append(line, ++number);
    } catch {
      // See above: nobody counts on these lines.
    } finally {
      underWay = undefined;
    }
  };

  return {
    add(delta) {
      text = (text + delta).slice(-4 * longestLine);
      if (underWay !== undefined || performance.now() < nextAtMs) return;
      const line = newestLine(text);
      if (line === '' || line === lastLine) return;
      lastLine = line;
      nextAtMs = performance.now() + intervalMs;
      underWay = pass(line);
    },
    end: async () => {
      await underWay;
    },
  };
}

function newestLine(text: string): string {
  const lines = text.split(/[\r\n]+/).map(oneLine);
  return (lines.findLast((line) => line !== '') ?? '').slice(-longestLine);
}
