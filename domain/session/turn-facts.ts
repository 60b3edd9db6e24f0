import { z } from 'zod';

/** What has become of one file; its path is relative to the session's folder. */
export const FileChange = z.object({ path: z.string(), change: z.enum(['added', 'changed', 'deleted']) });
export type FileChange = z.infer<typeof FileChange>;

/** `exitCode` null: it was ended, by its time or a signal. */
export const EndedCommand = z.object({ command: z.string(), exitCode: z.number().int().nullable() });
export type EndedCommand = z.infer<typeof EndedCommand>;

/** What a tool says that its call has done; what a shell command has changed it does not know. */
export const ToolDeeds = z.object({ files: z.array(FileChange), commands: z.array(EndedCommand) });
export type ToolDeeds = z.infer<typeof ToolDeeds>;

/**
 * What a turn has come to, by what the orchestrator knows and not by the agent's word; absent where there is nothing.
 *
 * ```json
 * { "changes": { "total": 1, "files": [{ "path": "a.ts", "change": "changed" }] },
 *   "commands": [{ "command": "npm test", "exitCode": 0 }] }
 * ```
 */
export const TurnFacts = z.object({
  /** `files` are the first of `total`, by name. */
  changes: z.object({ total: z.number().int().nonnegative(), files: z.array(FileChange) }).exactOptional(),
  /** The last ones, each command once, with its last exit code. */
  commands: z.array(EndedCommand).exactOptional(),
  /** Blob with the changes as a patch, where the turn does the work of a task. */
  diff: z.string().exactOptional(),
});
export type TurnFacts = z.infer<typeof TurnFacts>;

const mostFiles = 20;
const mostCommands = 10;
const longestPath = 200;
const longestCommand = 200;

/** Each file once: what has become of it over all calls, in their order. One that was added and deleted again is not there. */
export function changesOf(deeds: readonly ToolDeeds[]): readonly FileChange[] {
  const files = new Map<string, { readonly wasThere: boolean; readonly isThere: boolean }>();
  for (const { path, change } of deeds.flatMap((one) => one.files)) {
    const wasThere = files.get(path)?.wasThere ?? change !== 'added';
    files.set(path, { wasThere, isThere: change !== 'deleted' });
  }
  return [...files].flatMap(([path, { wasThere, isThere }]) => {
    if (!wasThere && !isThere) return [];
    return [{ path, change: !wasThere ? 'added' : isThere ? 'changed' : 'deleted' } as const];
  });
}

/** In the size in which they are kept. */
export function toTurnFacts(changes: readonly FileChange[], deeds: readonly ToolDeeds[]): TurnFacts {
  const commands = new Map<string, EndedCommand>();
  for (const ended of deeds.flatMap((one) => one.commands)) {
    const command = shortened(ended.command, longestCommand);
    commands.delete(command);
    commands.set(command, { ...ended, command });
  }
  const files = changes
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .slice(0, mostFiles)
    .map(({ path, change }) => ({ path: shortened(path, longestPath), change }));
  return {
    ...(changes.length === 0 ? {} : { changes: { total: changes.length, files } }),
    ...(commands.size === 0 ? {} : { commands: [...commands.values()].slice(-mostCommands) }),
  };
}

function shortened(text: string, most: number): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`.toWellFormed();
}
