import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { asCodetetherError } from '../../domain/errors.ts';
import { withSignature } from '../../domain/text/signature.ts';
import type { GithubClient } from './github-client.ts';
import type { GithubRepository } from './remote-address.ts';

const Ref = z.object({ ref: z.string(), repo: z.object({ full_name: z.string() }).nullish() });
const PullRequest = z.object({
  number: z.number().int(),
  html_url: z.url({ protocol: /^https?$/ }),
  state: z.enum(['open', 'closed']),
  draft: z.boolean().default(false),
  title: z.string(),
  body: z.string().nullish(),
  head: Ref,
  base: Ref,
});
export type PullRequest = z.infer<typeof PullRequest>;

const Repository = z.object({ default_branch: z.string().min(1), full_name: z.string() });

export interface WantedPullRequest {
  readonly repository: GithubRepository;
  /** Branch. */
  readonly head: string;
  /** Branch; absent: the repository's default branch. */
  readonly base?: string | undefined;
  /** Absent: one that is there keeps its own. */
  readonly title?: string | undefined;
  readonly newTitle: string;
  /** Absent: one that is there keeps its own. */
  readonly body?: string | undefined;
  /** Is at the end of the body, in place of an earlier one. */
  readonly signature: string;
  readonly draft: boolean;
}

export interface EnsuredPullRequest {
  readonly pullRequest: PullRequest;
  readonly kind: 'created' | 'updated';
  /** What of the wish an update cannot make true. */
  readonly differences: readonly string[];
}

const pausesMs = [500, 1_500, 4_000];

/**
 * The head branch has one open pull request that is as it was wanted: one that is there is updated, else one is made. Each try looks first, so
 * that a request whose answer was lost, and a second caller, lead to no second one. Three more tries when GitHub does not answer.
 * @throws what the client throws
 */
export async function ensurePullRequest(
  client: GithubClient,
  wanted: WantedPullRequest,
  { onWait }: { readonly onWait: (reason: string, pauseMs: number) => void },
): Promise<EnsuredPullRequest> {
  for (const pauseMs of pausesMs) {
    try {
      return await ensureOnce(client, wanted);
    } catch (error) {
      const { code, message, problems } = asCodetetherError(error);
      const isRaced = code === 'github-refused' && problems.some((problem) => /already exists/i.test(problem));
      if (code !== 'github-unreachable' && !isRaced) throw error;
      onWait(message, pauseMs);
      await delay(pauseMs);
    }
  }
  return await ensureOnce(client, wanted);
}

async function ensureOnce(client: GithubClient, wanted: WantedPullRequest): Promise<EnsuredPullRequest> {
  const { owner, name } = wanted.repository;
  const place = `/repos/${owner}/${name}`;
  const repository = await client({ method: 'GET', path: place, schema: Repository });
  const base = wanted.base ?? repository.default_branch;
  const known = await findOpen(client, { place, owner, fullName: repository.full_name, head: wanted.head, base });
  if (known === undefined) {
    const body = {
      title: wanted.title ?? wanted.newTitle,
      head: wanted.head,
      base,
      body: withSignature(wanted.body ?? '', wanted.signature),
      draft: wanted.draft,
    };
    const pullRequest = await client({ method: 'POST', path: `${place}/pulls`, body, schema: PullRequest });
    return { pullRequest, kind: 'created', differences: [] };
  }
  const body = {
    ...(wanted.title === undefined ? {} : { title: wanted.title }),
    body: withSignature(wanted.body ?? known.body ?? '', wanted.signature),
  };
  const path = `${place}/pulls/${known.number}`;
  const pullRequest = await client({ method: 'PATCH', path, body, schema: PullRequest });
  return { pullRequest, kind: 'updated', differences: differencesOf(pullRequest, wanted) };
}

/** With the wanted base, if one has it. */
async function findOpen(
  client: GithubClient,
  of: {
    readonly place: string;
    readonly owner: string;
    readonly fullName: string;
    readonly head: string;
    readonly base: string;
  },
): Promise<PullRequest | undefined> {
  const query = new URLSearchParams({ state: 'open', head: `${of.owner}:${of.head}`, per_page: '100' });
  const found = await client({
    method: 'GET',
    path: `${of.place}/pulls?${query.toString()}`,
    schema: z.array(PullRequest),
  });
  // A server that does not know the filter gives all; forks of the same owner have branches of the same name.
  const own = found.filter(({ head }) => head.ref === of.head && (head.repo?.full_name ?? of.fullName) === of.fullName);
  return own.find(({ base }) => base.ref === of.base) ?? own[0];
}

function differencesOf({ number, base, draft }: PullRequest, wanted: WantedPullRequest): readonly string[] {
  return [
    ...(wanted.base === undefined || wanted.base === base.ref
      ? []
      : [`its base stays ${base.ref}; change it with: gh pr edit ${number} --base ${wanted.base}`]),
    ...(wanted.draft && !draft ? [`it stays ready for review; change that with: gh pr ready ${number} --undo`] : []),
  ];
}
