import type { RunDetailView, StoryDetailView, StoryView } from '../../domain/contracts/api.ts';
import type { EnsuredPullRequest } from '../../services/github/pull-requests.ts';
import { packageVersion } from '../../services/config/version.ts';
import { formatCost, formatTokens, shortCommit, unknown } from './format.ts';
import { markdownTable } from './table.ts';
import { cleanLine } from './text.ts';

const mostLines = 100;
const titleCharacters = 100;

/** What a pull request is told of where it comes from; of a run also what came of it. Markdown. */
export function signatureOf(of: {
  readonly head: string;
  readonly commit: string;
  readonly run: { readonly view: RunDetailView; readonly stories: readonly StoryDetailView[] } | undefined;
}): string {
  const from = `Made with codetether ${packageVersion()} from ${code(of.head)} at ${of.commit}.`;
  if (of.run === undefined) return from;
  const { view, stories } = of.run;
  const passed = view.stories.filter(({ status }) => status === 'passed').length;
  const cost = formatCost({ usd: view.spentUsd, tokens: view.spentTokens });
  const shown = view.stories.slice(0, mostLines);
  const column = (title: string, cell: (story: StoryView) => string) => ({ title, cells: shown.map(cell) });
  const table = markdownTable([
    column('story', ({ storyId }) => storyId),
    column('title', ({ title }) => safe(title).slice(0, titleCharacters)),
    column('state', ({ status, problem }) =>
      status === 'passed' || problem === null ? status : `${status}: ${safe(problem).slice(0, titleCharacters)}`,
    ),
    column('attempts', ({ attempts }) => String(attempts)),
    column('commit', ({ commit }) => (commit === null ? unknown : shortCommit(commit))),
    column('gates', ({ storyId }) => gatesOf(stories.find((story) => story.storyId === storyId))),
  ]);
  return [
    `### ${passed} of ${view.stories.length} stories passed`,
    '',
    ...table,
    ...(shown.length === view.stories.length ? [] : [`and ${view.stories.length - shown.length} more`]),
    '',
    `Run ${code(view.runId)} is ${view.status}; ${code(view.model)}, ${formatTokens(view.spentTokens)} tokens, cost ${cost}.`,
    ...(view.redGates.length === 0 ? [] : [`Red before the run, and no worse: ${view.redGates.map(code).join(', ')}.`]),
    ...(view.flakyGates.length === 0
      ? []
      : [`Red and then green on the same files: ${view.flakyGates.map(code).join(', ')}.`]),
    from,
  ].join('\n');
}

/** What the gates said of the story's commit as it was merged, else in its worktree: the newest word of each. */
function gatesOf(story: StoryDetailView | undefined): string {
  const checks = story?.checks ?? [];
  const merged = checks.filter(({ where }) => where === 'merged');
  const last = new Map(
    (merged.length > 0 ? merged : checks.filter(({ where }) => where === 'workspace')).map((check) => [
      check.name,
      check.verdict,
    ]),
  );
  return last.size === 0 ? unknown : [...last].map(([name, verdict]) => `${safe(name)} ${verdict}`).join(', ');
}

/** One line that is no markup of its own. */
function safe(text: string): string {
  return cleanLine(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('@', '@\u2060');
}

function code(text: string): string {
  return `\`${cleanLine(text).replaceAll('`', "'")}\``;
}

/** `PR_URL=…` and its like, one a line; quoted where a shell would take something for its own. */
export function pullRequestLines({ pullRequest }: EnsuredPullRequest): string[] {
  const { html_url: url, number, state, draft, head } = pullRequest;
  const values = { PR_URL: url, PR_NUMBER: number, PR_STATE: state, PR_DRAFT: draft, PR_HEAD: head.ref };
  return Object.entries(values).map(([name, value]) => `${name}=${quoted(cleanLine(String(value)))}`);
}

function quoted(value: string): string {
  return /^[\w./:@%+,=-]*$/.test(value) ? value : `'${value.replaceAll("'", String.raw`'\''`)}'`;
}

export function pullRequestJson({ pullRequest, kind, differences }: EnsuredPullRequest, commit: string): object {
  const { html_url: url, number, state, draft, title, head, base } = pullRequest;
  return {
    schema_version: 1,
    url,
    number,
    state,
    draft,
    title,
    head: head.ref,
    base: base.ref,
    commit,
    created: kind === 'created',
    differences,
  };
}
