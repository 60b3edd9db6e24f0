import { lookup as lookUp } from 'node:dns/promises';
import { request as requestHttp, type IncomingHttpHeaders, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { unlessAborted } from '../unless-aborted.ts';
import { isPublicAddress } from './public-address.ts';

export interface GuardedRequest {
  readonly url: string;
  readonly method?: 'GET' | 'POST';
  /** Sent to the address's own origin only, not to where it redirects. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Of the answer, unpacked; the rest is left out. */
  readonly maxBytes: number;
  /** For everything, redirects included. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Default: redirects to the same host are followed. */
  readonly maxRedirects?: 0;
  /** Whether a redirect to another host is followed; default: none is. */
  readonly mayRedirect?: (to: URL) => boolean;
}

export type GuardedResponse =
  | {
      readonly kind: 'answered';
      /** Where it came from after redirects. */
      readonly url: string;
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      /** Empty when it has none. */
      readonly contentType: string;
      readonly body: Buffer;
      readonly isCut: boolean;
    }
  /** Not asked for, by the guard's rules. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Asked for, in vain. */
  | { readonly kind: 'failed'; readonly reason: string };

export type GuardedFetch = (request: GuardedRequest) => Promise<GuardedResponse>;

export type LookUpAddresses = (
  host: string,
) => Promise<readonly { readonly address: string; readonly family: number }[]>;

export interface GuardOptions {
  /** `host:port` (`host:*`: any port) of servers that the user has named, which may be on this machine or its network. */
  readonly trusted?: readonly string[];
  /** Default: the system's. */
  readonly lookUpAddresses?: LookUpAddresses;
}

const maxRedirects = 5;

/**
 * The project's one way to an address from outside. A name is looked up once, all of its addresses must be public (see
 * `isPublicAddress`), and exactly these are connected to; each redirect is looked at in the same way. Only http and https, ports
 * 80, 443 and from 1024 on, no user names in addresses, never from https back to http. Proxies of the environment are not used: they
 * would look names up anew. Throws the signal's reason when that aborts; everything else is a response.
 */
export function createGuardedFetch(options: GuardOptions = {}): GuardedFetch {
  const { trusted = [], lookUpAddresses = (host) => lookUp(host, { all: true, verbatim: true }) } = options;
  return async (request) => {
    const timeUp = AbortSignal.timeout(request.timeoutMs);
    const signal = AbortSignal.any([request.signal, timeUp]);
    try {
      return await follow(request, { trusted, lookUpAddresses, signal });
    } catch (error) {
      request.signal.throwIfAborted();
      if (error instanceof Refused) return { kind: 'refused', reason: error.message };
      const seconds = request.timeoutMs / 1000;
      if (timeUp.aborted) return { kind: 'failed', reason: `no whole answer within ${seconds} s` };
      return { kind: 'failed', reason: reasonOf(error) };
    }
  };
}

class Refused extends Error {}

interface Guard {
  readonly trusted: readonly string[];
  readonly lookUpAddresses: LookUpAddresses;
  readonly signal: AbortSignal;
}

async function follow(request: GuardedRequest, guard: Guard): Promise<GuardedResponse> {
  let url = parse(request.url);
  const { origin } = url;
  let { method = 'GET', body } = request;
  for (let hops = 0; hops <= maxRedirects; hops += 1) {
    const headers = url.origin === origin ? request.headers : {};
    const answer = await ask(url, { method, body, headers }, guard);
    const location = request.maxRedirects === 0 ? undefined : redirectOf(answer);
    if (location === undefined) return await readAnswer(answer, url, request.maxBytes);
    answer.destroy();
    const next = parse(new URL(location, url).href);
    if (url.protocol === 'https:' && next.protocol === 'http:')
      throw new Refused(`${url.host} redirects from https to http`);
    if (next.hostname !== url.hostname && request.mayRedirect?.(next) !== true)
      throw new Refused(`it redirects to another host: ${next.href.slice(0, 500)}; ask for that address itself`);
    if (answer.statusCode !== 307 && answer.statusCode !== 308) {
      method = 'GET';
      body = undefined;
    }
    url = next;
  }
  throw new Refused(`it redirects more than ${maxRedirects} times`);
}

function parse(address: string): URL {
  const url = URL.parse(address);
  if (url === null) throw new Refused('it is no web address');
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Refused(`${url.protocol.slice(0, 20)} addresses are not fetched, only http and https`);
  if (url.username !== '' || url.password !== '') throw new Refused('it has a user name or password in it');
  const port = Number(url.port);
  if (url.port !== '' && port < 1024 && port !== 80 && port !== 443)
    throw new Refused(`port ${port} is not for the web`);
  return url;
}

async function ask(
  url: URL,
  send: {
    readonly method: string;
    readonly body: string | undefined;
    readonly headers: Readonly<Record<string, string>> | undefined;
  },
  guard: Guard,
): Promise<IncomingMessage> {
  const addresses = await allowedAddresses(url, guard);
  const options: RequestOptions = {
    method: send.method,
    headers: { 'user-agent': 'codetether', accept: '*/*', 'accept-encoding': 'gzip, deflate, br', ...send.headers },
    // No connection of another request, and no address but these.
    agent: false,
    signal: guard.signal,
    lookup: (_host, { all }, answer) => {
      const [first] = addresses;
      if (all === true) answer(null, [...addresses]);
      else answer(null, first?.address ?? '', first?.family);
    },
  };
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options, resolve);
  request.once('error', reject);
  request.end(send.body);
  return promise;
}

