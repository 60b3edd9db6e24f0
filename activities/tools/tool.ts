import { z } from 'zod';
import type { CallThatAsks, SpawnedAgent, ToolCallRef, ToolRisk } from '../../domain/contracts/activities.ts';
import { CodetetherError } from '../../domain/errors.ts';
import type { AgentRequest } from '../../domain/session/agent-requests.ts';
import type { AgentRules } from '../../domain/session/agents.ts';
import type { Skill } from '../../domain/session/extensions.ts';
import type { EndedCommand, FileChange } from '../../domain/session/turn-facts.ts';
import type { RunCommand } from '../process/run-command.ts';
import type { GitAnswer, GitCall } from '../workspace/git.ts';
import { cleanLine } from './output-text.ts';
import type { ToolSession } from './tool-session.ts';
import type { WorkspaceBoundary, WorkspacePath } from './workspace-path.ts';

/** What a tool may use while it runs. */
export interface ToolContext {
  readonly workspace: WorkspaceBoundary;
  /** The caller's own. */
  readonly session: ToolSession;
  readonly workspaceId: string;
  readonly runCommand: RunCommand;
  /** Files of the workspace that git does not ignore, relative to it, sorted. */
  readonly listFiles: () => Promise<readonly string[]>;
  /** Runs git in the workspace, see `Git`. */
  readonly git: (args: readonly string[], call?: Omit<GitCall, 'cwd' | 'gitDir' | 'workTree'>) => Promise<GitAnswer>;
  /** The only branch that commits of this workspace belong on; null where any will do: in a person's own folder. */
  readonly branch: string | null;
  /** Aborted when the run is cancelled: tools end what they started and throw the signal's reason. */
  readonly signal: AbortSignal;
  /** Each line of output of a long-running tool, for watching only. */
  readonly onLine: (line: string) => void;
  /** Those of the user, and of the project where it is trusted. */
  readonly skills?: () => Promise<readonly Skill[]>;
  /** What the caller may use; default: everything. */
  readonly rules?: AgentRules;
}

/** What the model reads. A failure of the tool is an outcome; only broken machinery is an exception. */
export interface ToolOutcome {
  readonly ok: boolean;
  readonly output: string;
  /** Files that it has written or removed, where it says so. */
  readonly changedFiles?: readonly ChangedFile[];
  /** Commands that it has run to their ends. */
  readonly commands?: readonly EndedCommand[];
}

export type ChangedFile = WorkspacePath & Pick<FileChange, 'change'>;

export type ToolInputSchema = Readonly<Record<string, unknown>>;

/** A tool as the model asks for it: arguments come unchecked. */
export interface Tool {
  readonly name: string;
  /** The most that a call can do. */
  readonly risk: ToolRisk;
  readonly description: string;
  /** JSON schema of the arguments. */
  readonly inputSchema: ToolInputSchema;
  /**
   * What this call can do, its label (one line of at most 100 characters; the bare name when the arguments are malformed), and
   * whether a person is to be asked. Never throws.
   */
  readonly describe: (rawArguments: unknown) => ToolCallDescription;
  /** It is refused in a batch. */
  readonly isAlone: boolean;
  /**
   * Malformed arguments, refused paths and missing files are outcomes with `ok: false`. Throws the signal's reason when
   * aborted, `disk-full`, and what is a defect of ours.
   */
  readonly call: (rawArguments: unknown, context: ToolContext) => Promise<ToolOutcome>;
}

export type ToolCallDescription = Pick<ToolCallRef, 'risk' | 'label' | 'ask' | 'spawns' | 'beside' | 'asks'>;

export interface ToolDeclaration<Shape extends z.ZodRawShape> {
  readonly name: string;
  readonly risk: ToolRisk;
  /** Where it depends on the arguments; default: `risk`. */
  readonly riskOf?: (input: z.output<z.ZodObject<Shape>>) => ToolRisk;
  /** Default: nobody is asked. */
  readonly ask?: (input: z.output<z.ZodObject<Shape>>) => ToolCallRef['ask'];
  /** Default: a host runs it. */
  readonly spawns?: (input: z.output<z.ZodObject<Shape>>) => SpawnedAgent;
  /** Default: it is about no agents. */
  readonly beside?: (input: z.output<z.ZodObject<Shape>>) => AgentRequest;
  /** Default: a host runs it. */
  readonly asks?: CallThatAsks;
  /** Default: it may be called in a batch. */
  readonly isAlone?: boolean;
  readonly description: string;
  readonly input: z.ZodObject<Shape>;
  /** What follows the tool's name in its label. */
  readonly label: (input: z.output<z.ZodObject<Shape>>) => string;
  readonly run: (input: z.output<z.ZodObject<Shape>>, context: ToolContext) => Promise<ToolOutcome>;
}

