import { z } from 'zod';
import { CodetetherError } from '../../domain/errors.ts';
import type { GithubAccess } from './access.ts';

export interface GithubRequest<T> {
  readonly method: 'GET' | 'POST' | 'PATCH';
  /** Below the API's address, with its query. */
  readonly path: string;
  readonly body?: object;
  readonly schema: z.ZodType<T>;
}

/**
 * One request to GitHub's REST API, sent once. Throws `github-unreachable` (also for 5xx and for a connection that was cut: whether a
 * change was made is not known then), `github-rate-limited` with its end, `github-token-refused`, `github-refused` with GitHub's
 * words. The token is in none of them.
 */
export type GithubClient = <T>(request: GithubRequest<T>) => Promise<T>;

const answerMs = 30_000;
const mostRedirects = 3;
const shownCharacters = 500;

export function createGithubClient({ apiUrl, token }: GithubAccess, userAgent: string): GithubClient {
  const { host, origin } = new URL(apiUrl);
  const headers = {
    accept: 'application/vnd.github+json',
    authorization: `Bearer ${token.reveal()}`,
    'user-agent': userAgent,
    'x-github-api-version': '2022-11-28',
  };
  const hidden = (words: string): string => words.replaceAll(token.reveal(), '[redacted]').slice(0, shownCharacters);

  const send = async <T>({ method, body }: GithubRequest<T>, url: string, redirects = 0): Promise<Answer> => {
    let answer: Answer;
    let location: string | null;
    try {
      const response = await fetch(url, {
        method,
        headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: 'manual',
        signal: AbortSignal.timeout(answerMs),
      });
      location = response.headers.get('location');
      answer = { status: response.status, headers: response.headers, text: await response.text() };
    } catch (error) {
      throw new CodetetherError('github-unreachable', `${host} does not answer: ${hidden(reasonOf(error))}`);
    }
    if (![301, 302, 307, 308].includes(answer.status) || location === null) return answer;
    // A repository that was renamed. `fetch` itself would make a GET of a POST.
    const next = new URL(location, url);
    if (next.origin !== origin || redirects === mostRedirects)
      throw new CodetetherError('github-refused', `${host} sends us elsewhere: ${next.origin}`);
    return await send({ method, body } as GithubRequest<T>, next.href, redirects + 1);
  };

  return async (request) => {
    const answer = await send(request, `${apiUrl}${request.path}`);
    if (answer.status >= 200 && answer.status < 300) return parsed(answer, request.schema, host);
    throw refused(answer, { host, path: request.path, hidden });
  };
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

function parsed<T>(answer: Answer, schema: z.ZodType<T>, host: string): T {
  const result = schema.safeParse(jsonOf(answer.text));
  if (result.success) return result.data;
  throw new CodetetherError('github-unreachable', `${host} answers in a way that is not understood`, {
    problems: result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`),
    next: 'Check GITHUB_API_URL, and what is between you and GitHub.',
  });
}

function refused(
  answer: Answer,
  { host, path, hidden }: { readonly host: string; readonly path: string; readonly hidden: (words: string) => string },
): CodetetherError {
  const { status, headers } = answer;
  const { message, problems } = wordsOf(answer.text);
  const said = hidden(message);
  const details = { status };
  if (status >= 500)
    return new CodetetherError('github-unreachable', `${host} answers ${status}: ${said}`, { details });
  const ends = limitEnd(answer);
  if (ends !== undefined)
    return new CodetetherError('github-rate-limited', `${host} takes no more requests until ${ends.toISOString()}`, {
      details: { status, until: ends.toISOString() },
      next: `Try again after ${ends.toLocaleTimeString('en-GB')}.`,
    });
  if (status === 401)
    return new CodetetherError('github-token-refused', `${host} does not take the token: ${said}`, { details });
  const scopes = headers.get('x-accepted-github-permissions') ?? headers.get('x-accepted-oauth-scopes') ?? '';
  return new CodetetherError('github-refused', `${host} answers ${status}: ${said}`, {
    details,
    problems: problems.map(hidden),
    next:
      status === 404
        ? `Check that ${path.split('?')[0]} is there and that the token may see it.`
        : status === 403
          ? `Give the token the permission that it needs${scopes === '' ? ' (pull requests: write)' : ` (${scopes})`}.`
          : 'Correct what GitHub names.',
  });
}

/** When a rate limit ends; undefined when the answer is about something else. */
function limitEnd({ status, headers, text: body }: Answer): Date | undefined {
  if (status !== 403 && status !== 429) return undefined;
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  if (Number.isFinite(seconds)) return new Date(Date.now() + seconds * 1_000);
  const reset = Number(headers.get('x-ratelimit-reset') ?? Number.NaN);
  if (headers.get('x-ratelimit-remaining') === '0' && Number.isFinite(reset)) return new Date(reset * 1_000);
  return status === 429 || /rate limit/i.test(body) ? new Date(Date.now() + 60_000) : undefined;
}

const text = z.string().nullish();
const ErrorBody = z.object({
  message: text,
  errors: z
    .array(z.union([z.string(), z.object({ message: text, resource: text, field: text, code: text })]))
    .nullish(),
});

/** What GitHub says of an error; pages of proxies are no JSON. */
function wordsOf(body: string): { readonly message: string; readonly problems: readonly string[] } {
  const { message, errors } = ErrorBody.safeParse(jsonOf(body)).data ?? {};
  return {
    message: message ?? 'no reason given',
    problems: (errors ?? []).slice(0, 10).map((error) => {
      if (typeof error === 'string') return error;
      return (
        error.message ?? [error.resource, error.field, error.code].filter((part) => typeof part === 'string').join(' ')
      );
    }),
  };
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}
