import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PrdFileActivities } from '../../domain/contracts/activities.ts';
import type { RunRecord, RunStore, SessionStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { parsePrd, type ParsedPrd } from '../../domain/ralph/parse-prd.ts';
import {
  appendEntries,
  attemptEndKinds,
  attemptsToAppend,
  finishedAttempts,
  type FinishedAttempt,
} from '../../domain/ralph/progress.ts';
import { attemptId } from '../../domain/run/ids.ts';
import type { RunEvent } from '../../domain/run/events.ts';
import { followRunBranch } from '../workspace/follow-run-branch.ts';
import type { Repositories } from '../workspace/repository.ts';
import { markPasses, parsePrdText } from './prd-text.ts';
import { updateFile } from './update-file.ts';

const maxPrdBytes = 20 * 1024 * 1024;

/** Beside the PRD, as codetether-agent has it. */
export function progressPath(prdPath: string): string {
  return join(dirname(prdPath), 'progress.txt');
}

/**
 * Reads and checks a PRD file: JSON or YAML, either dialect, with or without a byte order mark.
 * Throws `prd-missing`, and `prd-invalid` with every problem and its place (line and column for syntax errors).
 */
export async function readPrdFile(path: string): Promise<ParsedPrd> {
  return parsePrd(parsePrdText(decode(await readPrdBytes(path), path), path).value);
}

async function readPrdBytes(path: string): Promise<Buffer> {
  try {
    const stats = await stat(path);
    if (!stats.isFile()) throw new CodetetherError('prd-missing', `${path} is not a file.`);
    if (stats.size > maxPrdBytes)
      throw new CodetetherError('prd-invalid', `${path} has ${stats.size} bytes; at most ${maxPrdBytes} are read.`);
    return await readFile(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new CodetetherError('prd-missing', `There is no PRD file ${path}.`, { cause: error });
    if (code === 'EACCES' || code === 'EPERM' || code === 'ELOOP')
      throw new CodetetherError('prd-missing', `${path} cannot be read (${code}).`, {
        cause: error,
        next: 'Make it readable, or name another with --prd.',
      });
    throw error;
  }
}

/** A byte order mark stays, as the first character. */
function decode(bytes: Buffer, path: string): string {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
    throw new CodetetherError('prd-invalid', `${path} is UTF-16.`, { next: 'Save it as UTF-8.' });
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    const line = bytes.subarray(0, firstInvalidByte(bytes)).toString('latin1').split('\n').length;
    throw new CodetetherError('prd-invalid', `${path} is not UTF-8.`, {
      problems: [`line ${line}: bytes that are not UTF-8`],
      next: 'Save it as UTF-8.',
      cause: error,
    });
  }
}

/** Found by halving, since the decoder does not say it. */
function firstInvalidByte(bytes: Buffer): number {
  let valid = 0;
  let invalid = bytes.length;
  while (invalid - valid > 1) {
    const middle = Math.floor((valid + invalid) / 2);
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, middle), { stream: true });
      valid = middle;
    } catch {
      invalid = middle;
    }
  }
  return valid;
}

export interface PrdFileDeps {
  readonly store: Pick<RunStore, 'getRun' | 'getStories' | 'readRunEvents' | 'appendRunEvents'> &
    Pick<SessionStore, 'readSession'>;
  /** The host that this process works for. */
  readonly hostId: string;
  readonly repositories: Pick<Repositories, 'git' | 'open'>;
}

