import type { AttemptView, CheckView, StoryDetailView } from '../../domain/contracts/api.ts';
import { formatClock, formatDuration, formatTokens, shortCommit, unknown } from './format.ts';
import { markdownTable } from './table.ts';
import { cleanLine, cleanOutputLine, counted } from './text.ts';

/**
 * A story as Markdown: how it stands, its attempts, and every check with its evidence.
 * @param changes one line for each file that the newest attempt changed
 */
export function storyLines(story: StoryDetailView, changes: readonly string[]): string[] {
  const { checks, attempted, usage } = story;
  const commit = story.commit === null ? '' : `, commit ${story.commit}`;
  const tokens = formatTokens(usage.inputTokens + usage.outputTokens);
  return [
    `# ${story.storyId} ${cleanLine(story.title)}`,
    '',
    `- run ${story.runId}`,
    `- ${story.status}${commit}`,
    `- ${counted(story.attempts, 'attempt')}, ${formatDuration(story.durationMs)}, ${tokens} tokens`,
    ...section('Attempts', attempted.length > 0, [
      ...markdownTable([
        { title: 'attempt', cells: attempted.map(({ attempt }) => String(attempt)) },
        { title: 'began', cells: attempted.map(({ startedAt }) => formatClock(startedAt)) },
        { title: 'time', cells: attempted.map(({ durationMs }) => time(durationMs)) },
        { title: 'outcome', cells: attempted.map(outcomeOf) },
      ]),
    ]),
    ...section('Checks', checks.length > 0, [
      ...markdownTable([
        { title: 'attempt', cells: checks.map(({ attempt }) => (attempt === null ? unknown : String(attempt))) },
        { title: 'where', cells: checks.map(({ where }) => where) },
        { title: 'check', cells: checks.map(({ name }) => name) },
        { title: 'verdict', cells: checks.map(verdictOf) },
        { title: 'exit', cells: checks.map(({ exitCode }) => (exitCode === null ? unknown : String(exitCode))) },
        { title: 'time', cells: checks.map(({ durationMs }) => time(durationMs)) },
        { title: 'tree', cells: checks.map(({ tree }) => shortCommit(tree)) },
        {
          title: 'commit',
          cells: checks.map((check) => (check.commit === null ? unknown : shortCommit(check.commit))),
        },
        { title: 'log', cells: checks.map(({ log }) => log.slice(0, 12)) },
        { title: 'command', cells: checks.map(({ command }) => command) },
        { title: 'summary', cells: checks.map(({ summary }) => summary) },
      ]),
      '',
      `The whole output of a check: codetether ralph show ${story.storyId} --log <check>`,
    ]),
    ...section(
      'Changed files of the newest attempt',
      changes.length > 0,
      changes.map((line) => `- ${cleanOutputLine(line)}`),
    ),
  ];
}

function section(title: string, isShown: boolean, lines: readonly string[]): string[] {
  return isShown ? ['', `## ${title}`, '', ...lines] : [];
}

function time(durationMs: number | null): string {
  return durationMs === null ? unknown : formatDuration(durationMs);
}

function outcomeOf({ outcome, reason, message, filesChanged }: AttemptView): string {
  if (outcome === 'failed') return `failed (${reason ?? unknown}): ${message}`;
  if (outcome === 'unfinished') return outcome;
  return filesChanged === null ? outcome : `passed, ${counted(filesChanged, 'file')} changed`;
}

function verdictOf({ name, verdict }: CheckView): string {
  if (name === 'change') return verdict === 'ok' ? 'untampered' : 'tampered';
  return verdict === 'ok' ? 'green' : verdict;
}