async function allowedAddresses(
  url: URL,
  { trusted, lookUpAddresses, signal }: Guard,
): Promise<readonly { readonly address: string; readonly family: number }[]> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(host);
  const own = [{ address: host, family }];
  const addresses = await unlessAborted(signal, async () => (family === 0 ? await lookUpAddresses(host) : own));
  const refused = addresses.find(({ address }) => !isPublicAddress(address));
  if (refused !== undefined && !isNamed(url, trusted))
    throw new Refused(`${host} is not on the public internet (${refused.address})`);
  if (addresses.length === 0) throw new Error(`${host} has no address`);
  return addresses;
}

const defaultPorts: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/** As {@link GuardOptions} names servers. */
export function hostAndPort(url: URL): string {
  return `${url.hostname}:${url.port === '' ? (defaultPorts[url.protocol] ?? '') : url.port}`;
}

/** Whether it is one of servers as {@link GuardOptions} names them. */
export function isNamed(url: URL, servers: readonly string[]): boolean {
  return servers.includes(hostAndPort(url)) || servers.includes(`${url.hostname}:*`);
}

function redirectOf(answer: IncomingMessage): string | undefined {
  const isRedirect = [301, 302, 303, 307, 308].includes(answer.statusCode ?? 0);
  return isRedirect ? answer.headers.location : undefined;
}

async function readAnswer(answer: IncomingMessage, url: URL, maxBytes: number): Promise<GuardedResponse> {
  const chunks: Buffer[] = [];
  let size = 0;
  let isCut = false;
  // What comes out is counted: a small answer can unpack to any size.
  for await (const chunk of unpacked(answer)) {
    const bytes: Buffer = chunk;
    chunks.push(bytes.subarray(0, maxBytes - size));
    size += bytes.length;
    isCut = size > maxBytes;
    if (isCut) break;
  }
  answer.destroy();
  return {
    kind: 'answered',
    url: url.href,
    status: answer.statusCode ?? 0,
    headers: answer.headers,
    contentType: answer.headers['content-type'] ?? '',
    body: Buffer.concat(chunks),
    isCut,
  };
}

function unpacked(answer: IncomingMessage): Readable {
  const create = { gzip: createGunzip, deflate: createInflate, br: createBrotliDecompress }[
    answer.headers['content-encoding']?.toLowerCase() ?? ''
  ];
  if (create === undefined) return answer;
  const unpacking = create();
  answer.once('error', (error) => unpacking.destroy(error));
  return answer.pipe(unpacking);
}

const messages: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'names cannot be looked up now',
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was broken',
  ETIMEDOUT: 'no connection came about',
};

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return messages[code] ?? (error instanceof Error ? error.message : String(error)).slice(0, 300);
}
