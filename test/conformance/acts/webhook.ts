import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

export interface Delivery {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Takes what is pushed. */
export interface Webhook {
  readonly url: string;
  /** The first delivery that names a task; undefined: none came in time. */
  readonly firstOf: (taskId: string) => Promise<Delivery | undefined>;
  readonly close: () => Promise<void>;
}

const waitMs = 20_000;

export async function openWebhook(): Promise<Webhook> {
  const deliveries: Delivery[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    deliveries.push({ headers: request.headers, body: await text(request) });
    response.end();
  };
  const server = createServer((request, response) => void take(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    firstOf: async (taskId) => {
      for (const deadline = Date.now() + waitMs; ; await delay(100)) {
        const found = deliveries.find(({ body }) => body.includes(taskId));
        if (found !== undefined || Date.now() > deadline) return found;
      }
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
