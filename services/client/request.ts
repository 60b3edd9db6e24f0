import { addAbortListener } from 'node:events';
import type { ClientRequest, OutgoingHttpHeaders, RequestOptions as HttpRequestOptions } from 'node:http';
import type { Readable } from 'node:stream';
import { CodetetherError, fromProblem } from '../../domain/errors.ts';
import type { Problem } from '../../domain/errors.ts';

/**
 * Not by `import`: that reads every export of the module, of which some load undici (50 ms, more than a whole command
 * otherwise takes).
 */
const { request: httpRequest } = process.getBuiltinModule('node:http');

/** Where the API is: this user's socket, an address for which a token is needed, or this process. */
export type ApiAddress =
  | { readonly socketPath: string; readonly tenant?: string | undefined }
  | { readonly url: string; readonly token: string | undefined }
  | { readonly handle: (request: HandledRequest) => Promise<ApiResponse> };

export interface HandledRequest {
  readonly method: JsonRequest['method'];
  readonly path: string;
  readonly headers: { readonly [name: string]: string };
  readonly body: string | undefined;
}

/** The body, with the status of its head. */
export type ApiResponse = Readable & { readonly statusCode?: number | undefined };

/** For people. */
export function addressText(address: ApiAddress): string {
  if ('handle' in address) return 'this process';
  return 'url' in address ? address.url : address.socketPath;
}

export interface JsonRequest {
  readonly address: ApiAddress;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  /** Silence of the API for that long counts as nobody there. */
  readonly timeoutMs: number;
  readonly headers?: { readonly [name: string]: string };
  /** A status besides the good ones that comes with the documented body. */
  readonly alsoAccept?: number;
}

/** The answer's JSON. @throws `api-unreachable`, else the problem that the API answered with */
export async function requestJson<T>(request: JsonRequest): Promise<T> {
  const { alsoAccept } = request;
  const response = await openResponse({ ...request, headers: { ...request.headers, accept: 'application/json' } });
  const text = await readAll(response, request.address);
  if (isGood(response) || response.statusCode === alsoAccept) return parseJson(text, response) as T;
  throw answeredError(text, response);
}

export interface OpenRequest extends Omit<JsonRequest, 'alsoAccept'> {
  readonly signal?: AbortSignal | undefined;
}

/** The response once its head is there; its body is the caller's to read or destroy. @throws `api-unreachable` */
export async function openResponse(request: OpenRequest): Promise<ApiResponse> {
  const { address, method, path, timeoutMs, signal } = request;
  const body = request.body === undefined ? undefined : JSON.stringify(request.body);
  const headers = {
    ...request.headers,
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
  };
  if ('handle' in address) {
    signal?.throwIfAborted();
    const response = await address.handle({ method, path, headers, body });
    if (signal === undefined) return response;
    // Also of who left while the answer was made.
    const leaving = addAbortListener(signal, () => response.destroy());
    response.once('close', () => leaving[Symbol.dispose]());
    return response;
  }
  return await new Promise((resolve, reject) => {
    const call = open(address, { method, path, headers, agent: false, ...(signal === undefined ? {} : { signal }) });
    call.setTimeout(timeoutMs, () => call.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    call.on('response', resolve);
    call.on('error', (error) => reject(signal?.aborted === true ? error : unreachable(address, error)));
    call.end(body);
  });
}

function open(
  address: Exclude<ApiAddress, { readonly handle: unknown }>,
  options: Omit<HttpRequestOptions, 'headers'> & { readonly headers: OutgoingHttpHeaders },
): ClientRequest {
  if ('socketPath' in address) {
    const { socketPath, tenant } = address;
    const headers = tenant === undefined ? options.headers : { ...options.headers, 'x-codetether-tenant': tenant };
    return httpRequest({ ...options, headers, socketPath });
  }
  const { protocol, hostname, port, pathname } = new URL(address.url);
  const headers = {
    ...options.headers,
    ...(address.token === undefined ? {} : { authorization: `Bearer ${address.token}` }),
  };
  const path = `${pathname.replace(/\/$/, '')}${options.path ?? '/'}`;
  // Loaded only where the API is asked by TLS.
  const request = protocol === 'https:' ? process.getBuiltinModule('node:https').request : httpRequest;
  return request({ ...options, headers, path, protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port });
}

export async function readAll(response: ApiResponse, address: ApiAddress): Promise<string> {
  response.setEncoding('utf8');
  let text = '';
  try {
    for await (const chunk of response) text += chunk;
  } catch (error) {
    throw unreachable(address, error);
  }
  return text;
}

export function isGood(response: ApiResponse): boolean {
  const status = response.statusCode ?? 0;
  return status >= 200 && status < 300;
}

/** The error that a bad answer stands for. */
export function answeredError(text: string, response: ApiResponse): CodetetherError {
  const answer = parseJson(text, response);
  if (isProblem(answer)) return fromProblem(answer);
  return new CodetetherError('internal', `the API answered ${response.statusCode ?? 0}: ${text.slice(0, 200)}`);
}

export function unreachable(address: ApiAddress, cause: unknown): CodetetherError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CodetetherError(
    'api-unreachable',
    `the codetether API does not answer at ${addressText(address)}: ${reason}`,
    {
      cause,
    },
  );
}

function isProblem(answer: unknown): answer is Problem {
  return typeof answer === 'object' && answer !== null && 'code' in answer && 'title' in answer;
}

function parseJson(text: string, response: ApiResponse): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const status = response.statusCode ?? 0;
    throw new CodetetherError('internal', `the API answered ${status} without JSON: ${text.slice(0, 200)}`, {
      cause: error,
    });
  }
}
