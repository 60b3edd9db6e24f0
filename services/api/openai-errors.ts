import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { OpenAiError } from '../../domain/contracts/openai.ts';
import type { CodetetherError, ErrorCode } from '../../domain/errors.ts';
import { knownError } from './problems.ts';

interface Shape {
  readonly status: number;
  readonly type: string;
  readonly code: string;
}

const shapes: { readonly [code in ErrorCode]?: Shape } = {
  unauthenticated: { status: 401, type: 'invalid_request_error', code: 'invalid_api_key' },
  'permission-denied': { status: 403, type: 'invalid_request_error', code: 'insufficient_permissions' },
  'request-invalid': { status: 400, type: 'invalid_request_error', code: 'invalid_request' },
  'model-unknown': { status: 404, type: 'invalid_request_error', code: 'model_not_found' },
  // It is not there for who asks; what is missing is ours to set.
  'provider-key-missing': { status: 404, type: 'invalid_request_error', code: 'model_not_found' },
  'config-invalid': { status: 502, type: 'server_error', code: 'provider_not_configured' },
  'script-invalid': { status: 404, type: 'invalid_request_error', code: 'model_not_found' },
  'not-found': { status: 404, type: 'invalid_request_error', code: 'model_not_found' },
  'rate-limited': { status: 429, type: 'rate_limit_error', code: 'rate_limit_exceeded' },
  'budget-exceeded': { status: 429, type: 'insufficient_quota', code: 'insufficient_quota' },
  'provider-quota': { status: 429, type: 'insufficient_quota', code: 'insufficient_quota' },
  'provider-silent': { status: 504, type: 'server_error', code: 'provider_timeout' },
  'provider-timeout': { status: 504, type: 'server_error', code: 'provider_timeout' },
  'provider-unreachable': { status: 502, type: 'server_error', code: 'provider_unreachable' },
  'answers-unusable': { status: 502, type: 'server_error', code: 'answer_unusable' },
};

/** From here on failures leave as clients of OpenAI expect them: `{ error: { message, type, code, param } }`. */
export function answerWithOpenAiErrors(app: FastifyInstance, challenge: (request: FastifyRequest) => string): void {
  app.setErrorHandler(async (error, request, reply) => {
    const known = knownError(error);
    if (known.code === 'internal') request.log.error({ err: error }, 'a request failed');
    const { status, body, retryAfterSeconds } = toOpenAiError(known);
    if (status === 401) reply.header('www-authenticate', challenge(request));
    if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds);
    return await reply.code(status).type('application/json; charset=utf-8').serializer(JSON.stringify).send(body);
  });
}

export interface OpenAiFailure {
  readonly status: number;
  readonly body: OpenAiError;
  readonly retryAfterSeconds: number | undefined;
}

/** What an error of the catalogue is to a client of OpenAI. Never throws. */
export function toOpenAiError(error: CodetetherError): OpenAiFailure {
  const { status, type, code } = shapeOf(error);
  const [problem = ''] = error.problems;
  const isAboutBody = error.code === 'request-invalid' && /^[\w.[\]-]+: /.test(problem);
  const param = isAboutBody ? problem.slice(0, problem.indexOf(':')) : null;
  const message = error.problems.length === 0 ? error.message : `${error.message} ${error.problems.join('; ')}`;
  const { retryAfterMs, retryAfterSeconds } = error.details;
  const seconds =
    typeof retryAfterMs === 'number'
      ? Math.ceil(retryAfterMs / 1000)
      : typeof retryAfterSeconds === 'number'
        ? retryAfterSeconds
        : undefined;
  return { status, body: { error: { message, type, code, param } }, retryAfterSeconds: seconds };
}

function shapeOf({ code, details, entry }: CodetetherError): Shape {
  const own = shapes[code];
  if (own !== undefined) return own;
  if (code === 'provider-overloaded')
    return details['status'] === 429
      ? { status: 429, type: 'rate_limit_error', code: 'rate_limit_exceeded' }
      : { status: 503, type: 'server_error', code: 'provider_overloaded' };
  if (code === 'provider-rejected') return rejected(details);
  return {
    status: entry.http,
    type: entry.http >= 500 ? 'server_error' : 'invalid_request_error',
    code: code.replaceAll('-', '_'),
  };
}

/** The provider's own refusal; a key of ours that it does not take is nothing that who asks could mend. */
function rejected({ status, tooLong }: CodetetherError['details']): Shape {
  if (tooLong === true) return { status: 400, type: 'invalid_request_error', code: 'context_length_exceeded' };
  if (status === 404) return { status: 404, type: 'invalid_request_error', code: 'model_not_found' };
  if (status === 401 || status === 403) return { status: 502, type: 'server_error', code: 'provider_refused' };
  return { status: 400, type: 'invalid_request_error', code: 'provider_rejected' };
}
