import { z } from 'zod';
import type { Permission } from '../../domain/access/permissions.ts';
import type { Client } from '../client/client.ts';

/** What a call is given besides its input. */
export interface McpCall {
  readonly client: Client;
  /** Raised when the caller does not want the answer any more, or has gone: that ends the waiting, never the work. */
  readonly signal: AbortSignal;
  /** Tells a caller who wants to know how far it is. Never throws. */
  readonly report: (message: string) => void;
}

/** `read` changes nothing; `change` takes nothing away; `work` lets an agent work, who may use the network; `remove` is hard to take back. */
export type McpEffect = 'read' | 'change' | 'work' | 'remove';

/** One tool of the MCP server, the same over stdio and HTTP. */
export interface McpTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: z.ZodObject;
  readonly output: z.ZodObject;
  readonly effect: McpEffect;
  /** A second call with the same input does nothing more. Reading always is. */
  readonly repeatable: boolean;
  /** What the API asks of whoever calls it, told to callers; null: it needs nothing of the API. */
  readonly permission: Permission | null;
  /** Throws errors of the catalogue. */
  readonly run: (input: unknown, call: McpCall) => Promise<{ readonly [key: string]: unknown }>;
}

/** Checks what it is given and what it answers by its schemas. */
export function mcpTool<Input extends z.ZodObject, Output extends z.ZodObject>(
  tool: Omit<McpTool, 'input' | 'output' | 'run' | 'repeatable'> & {
    readonly input: Input;
    readonly output: Output;
    readonly repeatable?: boolean;
    readonly run: (input: z.output<Input>, call: McpCall) => Promise<z.input<Output>>;
  },
): McpTool {
  return {
    repeatable: tool.effect === 'read',
    ...tool,
    run: async (input, call) => tool.output.parse(await tool.run(tool.input.parse(input), call)),
  };
}

export const RunInput = z.strictObject({
  runId: z.string().min(1).max(300).describe('Id of the run, its last part, or any unique beginning of either'),
});
export const SessionInput = z.strictObject({
  sessionId: z.string().min(1).max(300).describe('Id of the session, or any unique beginning of it'),
});

/** How long a call may wait, in milliseconds; callers give up on a silent server after a minute, most of them. */
export const waitMs = z
  .number()
  .int()
  .nonnegative()
  .max(3_600_000)
  .describe('How long to wait at most, in milliseconds; progress is reported meanwhile. When it is over, wait again');
