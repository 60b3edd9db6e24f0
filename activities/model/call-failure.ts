import { CodetetherError } from '../../domain/errors.ts';
import type { ErrorCode, Json } from '../../domain/errors.ts';
import { redact } from './redact.ts';
import { retryAfterMs } from './retry-after.ts';

/** What is known about a call when it fails. */
export interface CallState {
  /** `provider` as people name it. */
  readonly provider: string;
  readonly model: string;
  readonly baseUrl: string;
  /** Texts that no message may hold. */
  readonly secrets: readonly string[];
  /** The provider answered 2xx. */
  readonly accepted: boolean;
  readonly receivedBytes: number;
  /** Text, reasoning or a tool call has come. */
  readonly receivedOutput: boolean;
  readonly nowMs: number;
}

/** `details` of every error that a model call throws. */
export interface CallFailureDetails {
  readonly provider: string;
  /** HTTP status, where the provider gave one. */
  readonly status?: number;
  /** Wait that long before the next try. */
  readonly retryAfterMs?: number;
  /** False when the provider is known to charge nothing for it. */
  readonly mayHaveCost: boolean;
  /** It would take a shorter conversation. */
  readonly tooLong?: true;
  /** An answer was on its way, and broke off: asking again may cost its price again. */
  readonly isLost?: true;
}

/**
 * An error with the details of {@link CallFailureDetails}. The SDK's own error is not kept as `cause`: it holds
 * the whole request, and causes are written into the engine's history.
 */
export function callFailure(
  code: ErrorCode,
  message: string,
  details: CallFailureDetails,
  options: { readonly next?: string } = {},
): CodetetherError {
  const json: { [key: string]: Json } = { provider: details.provider, mayHaveCost: details.mayHaveCost };
  if (details.status !== undefined) json['status'] = details.status;
  if (details.retryAfterMs !== undefined) json['retryAfterMs'] = details.retryAfterMs;
  if (details.tooLong === true) json['tooLong'] = true;
  if (details.isLost === true) json['isLost'] = true;
  return new CodetetherError(code, message, { ...options, details: json });
}

/** True when the provider would take a shorter conversation. */
export function isTooLongFor(error: unknown): error is CodetetherError {
  return error instanceof CodetetherError && error.details['tooLong'] === true;
}

/** True when an answer was on its way, and broke off. */
export function isLostAnswer(error: unknown): boolean {
  return error instanceof CodetetherError && error.details['isLost'] === true;
}

/** True when the reservation of the failed call may be given back. */
export function costNothing(error: unknown): boolean {
  return error instanceof CodetetherError && error.details['mayHaveCost'] === false;
}

interface Facts {
  readonly message: string;
  readonly status: number | undefined;
  readonly headers: { readonly [name: string]: string };
  readonly body: unknown;
  /** Codes and types that the provider names the error by, in lower case. */
  readonly kinds: string;
  readonly name: string;
}

/** Errors of the SDK about our own request: trying again gives the same. */
const ownFaults =
  /^AI_(LoadAPIKey|LoadSetting|UnsupportedFunctionality|InvalidPrompt|InvalidArgument|NoSuchModel|MessageConversion|UnsupportedModelVersion)Error$/;
const tooLong =
  /context[_ ]length|context window|maximum context|prompt is too long|input is too long|too many tokens|request_too_large|input token count|exceeds the (maximum|limit).*tokens/i;
const noCredit = /insufficient_quota|billing|credit balance|payment/i;
const overloaded = /overload|rate_limit|rate limit|resource_exhausted|unavailable|engine_overloaded/i;
const refused = /invalid_request|authentication|permission|not_found|invalid_argument|unauthenticated|bad_request/i;

/** Turns whatever the SDK raised into an error of the catalogue: never with a key in it, at most 500 characters of the provider's words. */
export function toCallFailure(error: unknown, state: CallState): CodetetherError {
  if (error instanceof CodetetherError) return error;
  const facts = factsOf(error);
  const words = redact(facts.message, state.secrets).replace(/\s+/g, ' ').trim().slice(0, 500);
  const code = codeOf(facts);
  const fromProvider = facts.status !== undefined || facts.kinds !== '';
  const cut = state.accepted && !fromProvider;
  const mayHaveCost = state.accepted && (state.receivedOutput || (cut && state.receivedBytes > 0));
  const wait = code === 'provider-overloaded' ? retryAfterMs(facts.headers, facts.body, state.nowMs) : undefined;
  const details: CallFailureDetails = {
    provider: state.provider,
    mayHaveCost,
    ...(facts.status === undefined ? {} : { status: facts.status }),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
    ...(code === 'provider-rejected' && isTooLong(facts) ? { tooLong: true } : {}),
    ...(mayHaveCost ? { isLost: true } : {}),
  };
  return callFailure(code, sentence(code, facts, words, state), details, adviceFor(code, facts, state));
}

