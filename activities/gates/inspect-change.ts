import type { InspectChangeResult, StoryCheckInput } from '../../domain/contracts/activities.ts';
import type { Store, WorkspaceStore } from '../../domain/contracts/store.ts';
import type { Story } from '../../domain/ralph/prd.ts';
import {
  concernsChecks,
  tamperFindings,
  type FileChange,
  type FileVersion,
  type Finding,
} from '../../domain/ralph/tamper.ts';
import type { GateCommand } from '../../domain/ralph/gate-files.ts';
import { pathMatcher } from '../tools/match-path.ts';
import { requireRun, requireStory, requireWorkspace } from '../workspace/deps.ts';
import type { Git } from '../workspace/git.ts';
import type { Repositories } from '../workspace/repository.ts';
import { checkpointIndex, inWorktree, type Worktree } from '../workspace/worktree.ts';
import { cleanLine } from '../tools/output-text.ts';
import { findPlace, type Place } from './place.ts';

export interface InspectDeps {
  readonly store: Pick<Store, 'getRun' | 'getStory' | 'recordCheck' | 'putBlob'> & Pick<WorkspaceStore, 'getWorkspace'>;
  readonly repositories: Repositories;
}

/** The name under which inspections stand among a story's checks. */
export const inspectionName = 'change';

const longestMessage = 2_000;
/** Larger files are no sources. */
const largestFileBytes = 1024 * 1024;

export async function inspectChange(deps: InspectDeps, input: StoryCheckInput): Promise<InspectChangeResult> {
  const { git } = deps.repositories;
  const startedAt = performance.now();
  const [run, { story }] = await Promise.all([requireRun(deps.store, input.runId), requireStory(deps.store, input)]);
  const place = await findPlace(deps, run, input);
  const base = input.where === 'merged' ? `${place.commit}^` : (await requireWorkspace(deps.store, input)).base;
  const commands = commandsOf(run.prd.qualityChecks, story);
  const changed = await changedFiles(git, place, base);
  const packageBefore = await readBlob(git, place.worktree, `${base}:package.json`);
  const concerned = changed.filter((file) =>
    [file.from, file.to].some((path) => path !== null && concernsChecks(path, { commands, packageBefore })),
  );
  const findings = tamperFindings({
    files: await inBatches(concerned, (file) => readChange(git, place, base, file)),
    commands,
    packageBefore,
    foldersBefore: new Set(await foldersBefore(git, place, base)),
    newlyIgnored: changed.some((file) => isGitIgnore(file.to)) ? await newlyIgnored(git, place, input.where, base) : [],
  });
  const isAllowed = allowance(story);
  const forbidden = findings.filter((finding) => !isAllowed(finding.file));
  const message = cleanLine(forbidden.map(sentence).join('; '), longestMessage);
  const ok = forbidden.length === 0;
  const log = [
    ...changed.map(
      ({ status, from, to }) =>
        `${status} ${from === to || from === null ? to : to === null ? from : `${from} → ${to}`}`,
    ),
    ...findings.map((finding) => `${isAllowed(finding.file) ? 'allowed' : 'tampered'}: ${sentence(finding)}`),
  ].join('\n');
  await deps.store.recordCheck({
    runId: input.runId,
    storyId: input.storyId,
    attempt: input.attempt,
    where: input.where,
    name: inspectionName,
    command: 'compare with the base',
    tree: place.tree,
    commit: place.commit,
    ok,
    verdict: ok ? 'ok' : 'red',
    exitCode: null,
    durationMs: Math.round(performance.now() - startedAt),
    summary: ok ? `${changed.length} ${changed.length === 1 ? 'file' : 'files'} changed` : cleanLine(message, 300),
    log: await deps.store.putBlob(log),
  });
  return ok ? { ok } : { ok, message };
}

function sentence({ file, why }: Finding): string {
  return `${file}: ${why}`;
}

function commandsOf(gates: { readonly [gate: string]: string | undefined }, story: Story): readonly GateCommand[] {
  return [
    ...Object.entries(gates).map(([gate, command = '']) => ({ gate: `the gate ${gate}`, command })),
    ...story.verificationSteps.flatMap((step) =>
      step.type === 'shell' ? [{ gate: 'the verification', command: step.command }] : [],
    ),
  ];
}

