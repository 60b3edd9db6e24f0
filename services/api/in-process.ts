import type { FastifyInstance } from 'fastify';
import type { ApiAddress } from '../client/request.ts';

/**
 * The API of this process, asked as whoever has the credential: each request is authenticated, allowed and noted like any other,
 * so that a token that is revoked meanwhile holds no longer.
 */
export function inProcess(
  app: FastifyInstance,
  credential: { readonly [name: string]: string },
): Extract<ApiAddress, { readonly handle: unknown }> {
  return {
    handle: async ({ method, path, headers, body }) => {
      const response = await app.inject({
        method,
        url: path,
        headers: { ...headers, ...credential },
        payloadAsStream: true,
        ...(body === undefined ? {} : { payload: body }),
      });
      const stream = response.stream();
      // A reader who leaves frees what the answer holds.
      stream.once('close', () => response.raw.res.destroy());
      return Object.assign(stream, { statusCode: response.statusCode });
    },
  };
}
