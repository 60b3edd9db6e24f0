/** The SDK's own handler over its store in memory, whose executor does nothing; prints its URL. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AgentCard, Task } from '@a2a-js/sdk';
import {
  AgentEvent,
  DefaultRequestHandler,
  InMemoryTaskStore,
  JsonRpcTransportHandler,
  ServerCallContext,
} from '@a2a-js/sdk/server';
import type { AgentExecutor } from '@a2a-js/sdk/server';

const executor: AgentExecutor = {
  execute: async ({ taskId, contextId, userMessage }, bus) => {
    const status = { state: 'TASK_STATE_COMPLETED', timestamp: new Date().toISOString() };
    const value = { ...Task.fromJSON({ id: taskId, contextId, status }), history: [userMessage] };
    bus.publish(AgentEvent.task(value));
    bus.finished();
  },
  cancelTask: async () => undefined,
};
const card = AgentCard.fromJSON({ name: 'sample', capabilities: { streaming: true } });
const transport = new JsonRpcTransportHandler(new DefaultRequestHandler(card, new InMemoryTaskStore(), executor));

const server = createServer((request, response) => {
  void (async () => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts).toString('utf8');
    const context = new ServerCallContext({ requestedVersion: '1.0' });
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(await transport.handle(body, context)));
  })();
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}/\n`);
});