function allowance({ allowedChanges }: Story): (path: string) => boolean {
  const matchers = allowedChanges.map((pattern) => pathMatcher(pattern.endsWith('/') ? `${pattern}**` : pattern));
  return (path) => matchers.some((matches) => matches?.(path) === true);
}

interface ChangedPath {
  readonly status: string;
  readonly from: string | null;
  readonly to: string | null;
}

async function changedFiles(git: Git, { worktree, tree }: Place, base: string): Promise<readonly ChangedPath[]> {
  const answer = await git(['diff-tree', '-r', '-z', '-M', '-l0', '--name-status', base, tree], inWorktree(worktree));
  const fields = answer.stdout.split('\0');
  const files: ChangedPath[] = [];
  for (let index = 0; index + 1 < fields.length;) {
    const status = (fields[index] ?? '').charAt(0);
    const path = fields[index + 1] ?? '';
    const isMove = status === 'R' || status === 'C';
    files.push({
      status,
      from: status === 'A' ? null : path,
      to: status === 'D' ? null : isMove ? (fields[index + 2] ?? '') : path,
    });
    index += isMove ? 3 : 2;
  }
  return files;
}

async function readChange(git: Git, { worktree, tree }: Place, base: string, file: ChangedPath): Promise<FileChange> {
  const read = async (at: string, path: string | null): Promise<FileVersion | null> =>
    path === null ? null : { path, text: (await readBlob(git, worktree, `${at}:${path}`)) ?? '' };
  const [before, after] = await Promise.all([read(base, file.from), read(tree, file.to)]);
  return { before, after };
}

async function readBlob(git: Git, worktree: Worktree, name: string): Promise<string | null> {
  const answer = await git(['cat-file', 'blob', name], { ...inWorktree(worktree), accept: [128] });
  return answer.exitCode === 0 ? answer.stdout.slice(0, largestFileBytes) : null;
}

async function inBatches<From, To>(items: readonly From[], work: (item: From) => Promise<To>): Promise<To[]> {
  const done: To[] = [];
  for (let start = 0; start < items.length; start += 8) {
    done.push(...(await Promise.all(items.slice(start, start + 8).map(work))));
  }
  return done;
}

async function foldersBefore(git: Git, { worktree }: Place, base: string): Promise<readonly string[]> {
  const answer = await git(['ls-tree', '-r', '-d', '-z', '--name-only', base], inWorktree(worktree));
  return ['', ...answer.stdout.split('\0')];
}

function isGitIgnore(path: string | null): boolean {
  return path !== null && /(?:^|\/)\.gitignore$/.test(path);
}

/** Files that are tracked and ignored by a pattern that the base's .gitignore has not. */
async function newlyIgnored(
  git: Git,
  { worktree }: Place,
  where: 'workspace' | 'merged',
  base: string,
): Promise<readonly { readonly path: string; readonly by: string }[]> {
  const at =
    where === 'workspace' ? { ...inWorktree(worktree), indexFile: checkpointIndex(worktree) } : inWorktree(worktree);
  const listed = await git(['ls-files', '-z', '--cached', '--ignored', '--exclude-standard'], at);
  if (listed.stdout === '') return [];
  const answer = await git(['check-ignore', '--no-index', '-v', '-z', '--stdin'], {
    ...at,
    input: listed.stdout,
    accept: [1],
  });
  const fields = answer.stdout.split('\0');
  const found: { readonly path: string; readonly by: string }[] = [];
  const before = new Map<string, readonly string[]>();
  for (let index = 0; index + 3 < fields.length; index += 4) {
    const [by = '', , pattern = '', path = ''] = fields.slice(index, index + 4);
    if (!isGitIgnore(by)) continue;
    const old = before.get(by) ?? ((await readBlob(git, worktree, `${base}:${by}`)) ?? '').split('\n');
    before.set(by, old);
    if (!old.some((line) => line.trim() === pattern)) found.push({ path, by });
  }
  return found;
}
