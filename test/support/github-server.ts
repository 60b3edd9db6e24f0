import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

interface PullRequest {
  number: number;
  html_url: string;
  state: 'open' | 'closed';
  draft: boolean;
  title: string;
  body: string;
  head: { ref: string; repo: { full_name: string } };
  base: { ref: string; repo: { full_name: string } };
}

export interface GithubRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
}

/** What the next requests that fit are answered with instead: a status with headers and a body, or a cut connection. */
export interface Fault {
  readonly method?: string;
  readonly times?: number;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** The request is taken and done, and nobody answers. */
  readonly cut?: 'before' | 'after';
}

/** The part of GitHub's REST API that pull requests need, with a repository `acme/todo` whose default branch is `trunk`. */
export interface GithubServer {
  readonly url: string;
  readonly pulls: PullRequest[];
  readonly requests: GithubRequest[];
  fail(fault: Fault): void;
  close(): Promise<void>;
}

const fullName = 'acme/todo';
export const githubToken = 'ghp_0123456789abcdefSECRET';

export async function startGithubServer(): Promise<GithubServer> {
  const pulls: PullRequest[] = [];
  const requests: GithubRequest[] = [];
  const faults: { fault: Fault; left: number }[] = [];

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://github.test');
    const method = request.method ?? '';
    requests.push({ method, path: `${url.pathname}${url.search}`, authorization: request.headers.authorization });
    const body = method === 'GET' ? {} : (JSON.parse(await text(request)) as Partial<Record<string, string | boolean>>);
    const send = (status: number, content: unknown, headers: Readonly<Record<string, string>> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(content));
    };
    const faulty = faults.find(({ fault, left }) => left > 0 && (fault.method ?? method) === method);
    if (faulty !== undefined) {
      faulty.left--;
      const { cut, status, headers, body: said } = faulty.fault;
      if (cut === 'after') handle(url, method, body, () => undefined);
      if (cut !== undefined) return void request.socket.destroy();
      return send(status ?? 500, said ?? { message: 'planned fault' }, headers);
    }
    if (request.headers.authorization !== `Bearer ${githubToken}`) return send(401, { message: 'Bad credentials' });
    handle(url, method, body, send);
  };

  const handle = (
    url: URL,
    method: string,
    body: Partial<Record<string, string | boolean>>,
    send: (status: number, content: unknown) => void,
  ): void => {
    const [, number] = /^\/repos\/acme\/todo\/pulls\/(\d+)$/.exec(url.pathname) ?? [];
    if (url.pathname === '/repos/acme/todo') return send(200, { default_branch: 'trunk', full_name: fullName });
    if (url.pathname === '/repos/acme/todo/pulls' && method === 'GET') {
      const head = url.searchParams.get('head');
      return send(
        200,
        pulls.filter((pull) => pull.state === 'open' && `acme:${pull.head.ref}` === head),
      );
    }
    if (url.pathname === '/repos/acme/todo/pulls' && method === 'POST') {
      const invalid = (message: string) => send(422, { message: 'Validation Failed', errors: [{ message }] });
      if (body['base'] === 'nowhere') return invalid('base is invalid');
      const isKnown = pulls.some(
        ({ state, head, base }) => state === 'open' && head.ref === body['head'] && base.ref === body['base'],
      );
      if (isKnown) return invalid(`A pull request already exists for acme:${String(body['head'])}.`);
      const made: PullRequest = {
        number: pulls.length + 1,
        html_url: `https://github.example/acme/todo/pull/${pulls.length + 1}`,
        state: 'open',
        draft: body['draft'] === true,
        title: String(body['title']),
        body: String(body['body']),
        head: { ref: String(body['head']), repo: { full_name: fullName } },
        base: { ref: String(body['base']), repo: { full_name: fullName } },
      };
      pulls.push(made);
      return send(201, made);
    }
    const known = pulls.find((pull) => String(pull.number) === number);
    if (known === undefined || method !== 'PATCH') return send(404, { message: 'Not Found' });
    if (typeof body['title'] === 'string') known.title = body['title'];
    if (typeof body['body'] === 'string') known.body = body['body'];
    send(200, known);
  };

  const server = createServer((request, response) => {
    answer(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pulls,
    requests,
    fail: (fault) => void faults.push({ fault, left: fault.times ?? 1 }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
