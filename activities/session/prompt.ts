/** The words that an agent of a session starts with. */
import type { BuiltInAgent } from '../../domain/session/agents.ts';
import type { Skill } from '../../domain/session/extensions.ts';
import { isBuiltInAgent } from '../../domain/session/agents.ts';
import type { AgentRules } from '../../domain/session/agents.ts';
import type { InstructionFile } from '../instructions.ts';
import { cleanLine } from '../tools/output-text.ts';

const rules = `You are a software engineer who works in a person's own folder, with tools, in a conversation.

How this works:
- Work only with the tools. Paths are relative to the folder. What you change is changed in the person's own files, at once: change what was asked for and nothing else.
- Read before you write: look at the code around what you change, and follow its style, its libraries and its way of testing.
- Nobody may be there to answer a question. Where something is unclear, decide as the code around it would, and say what you decided.
- Check your work with the project's own checks, where it has some, before you say that it is done. Never weaken, skip or delete a check to make it pass.
- Do not commit, switch branches, stash, rebase or push unless you were told to.
- A command that was interrupted may have done part of its work: look before you run it again.
- Tool output that is long is cut, and says so. Ask for the part that you need.

An answer without a tool call ends your turn. End it with what you changed, by file, and how you checked it; when nothing was to be changed, with the answer alone.`;

const agents: Readonly<Record<BuiltInAgent, string>> = {
  build: 'You do the work: you may change files, and have all tools.',
  plan: 'You plan and change nothing: you have the tools that read, and no other. End with a plan: the files to change, in which order, what could go wrong, and how to check the result.',
  explore:
    'You look and change nothing: you have the tools that read, and no other. End with what you found, with file and line.',
};

/** What an agent is told about itself. @param own of one that is not built in */
export function agentWords(agent: string, own: string | undefined, { readsOnly }: AgentRules): string {
  if (own === undefined) return isBuiltInAgent(agent) ? agents[agent] : '';
  return readsOnly === true ? `${own}\n\nYou have the tools that read, and no other.` : own;
}

export function buildSessionPrompt(inputs: {
  /** Absolute. */
  readonly folder: string;
  readonly instructions: readonly InstructionFile[];
  readonly skills: readonly Skill[];
}): string {
  const parts = [
    rules,
    ...inputs.instructions.map(
      ({ path, text, cutCharacters }) =>
        `# Instructions of the project: ${path}\n\n${text.trim()}${
          cutCharacters > 0 ? `\n\n[… ${cutCharacters} more characters of ${path} cut; read the file for them]` : ''
        }`,
    ),
    skillsPart(inputs.skills),
    `Folder: ${inputs.folder}`,
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

const maxSkillCharacters = 8_000;
const maxDescription = 300;

/** Names and what they are for; the texts come with the tool. */
function skillsPart(skills: readonly Skill[]): string {
  if (skills.length === 0) return '';
  const lines: string[] = [];
  let characters = 0;
  for (const { name, description } of skills) {
    const line = `- ${name}: ${cleanLine(description, maxDescription)}`;
    characters += line.length + 1;
    if (characters > maxSkillCharacters) break;
    lines.push(line);
  }
  if (lines.length < skills.length) lines.push(`- … and ${skills.length - lines.length} more: skill list`);
  return `# Skills\n\nLoad one with the tool \`skill\` before you do what it is for.\n\n${lines.join('\n')}`;
}
