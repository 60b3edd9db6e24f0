import { Box, Text, useInput } from 'ink';
import type { ReactElement } from 'react';

export type BoardKey = 'pause' | 'stop' | 'leave';

export interface BoardProps {
  /** Painted, none wider than the terminal. */
  readonly lines: readonly string[];
  /** False without a keyboard: then nothing is read from the terminal. */
  readonly listen: boolean;
  readonly onKey: (key: BoardKey) => void;
}

/** The board's frame. Holds no state: lines come from outside, keys go outside. */
export function BoardFrame({ lines, listen, onKey }: BoardProps): ReactElement {
  useInput(
    (input, key) => {
      if (key.ctrl && (input === 'c' || input === 'd')) onKey('leave');
      else if (key.ctrl || key.meta) return;
      else if (input === 'p') onKey('pause');
      else if (input === 's') onKey('stop');
    },
    { isActive: listen },
  );
  return (
    <Box flexDirection="column">
      {lines.map((line, index) => (
        <Text key={index} wrap="truncate">
          {line === '' ? ' ' : line}
        </Text>
      ))}
    </Box>
  );
}
