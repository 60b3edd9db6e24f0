import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text as readStream } from 'node:stream/consumers';
import type { RunDetailView, StoryDetailView } from '../../../domain/contracts/api.ts';
import { CodetetherError, exitCodes } from '../../../domain/errors.ts';
import { packageVersion } from '../../../services/config/version.ts';
import { currentBranch, remoteOf, remoteUrls, requirePushed, subjectOf } from '../../../services/git/head-branch.ts';
import { gitIn } from '../../../services/git/run-git.ts';
import type { Git } from '../../../services/git/run-git.ts';
import { githubAccess } from '../../../services/github/access.ts';
import { createGithubClient } from '../../../services/github/github-client.ts';
import { ensurePullRequest } from '../../../services/github/pull-requests.ts';
import { parseRemote } from '../../../services/github/remote-address.ts';
import type { GithubRepository } from '../../../services/github/remote-address.ts';
import { formatDuration } from '../../output/format.ts';
import { pullRequestJson, pullRequestLines, signatureOf } from '../../output/pull-request.ts';
import { cleanLine } from '../../output/text.ts';
import { ask, openContext, print } from '../ralph/context.ts';
import type { Context } from '../ralph/context.ts';

export interface CreateOptions {
  readonly title?: string;
  readonly body?: string;
  readonly bodyFile?: string;
  readonly base?: string;
  readonly head?: string;
  readonly run?: string;
  readonly draft?: boolean;
  readonly project?: string;
  readonly json?: boolean;
}

/** GitHub takes 65,536 characters; what is ours has its own limit. */
const longestBody = 40_000;
const longestTitle = 250;
/** Of more stories the gates are not asked for one by one. */
const mostStories = 60;

export async function create(options: CreateOptions): Promise<number> {
  const { title, base, draft = false, json = false } = options;
  if (title?.trim() === '') throw new CodetetherError('usage', 'the title is empty');
  const context = openContext();
  const body = await bodyOf(context, options);
  const run = options.run === undefined ? undefined : await readRun(context, options.run);
  const folder = resolve(context.cwd, options.project ?? run?.view.repoPath ?? '.');
  const git = gitIn(folder, context.environment);
  await requireRepository(git, folder);
  const head = options.head ?? run?.view.branch ?? (await currentBranch(git));
  if (head === base) throw new CodetetherError('usage', `head and base are both ${head}`);
  const remote = await remoteOf(git, head);
  const repository = await repositoryOf(git, remote);
  const access = githubAccess(context.environment, repository.host);
  const commit = await requirePushed(git, { branch: head, remote });
  const feature = run === undefined ? undefined : `${run.view.project}: ${run.view.feature}`;
  const client = createGithubClient(access, `codetether/${packageVersion()}`);
  const wanted = {
    repository,
    head,
    base,
    title: title?.slice(0, longestTitle),
    newTitle: cleanLine(feature ?? (await subjectOf(git, commit)) ?? head).slice(0, longestTitle),
    body,
    signature: signatureOf({ head, commit, run }),
    draft,
  };
  const onWait = (reason: string, pauseMs: number) =>
    print(context.stderr, [`${cleanLine(reason)}; trying again in ${formatDuration(pauseMs)}`]);
  const ensured = await ensurePullRequest(client, wanted, { onWait });
  if (json) print(context.stdout, [JSON.stringify(pullRequestJson(ensured, commit))]);
  else {
    print(context.stdout, pullRequestLines(ensured));
    const { number } = ensured.pullRequest;
    print(context.stderr, [
      `${ensured.kind} pull request ${number} of ${cleanLine(head)}`,
      ...ensured.differences.map(cleanLine),
    ]);
  }
  return exitCodes.completed;
}

async function bodyOf(context: Context, { body, bodyFile }: CreateOptions): Promise<string | undefined> {
  if (body !== undefined && bodyFile !== undefined)
    throw new CodetetherError('usage', '--body and --body-file exclude each other');
  const text = bodyFile === undefined ? body : await readBody(context, bodyFile);
  if (text !== undefined && text.length > longestBody)
    throw new CodetetherError('usage', `the body has ${text.length} characters; at most ${longestBody} can be`);
  return text;
}

async function readBody({ cwd, stdin }: Context, file: string): Promise<string> {
  if (file === '-') return await readStream(stdin);
  try {
    return await readFile(resolve(cwd, file), 'utf8');
  } catch (error) {
    throw new CodetetherError('usage', `${file} cannot be read`, { problems: [String(error)] });
  }
}

async function readRun(
  context: Context,
  id: string,
): Promise<{ readonly view: RunDetailView; readonly stories: readonly StoryDetailView[] }> {
  const view = await ask(context, (client) => client.getRun(id));
  const passed = view.stories.filter(({ status }) => status === 'passed');
  const asked = passed.length > mostStories ? [] : passed;
  const stories = await Promise.all(asked.map(({ storyId }) => context.client.getStory(view.runId, storyId)));
  return { view, stories };
}

async function requireRepository(git: Git, folder: string): Promise<void> {
  const { exitCode } = await git(['rev-parse', '--git-dir'], { accept: [128] });
  if (exitCode !== 0) throw new CodetetherError('not-a-repository', `${folder} is not in a git repository`);
}

async function repositoryOf(git: Git, remote: string): Promise<GithubRepository> {
  for (const url of await remoteUrls(git, remote)) {
    const repository = parseRemote(url);
    if (repository !== undefined) return repository;
  }
  throw new CodetetherError('remote-not-github', `the URL of the remote ${remote} names no repository on a server`);
}
