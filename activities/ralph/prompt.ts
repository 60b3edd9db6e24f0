/** The words that an agent starts with. Pure: what is read for them comes from `read-prompt-inputs.ts`. */
import type { InstructionFile } from '../instructions.ts';
import type { Conflict } from './read-conflict.ts';
import { prdGates, type Prd, type Story, type VerificationStep } from '../../domain/ralph/prd.ts';

export interface Feedback {
  readonly reason: string;
  readonly message: string;
  /** Set when the attempts go round in circles. */
  readonly diagnosis?: string | undefined;
  /** The check that failed, with the end of its output. */
  readonly check: {
    readonly name: string;
    readonly command: string;
    readonly where: 'baseline' | 'workspace' | 'merged';
    readonly exitCode: number | null;
    readonly output: string;
  } | null;
}

export interface PromptInputs {
  /** Absolute. */
  readonly workspacePath: string;
  readonly prd: Omit<Prd, 'stories'>;
  readonly story: Story;
  /** From 1. */
  readonly attempt: number;
  /** From the repository's top folder down: later ones are nearer and win. */
  readonly instructions: readonly InstructionFile[];
  /** Instruction files of folders that this story may or may not touch. */
  readonly otherInstructions: readonly string[];
  /** The end of progress.txt; empty when there is none. */
  readonly progress: string;
  readonly learnings: readonly string[];
  /** Null for a first attempt. */
  readonly feedback: Feedback | null;
  /** Null unless the workspace holds a merge that is to be resolved. */
  readonly conflict: Conflict | null;
}

const rules = `You are a software engineer who implements one story of a larger plan in a git repository, alone and unattended.

How this works:
- Nobody answers what you write. Where something is unclear, decide as the repository's own code would, and say in your last answer what you decided.
- Work only with the tools. Paths are relative to the workspace, which is a git worktree of your own with the state that the story starts from.
- Read before you write: look at the code around what you change, and follow its style, its libraries and its way of testing.
- Do the story and nothing else. Write or extend tests where the repository has tests. Leave no debugging code, temporary files or commented-out code behind.
- Run the checks yourself with bash before you finish, and mend what is red because of you. The orchestrator runs them again after you: only their result counts, not what you say about them.
- Do not commit, switch branches, stash, rebase or push: the orchestrator commits everything that you leave in the workspace.
- Do not change the PRD (prd.json and the like) or progress.txt: the orchestrator writes them.
- Never weaken, skip or delete a check to make it pass.
- Tool output that is long is cut, and says so. Ask for the part that you need.

You are done when the story's criteria are met and the checks are green. Then answer without calling a tool: two to six sentences on what you changed, how you checked it and what you decided, and for each thing that would have saved you time one line that begins with "Learning:". An answer without a tool call ends your work, so give none before that.`;

/** The same for all stories of a run but for its last lines, so that a provider's prompt cache holds. */
export function buildSystemPrompt(inputs: PromptInputs): string {
  return sections([
    rules,
    ...inputs.instructions.map(
      ({ path, text, cutCharacters }) =>
        `# Instructions of the repository: ${path}\n\n${text.trim()}${
          cutCharacters > 0 ? `\n\n[… ${cutCharacters} more characters of ${path} cut; read the file for them]` : ''
        }`,
    ),
    inputs.otherInstructions.length === 0
      ? ''
      : `# Instructions for other folders\n\nRead these before you change files beside or below them:\n${bullets(inputs.otherInstructions)}`,
    `Workspace: ${inputs.workspacePath}`,
  ]);
}