export function createPrdFileActivities({ store, hostId, repositories }: PrdFileDeps) {
  return {
    async syncPrdFiles({ runId }) {
      const run = await store.getRun(runId);
      if (run === undefined) throw new CodetetherError('not-found', `There is no run ${runId}.`);
      if (run.hostId !== hostId) return await leaveToOwnHost(run);
      if (run.options.remote !== undefined) {
        await followRunBranch({ hostId, repositories }, { run, repository: await repositories.open(run.repoPath) });
      }
      const events = await readEvents(run.runId);
      await orWarn(run, run.prdPath, () => syncPrd(run, events));
      const path = progressPath(run.prdPath);
      await orWarn(run, path, () => syncProgress(run, path, events));
    },
  } satisfies PrdFileActivities;

  async function leaveToOwnHost(run: RunRecord): Promise<void> {
    const message = `prd.json and progress.txt are not written now: they lie on ${run.hostId}, which is lost`;
    await store.appendRunEvents(run.runId, [
      { key: `${run.runId}:${run.execution}:prd-files:host`, kind: 'warning', body: { message } },
    ]);
  }

  async function syncPrd(run: RunRecord, events: readonly RunEvent[]): Promise<void> {
    const stories = await store.getStories(run.runId);
    const back = rolledBack(events);
    const passes = new Map(
      stories.flatMap(({ status, story }) =>
        status === 'passed' || back.has(story.id) ? [[story.id, status === 'passed'] as const] : [],
      ),
    );
    if (passes.size === 0) return;
    await updateFile(run.prdPath, (content) => {
      if (content === null) throw new CodetetherError('prd-missing', 'it is not there');
      const text = decode(content, run.prdPath);
      const changed = markPasses(text, run.prdPath, passes);
      return changed === text ? null : changed;
    });
  }

  async function syncProgress(run: RunRecord, path: string, events: readonly RunEvent[]): Promise<void> {
    const attempts = finishedAttempts(events);
    if (attempts.length === 0) return;
    const summaries = new Map<FinishedAttempt, string>();
    await updateFile(path, async (content) => {
      const text = content === null ? null : content.toString('utf8');
      if (content !== null && !Buffer.from(text ?? '', 'utf8').equals(content))
        throw new CodetetherError('prd-invalid', 'it is not UTF-8');
      const missing = attemptsToAppend(text, attempts);
      if (missing.length === 0) return null;
      const entries: { attempt: FinishedAttempt; summary: string }[] = [];
      for (const attempt of missing) {
        const summary = summaries.get(attempt) ?? (await lastWords(run.runId, attempt));
        summaries.set(attempt, summary);
        entries.push({ attempt, summary });
      }
      return appendEntries(text, entries);
    });
  }

  async function readEvents(runId: string): Promise<RunEvent[]> {
    const limit = 1000;
    const events: RunEvent[] = [];
    for (let afterSeq = 0; ;) {
      const page = await store.readRunEvents(runId, {
        afterSeq,
        limit,
        kinds: [...attemptEndKinds, 'story-rolled-back'],
      });
      events.push(...page);
      const last = page.at(-1);
      if (last === undefined || page.length < limit) return events;
      afterSeq = last.seq;
    }
  }

  async function lastWords(runId: string, { storyId, attempt }: FinishedAttempt): Promise<string> {
    const transcript = await store.readSession(attemptId(runId, storyId, attempt));
    for (const event of transcript.toReversed())
      if (event.kind === 'assistant' && event.body.text.trim() !== '') return event.body.text;
    return '';
  }

  /** The user's files may be locked, broken or gone for the moment: the run goes on and says so, once per reason. */
  async function orWarn(run: RunRecord, path: string, sync: () => Promise<void>): Promise<void> {
    try {
      await sync();
    } catch (error) {
      const reason = skippable(error);
      if (reason === null) throw error;
      const message = `${path} was left as it is: ${reason}`;
      const mark = createHash('sha256').update(message).digest('hex').slice(0, 12);
      await store.appendRunEvents(run.runId, [
        { key: `${run.runId}:${run.execution}:prd-files:${mark}`, kind: 'warning', body: { message } },
      ]);
    }
  }
}

/** Stories whose commit was taken off the run branch and that have not passed again since. */
function rolledBack(events: readonly RunEvent[]): Set<string> {
  const stories = new Set<string>();
  for (const { kind, storyId } of events) {
    if (storyId === null) continue;
    if (kind === 'story-rolled-back') stories.add(storyId);
    if (kind === 'story-passed') stories.delete(storyId);
  }
  return stories;
}

/** Why the file cannot be written now; null for errors that are not about the user's file. */
function skippable(error: unknown): string | null {
  if (error instanceof CodetetherError && (error.code === 'prd-invalid' || error.code === 'prd-missing'))
    return [error.message, ...error.problems.slice(0, 3)].join(' ');
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const known: Readonly<Record<string, string>> = {
    EACCES: 'no permission to write it',
    EPERM: 'no permission to write it',
    EROFS: 'its file system is read-only',
    ENOENT: 'its folder is not there',
    ENOTDIR: 'its folder is not there',
    EISDIR: 'it is a folder',
    ELOOP: 'it is a circle of links',
    EBUSY: 'somebody else is writing it all the time',
  };
  return typeof code === 'string' ? (known[code] ?? null) : null;
}
