/** What users and projects add to codetether by files: skills, agents and commands. */
import { z } from 'zod';
import { AgentName, isBuiltInAgent } from './agents.ts';
import type { AgentRules } from './agents.ts';
import type { HookSettings } from './hooks.ts';
import type { McpServer } from './mcp-servers.ts';

export interface Skill {
  readonly name: string;
  readonly description: string;
  /** Absolute; nothing outside of it is the skill's. */
  readonly folder: string;
  readonly body: string;
  /** Files beside `SKILL.md`, relative to the folder. */
  readonly files: readonly string[];
}

export interface CustomAgent extends AgentRules {
  readonly name: string;
  readonly description: string;
  /** `provider/model[:effort]`; undefined: the one that the turn would have without it. */
  readonly model?: string;
  readonly maxSteps: number;
  /** What it is told. */
  readonly prompt: string;
}

/** A message in waiting: `/name words` is its text with the words in it. */
export interface SlashCommand {
  readonly name: string;
  readonly description: string;
  readonly agent?: string;
  readonly model?: string;
  readonly text: string;
}

/** Of the user, and of the project as far as it is trusted. Names are unique. */
export interface Extensions {
  readonly skills: readonly Skill[];
  readonly agents: readonly CustomAgent[];
  readonly commands: readonly SlashCommand[];
  readonly hooks: HookSettings;
  readonly mcpServers: readonly McpServer[];
  /** Files that cannot be used, as `file:line: what is wrong`. Nothing of them is in here. */
  readonly problems: readonly string[];
}

const words = (most: number) =>
  z
    .string('expected a text')
    .trim()
    .min(1, 'expected a text that is not empty')
    .max(most, `expected ${most} characters at most`);
const model = words(200);

const ownName = AgentName.refine((name) => !isBuiltInAgent(name), 'is the name of a built-in agent');
/** A list, or names with commas between them, as other programs write them. */
const tools = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').map((name) => name.trim()) : value),
  z.array(words(64).toLowerCase(), 'expected names of tools').min(1, 'expected names of tools').max(64),
);
const ignored = z.unknown().optional();

/** What stands between the `---` at the beginning of an agent's file. */
export const AgentHead = z.strictObject({
  name: ownName,
  description: words(1_024),
  model: model.transform((given) => (given === 'inherit' ? undefined : given)).optional(),
  tools: tools.optional(),
  'reads-only': z.boolean('expected true or false').default(false),
  'max-steps': z.int('expected a whole number, 1 to 1000').min(1).max(1_000).default(100),
  color: ignored,
});

export const CommandHead = z.strictObject({
  description: words(1_024).default(''),
  agent: AgentName.optional(),
  model: model.optional(),
  'argument-hint': ignored,
});

export const SkillHead = z.strictObject({
  name: z
    .string('expected a name')
    .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'expected lower-case letters, digits, dash and underscore, 64 at most'),
  description: words(1_024),
  license: ignored,
  compatibility: ignored,
  metadata: ignored,
  'allowed-tools': ignored,
});

/** Keys of other programs' files that take something away: a file that is read without them would do more than it says. */
export const foreignLimits: readonly string[] = [
  'disallowedTools',
  'disallowed-tools',
  'permissionMode',
  'hooks',
  'disable-model-invocation',
  'disable',
];

export const commandName = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** `/name`, then the words after it, then whatever follows the first line; undefined for a message that calls no command. */
export function readCommandLine(
  text: string,
): { readonly name: string; readonly words: string; readonly rest: string } | undefined {
  const match = /^\/([A-Za-z0-9][A-Za-z0-9_-]*)(?:[ \t]+([^\n]*))?(?:\n([^]*))?$/.exec(text);
  return match === null ? undefined : { name: match[1] ?? '', words: (match[2] ?? '').trim(), rest: match[3] ?? '' };
}

/**
 * A command's text with `$ARGUMENTS` (all words) and `$1` to `$9` (one each, quotes kept together) replaced; words that the text has no
 * place for are put below it. What is put in is not looked at again.
 */
export function expandCommand(
  command: Pick<SlashCommand, 'text'>,
  given: { readonly words: string; readonly rest: string },
): string {
  const single = splitWords(given.words);
  let isUsed = false;
  const text = command.text.replace(/\$(?:ARGUMENTS\b|([1-9])(?!\d))/g, (_place, digit?: string) => {
    isUsed = true;
    return digit === undefined ? given.words : (single[Number(digit) - 1] ?? '');
  });
  const parts = [text.trim(), isUsed ? '' : given.words, given.rest.trim()];
  return parts.filter((part) => part !== '').join('\n\n');
}

function splitWords(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain ?? '',
  );
}