export function buildStoryPrompt(inputs: PromptInputs): string {
  const { prd, story, attempt } = inputs;
  const gates = prdGates(prd);
  return sections([
    `# Project ${prd.project}: ${prd.feature}`,
    prd.description.trim(),
    titled('Technical requirements', bullets(prd.technicalRequirements)),
    titled(
      'Checks that must be green when you are done',
      gates.map((gate) => `- ${gate}: \`${prd.qualityChecks[gate] ?? ''}\``).join('\n'),
    ),
    titled('What those before you noted', bullets(inputs.learnings)),
    titled('The end of progress.txt', inputs.progress.trim()),
    `# Story ${story.id}: ${story.title}${attempt === 1 ? '' : ` (attempt ${attempt})`}`,
    story.description.trim(),
    titled('Acceptance criteria', bullets(story.acceptanceCriteria)),
    titled('Verified afterwards by', bullets(story.verificationSteps.map(describeStep))),
    inputs.feedback === null ? '' : feedbackSection(inputs.feedback),
    ...(inputs.conflict === null
      ? [`Implement story ${story.id} now.`]
      : [conflictSection(inputs.conflict), `Resolve the conflicts of story ${story.id} now.`]),
  ]);
}

const putBack =
  'Put these files back as they were and make the code right instead: what checks the work is not part of this story.';

function feedbackSection({ reason, message, diagnosis, check }: Feedback): string {
  const failed = `It did not pass (${reason}): ${message.trim()}${reason === 'tampered' ? `\n\n${putBack}` : ''}`;
  const what = diagnosis === undefined ? failed : `${failed}\n\n${circles} ${diagnosis}`;
  if (check === null) return titled('The last attempt', what);
  const where = check.where === 'merged' ? ', on the tree merged with the other stories' : '';
  const exit = check.exitCode === null ? '' : ` (exit code ${check.exitCode})`;
  const fence = fenceFor(check.output);
  return titled(
    'The last attempt',
    `${what}\n\nOutput of ${check.name}, \`${check.command}\`${exit}${where}:\n\n${fence}\n${check.output.trim()}\n${fence}`,
  );
}

function conflictSection({ files, branchDiff, storyDiff }: Conflict): string {
  const shown = (title: string, diff: string): string => {
    const fence = fenceFor(diff);
    return `${title}:\n\n${fence}diff\n${diff}\n${fence}`;
  };
  return titled(
    'Conflicts to resolve',
    [
      `The story was done already, on an older state of the run branch. The workspace holds the branch as it is now with the story's work merged into it; both changed these files at the same places:\n${bullets(files)}`,
      'Between `<<<<<<<` and `=======` stands what the run branch has, up to `>>>>>>>` what the story has. Where one side deleted a file, or it is binary, there are no markers. Make of each file what does the story and keeps what the others did, leave no marker behind, and run the checks. Change nothing that the conflict does not ask for.',
      shown('What the run branch did', branchDiff),
      shown('What the story did', storyDiff),
    ].join('\n\n'),
  );
}

const circles =
  'The attempts at this story go round in circles. Before you change anything, find out why what was tried cannot work; then ' +
  'do something else. When the same comes out once more, the story is given up.';

/** Longer than any run of backticks in the text. */
function fenceFor(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  return '`'.repeat(longest + 1);
}

function describeStep(step: VerificationStep): string {
  const name = step.name === undefined ? '' : `${step.name}: `;
  switch (step.type) {
    case 'shell': {
      const expected = [
        ...step.expectOutputContains.map((text) => `its output contains ${JSON.stringify(text)}`),
        ...step.expectFilesGlob.map((pattern) => `files match ${pattern}`),
      ];
      const cwd = step.cwd === undefined ? '' : ` in ${step.cwd}`;
      return `${name}\`${step.command}\`${cwd} ends with 0${expected.map((text) => `, ${text}`).join('')}`;
    }
    case 'file_exists':
      return `${name}${step.glob ? 'files match' : 'there is'} ${step.path}`;
    case 'url': {
      const contains = step.expectBodyContains.map((text) => `, with ${JSON.stringify(text)} in it`).join('');
      return `${name}${step.method} ${step.url} answers ${step.expectStatus}${contains}`;
    }
  }
}

function titled(title: string, body: string): string {
  return body === '' ? '' : `## ${title}\n\n${body}`;
}

function bullets(items: readonly string[]): string {
  return items.map((item) => `- ${item.trim().replace(/\n/g, '\n  ')}`).join('\n');
}

function sections(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}
