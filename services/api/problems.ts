import type { Socket } from 'node:net';
import type { ConnectionError, FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { CodetetherError, asCodetetherError, toProblem } from '../../domain/errors.ts';

/**
 * Every failure leaves as `application/problem+json` with a code of the catalogue.
 * @param challenge says how to come with a credential
 */
export function answerWithProblems(app: FastifyInstance, challenge: (request: FastifyRequest) => string): void {
  app.setErrorHandler<FastifyError | CodetetherError>(async (error, request, reply) => {
    const known = knownError(error);
    if (known.code === 'internal') request.log.error({ err: error }, 'a request failed');
    return await sendProblem(reply, known, challenge(request));
  });
  app.setNotFoundHandler(async (request, reply) => {
    const error = new CodetetherError('not-found', `there is no ${request.method} ${request.url.split('?')[0] ?? ''}`, {
      next: 'Read docs/api.md.',
    });
    return await sendProblem(reply, error, challenge(request));
  });
}

/** The same for a request whose address no route can be given. */
export function frameworkProblem(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  void sendProblem(reply, knownError(error));
}

/** The same for what is no HTTP request at all; its connection ends. */
export function brokenRequest(error: ConnectionError, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const isTooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const problem = toProblem(
    isTooLarge
      ? new CodetetherError('request-too-large', 'the headers and the address are longer than 64 KB')
      : new CodetetherError('request-invalid', 'this is no HTTP request'),
  );
  const body = JSON.stringify(problem);
  socket.write(
    [
      `HTTP/1.1 ${problem.status} Bad Request`,
      'content-type: application/problem+json',
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
  // Also one whose client has gone without a word; with `end` alone it would stay open.
  socket.destroySoon();
}

async function sendProblem(
  reply: FastifyReply,
  error: CodetetherError,
  challenge = 'Bearer realm="codetether"',
): Promise<FastifyReply> {
  const problem = toProblem(error);
  if (problem.status === 401) reply.header('www-authenticate', challenge);
  const { retryAfterSeconds, needs } = problem.details;
  // So that a client of an issuer can ask for a token with that scope too (RFC 6750 §3.1).
  if (problem.status === 403 && typeof needs === 'string')
    reply.header('www-authenticate', `${challenge}, error="insufficient_scope", scope="${needs}"`);
  if (typeof retryAfterSeconds === 'number') reply.header('retry-after', retryAfterSeconds);
  return await reply
    .code(problem.status)
    .header('content-type', 'application/problem+json')
    .serializer(JSON.stringify)
    .send(problem);
}

/** What went wrong, as the catalogue names it. Never throws. */
export function knownError(error: unknown): CodetetherError {
  if (error instanceof CodetetherError) return error;
  if (!isFastifyError(error)) return asCodetetherError(error);
  if (hasZodFastifySchemaValidationErrors(error)) {
    return new CodetetherError('request-invalid', undefined, {
      problems: error.validation.map(({ instancePath, message }) => {
        const place = instancePath.slice(1).replaceAll('/', '.');
        return `${place === '' ? (error.validationContext ?? 'request') : place}: ${message ?? 'is not right'}`;
      }),
      cause: error,
    });
  }
  if (error.statusCode === 413) return new CodetetherError('request-too-large', error.message, { cause: error });
  if (error.statusCode === 415) return new CodetetherError('media-type-unsupported', error.message, { cause: error });
  const isClients = error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500;
  if (isClients) return new CodetetherError('request-invalid', error.message, { cause: error });
  return new CodetetherError('internal', error.message, { cause: error });
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && 'code' in error;
}