function codeOf(facts: Facts): 'provider-rejected' | 'provider-quota' | 'provider-overloaded' | 'provider-unreachable' {
  const { status } = facts;
  if (status === 402 || isOutOfCredit(facts)) return 'provider-quota';
  if (ownFaults.test(facts.name) || tooLong.test(facts.kinds)) return 'provider-rejected';
  if (status === undefined) {
    if (refused.test(facts.kinds)) return 'provider-rejected';
    return overloaded.test(facts.kinds) ? 'provider-overloaded' : 'provider-unreachable';
  }
  if (status === 429 || status === 503 || status === 529) return 'provider-overloaded';
  if (status === 408 || status === 409 || status === 425 || status >= 500) return 'provider-unreachable';
  return 'provider-rejected';
}

/** Words about billing alone do not decide: a rate limit's message may name the billing page. */
function isOutOfCredit(facts: Facts): boolean {
  return noCredit.test(facts.kinds) || /credit balance is too low/i.test(facts.message);
}

function isTooLong(facts: Facts): boolean {
  return (
    tooLong.test(facts.kinds) ||
    facts.status === 413 ||
    ((facts.status === 400 || facts.status === undefined) && tooLong.test(facts.message))
  );
}

function sentence(code: ErrorCode, facts: Facts, words: string, state: CallState): string {
  const status = facts.status === undefined ? '' : ` (${facts.status})`;
  if (code === 'provider-rejected' && isTooLong(facts))
    return `the conversation is too long for ${state.model}${status}: ${words}`;
  if (code === 'provider-rejected') return `${state.provider} refused the request${status}: ${words}`;
  if (code === 'provider-quota') return `the ${state.provider} account is used up${status}: ${words}`;
  if (code === 'provider-overloaded')
    return `${state.provider} ${facts.status === 429 ? 'limits the rate' : 'is overloaded'}${status}: ${words}`;
  if (facts.status !== undefined) return `${state.provider} failed${status}: ${words}`;
  if (state.accepted) return `the answer of ${state.provider} was cut off: ${words}`;
  return `cannot reach ${state.provider} at ${new URL(state.baseUrl).host}: ${words}`;
}

function adviceFor(code: ErrorCode, facts: Facts, state: CallState): { next?: string } {
  if (code === 'provider-quota')
    return { next: `Add credit to the ${state.provider} account, then let the run try again.` };
  if (code !== 'provider-rejected') return {};
  if (isTooLong(facts)) return { next: 'Use a model with a larger context, or make the story smaller.' };
  if (/support (?:for )?(?:tools?|function)/i.test(facts.message))
    return { next: `Give it its tools as text: CODETETHER_TEXT_TOOL_MODELS=${state.model}` };
  if (facts.status === 401 || facts.status === 403)
    return { next: `Check the key for ${state.provider} and what it may use.` };
  if (facts.status === 404)
    return { next: `Check the model name (${state.model}) and the base URL (${new URL(state.baseUrl).host}).` };
  return {};
}

function factsOf(error: unknown): Facts {
  const own = recordOf(error);
  const data = recordOf(own['data']);
  const inner = { ...recordOf(own['error']), ...recordOf(data['error']) };
  const kinds = [own['code'], own['type'], data['code'], data['type'], inner['code'], inner['type'], inner['status']]
    .filter((kind) => typeof kind === 'string' && kind !== 'error')
    .join(' ')
    .toLowerCase();
  const message =
    textOf(inner['message']) ?? textOf(own['message']) ?? (typeof error === 'string' ? error : 'no reason given');
  const body = own['responseBody'] ?? own['data'];
  return {
    message: withCause(withBody(message, own['responseBody']), own['cause']),
    status: statusOf(own['statusCode']) ?? statusOf(inner['code']) ?? statusOf(data['code']),
    headers: headersOf(own['responseHeaders']),
    body,
    kinds: isNetworkCode(kinds) ? '' : kinds,
    name: textOf(own['name']) ?? '',
  };
}

/** Node names network failures by codes too (`ECONNRESET`, `UND_ERR_SOCKET`). */
function isNetworkCode(kinds: string): boolean {
  return /^(e[a-z]+|und_err_\w+)$/.test(kinds);
}

/** A body that the SDK could not read is told too: it is often a proxy's own words. */
function withBody(message: string, body: unknown): string {
  if (typeof body !== 'string' || body.trim() === '' || body.includes(JSON.stringify(message).slice(1, -1)))
    return message;
  return `${message}: ${body.slice(0, 300)}`;
}

/** The SDK's own words for a broken connection do not say what broke it. */
function withCause(message: string, cause: unknown): string {
  const reason = recordOf(cause)['message'];
  return typeof reason !== 'string' || message.includes(reason) ? message : `${message}: ${reason}`;
}

function recordOf(value: unknown): { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null ? (value as { readonly [key: string]: unknown }) : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function statusOf(value: unknown): number | undefined {
  const status = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value;
  return typeof status === 'number' && status >= 400 && status <= 599 ? status : undefined;
}

function headersOf(value: unknown): { readonly [name: string]: string } {
  const headers: { [name: string]: string } = {};
  for (const [name, text] of Object.entries(recordOf(value)))
    if (typeof text === 'string') headers[name.toLowerCase()] = text;
  return headers;
}
