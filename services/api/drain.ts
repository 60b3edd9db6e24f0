import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

const sweepMs = 50;
/** A connection on which nothing has come this long after the server is told to end carries no request. */
const silentMs = 500;

/**
 * Lets a server end when it has answered what it was asked: from `draining` on each answer is the last of its connection, and once
 * it closes, connections are ended as they get idle, also those that have never been used.
 */
export function drainConnections(app: FastifyInstance, draining: AbortSignal | undefined): void {
  const unused = new Set<Socket>();
  // With TLS a connection is one when its handshake is done.
  app.server.on('setSecureContext' in app.server ? 'secureConnection' : 'connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  app.addHook('onRequest', async (request, reply) => {
    unused.delete(request.raw.socket);
    if (draining?.aborted === true) reply.header('connection', 'close');
  });
  app.addHook('preClose', async () => {
    const since = performance.now();
    const sweep = setInterval(() => {
      app.server.closeIdleConnections();
      if (performance.now() - since < silentMs) return;
      for (const socket of unused) socket.destroy();
    }, sweepMs).unref();
    app.server.once('close', () => clearInterval(sweep));
  });
}