export const success = (output: string): ToolOutcome => ({ ok: true, output });
export const changed = (output: string, changedFiles: readonly ChangedFile[]): ToolOutcome => ({
  ok: true,
  output,
  changedFiles,
});
export const failure = (message: string): ToolOutcome => ({ ok: false, output: `error: ${message}` });

const maxLabelLength = 100;

export function defineTool<Shape extends z.ZodRawShape>(declaration: ToolDeclaration<Shape>): Tool {
  const { name, risk, description, input } = declaration;
  let inputSchema: ToolInputSchema | undefined;
  return {
    name,
    risk,
    description,
    // A worker that asks no model needs none.
    get inputSchema() {
      return (inputSchema ??= jsonSchema(input));
    },
    isAlone: declaration.isAlone ?? false,
    describe: (rawArguments) => {
      const read = readArguments(input, rawArguments);
      if (!read.ok) return { risk, label: name };
      const ask = declaration.ask?.(read.value);
      return {
        risk: declaration.riskOf?.(read.value) ?? risk,
        label: cleanLine(`${name} ${declaration.label(read.value)}`, maxLabelLength),
        ...(ask === undefined ? {} : { ask }),
        ...(declaration.spawns === undefined ? {} : { spawns: declaration.spawns(read.value) }),
        ...(declaration.beside === undefined ? {} : { beside: declaration.beside(read.value) }),
        ...(declaration.asks === undefined ? {} : { asks: declaration.asks }),
      };
    },
    call: async (rawArguments, context) => {
      const read = readArguments(input, rawArguments);
      if (!read.ok) return failure(`the arguments of ${name} are not right: ${read.problem}. Nothing was done.`);
      const outcome = await runGuarded(() => declaration.run(read.value, context), context.signal);
      return read.ignored.length === 0
        ? outcome
        : { ...outcome, output: `${outcome.output}\n[unknown arguments ignored: ${read.ignored.join(', ')}]` };
    },
  };
}

type ReadArguments<Value> =
  | { readonly ok: true; readonly value: Value; readonly ignored: readonly string[] }
  | { readonly ok: false; readonly problem: string };

/** What a model has sent, as a tool reads it: an object or the text of one, without what is null. */
export function readArguments<Shape extends z.ZodRawShape>(
  input: z.ZodObject<Shape>,
  rawArguments: unknown,
): ReadArguments<z.output<z.ZodObject<Shape>>> {
  const value = typeof rawArguments === 'string' ? parseJson(rawArguments) : rawArguments;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { ok: false, problem: 'they must be one JSON object' };
  // Models send null for "not given".
  const given = Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null));
  const parsed = input.safeParse(given);
  if (!parsed.success) return { ok: false, problem: parsed.error.issues.map(describeIssue).join('; ') };
  return {
    ok: true,
    value: parsed.data,
    ignored: Object.keys(given).filter((key) => !Object.hasOwn(input.shape, key)),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const place = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return `${place.replace(/^\./, '')}: ${issue.message}`;
}

function jsonSchema(input: z.ZodObject): ToolInputSchema {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(input, {
    io: 'input',
    override: ({ jsonSchema }) => {
      // Says nothing to a model, in every call.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  return { ...schema, additionalProperties: false };
}

const fileSystemMessages: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
  ENOTEMPTY: 'the folder is not empty',
  EEXIST: 'it exists already',
};

async function runGuarded(run: () => Promise<ToolOutcome>, signal: AbortSignal): Promise<ToolOutcome> {
  try {
    return await run();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CodetetherError && error.code === 'path-outside-workspace') return failure(error.message);
    const code = errorNumber(error);
    if (code === 'ENOSPC' || code === 'EDQUOT') throw new CodetetherError('disk-full', undefined, { cause: error });
    const known = code === undefined ? undefined : fileSystemMessages[code];
    if (known === undefined) throw error;
    const path = error instanceof Error && 'path' in error && typeof error.path === 'string' ? `${error.path}: ` : '';
    return failure(`${path}${known}`);
  }
}

/** Node's `ENOENT` and the like; undefined for anything that is no system error. */
export function errorNumber(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
