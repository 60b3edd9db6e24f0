import { Box, Text, useInput } from 'ink';
import { useState } from 'react';
import type { ReactElement } from 'react';

/** A key that was pressed, or a message that was typed for a story's agent. */
export type BoardKey = 'pause' | 'stop' | 'leave' | { readonly storyId: string; readonly nudge: string };

export interface BoardProps {
  /** Painted, none wider than the terminal. */
  readonly lines: readonly string[];
  /** False without a keyboard: then nothing is read from the terminal. */
  readonly listen: boolean;
  /** Stories with an agent that can be told something. */
  readonly agents: readonly string[];
  readonly onKey: (key: BoardKey) => void;
}

interface Typing {
  readonly storyId: string;
  readonly text: string;
}

const longestNudge = 4_000;

/** The board's frame. Lines come from outside, keys go outside; it holds only what is being typed. */
export function BoardFrame({ lines, listen, agents, onKey }: BoardProps): ReactElement {
  const [typing, setTyping] = useState<Typing | null>(null);
  useInput(
    (input, key) => {
      if (key.ctrl && (input === 'c' || input === 'd')) {
        if (typing === null) onKey('leave');
        else setTyping(null);
      } else if (typing !== null) {
        setTyping(typed(typing, input, key));
      } else if (key.ctrl || key.meta) return;
      else if (input === 'p') onKey('pause');
      else if (input === 's') onKey('stop');
      else if (input === 'n' && agents[0] !== undefined) setTyping({ storyId: agents[0], text: '' });
    },
    { isActive: listen },
  );

  function typed(now: Typing, input: string, key: Parameters<Parameters<typeof useInput>[0]>[1]): Typing | null {
    if (key.escape) return null;
    if (key.return) {
      const nudge = now.text.trim();
      if (nudge !== '') onKey({ storyId: now.storyId, nudge });
      return null;
    }
    if (key.tab) return { ...now, storyId: agents[(agents.indexOf(now.storyId) + 1) % agents.length] ?? now.storyId };
    if (key.backspace || key.delete) return { ...now, text: Array.from(now.text).slice(0, -1).join('') };
    return key.ctrl || key.meta
      ? now
      : { ...now, text: `${now.text}${input.replace(/\p{Cc}+/gu, ' ')}`.slice(0, longestNudge) };
  }

  const isTyping = listen && typing !== null;
  // The line that names the keys makes room for what they are now.
  const shown = isTyping ? lines.slice(0, -1) : lines;
  return (
    <Box flexDirection="column">
      {shown.map((line, index) => (
        <Text key={index} wrap="truncate">
          {line === '' ? ' ' : line}
        </Text>
      ))}
      {isTyping ? (
        <Text wrap="truncate-start">
          {`tell ${typing.storyId} (enter send, esc leave it${agents.length > 1 ? ', tab another story' : ''}): ${typing.text}_`}
        </Text>
      ) : null}
    </Box>
  );
}
