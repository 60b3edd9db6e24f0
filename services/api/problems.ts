import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { CodetetherError, toProblem } from '../../domain/errors.ts';

/**
 * Every failure leaves as `application/problem+json` with a code of the catalogue.
 * @param challenge says how to come with a credential
 */
export function answerWithProblems(app: FastifyInstance, challenge: (request: FastifyRequest) => string): void {
  const sendProblem = async (request: FastifyRequest, reply: FastifyReply, error: CodetetherError) => {
    const problem = toProblem(error);
    if (problem.status === 401) reply.header('www-authenticate', challenge(request));
    return await reply
      .code(problem.status)
      .header('content-type', 'application/problem+json')
      .serializer(JSON.stringify)
      .send(problem);
  };
  app.setErrorHandler<FastifyError | CodetetherError>(async (error, request, reply) => {
    const known = knownError(error);
    if (known.code === 'internal') request.log.error({ err: error }, 'a request failed');
    return await sendProblem(request, reply, known);
  });
  app.setNotFoundHandler(async (request, reply) => {
    const error = new CodetetherError('not-found', `there is no ${request.method} ${request.url.split('?')[0] ?? ''}`, {
      next: 'Read docs/api.md.',
    });
    return await sendProblem(request, reply, error);
  });
}

function knownError(error: FastifyError | CodetetherError): CodetetherError {
  if (error instanceof CodetetherError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    return new CodetetherError('request-invalid', undefined, {
      problems: error.validation.map(({ instancePath, message }) => {
        const place = instancePath.slice(1).replaceAll('/', '.');
        return `${place === '' ? (error.validationContext ?? 'request') : place}: ${message ?? 'is not right'}`;
      }),
      cause: error,
    });
  }
  const isClients = error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500;
  if (isClients) return new CodetetherError('request-invalid', error.message, { cause: error });
  return new CodetetherError('internal', error.message, { cause: error });
}
