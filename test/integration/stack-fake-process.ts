/**
 * Stands in for the worker and the API in tests of the local stack: started by the supervisor with the same argument and
 * environment. As the API it serves /health, /ready (200 when both servers take connections) and /environment.
 */
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { processEnvironment } from '../../services/config/environment.ts';

const environment = processEnvironment();
const name = /^--stack=(worker|api):/.exec(process.argv[2] ?? '')?.[1];
const isBroken = environment['CODETETHER_FAKE_WORKER'] === 'broken';
process.on('SIGTERM', () => process.exit(0));
if (name === 'worker') {
  if (isBroken) {
    process.stderr.write('the fake worker is broken on purpose\n');
    process.exit(1);
  }
  await delay(2 ** 31 - 1);
}

const socket = environment['CODETETHER_API_SOCKET'] ?? '';
rmSync(socket, { force: true });
createServer((request, response) => {
  const answer = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  if (request.url === '/health') answer(200, { status: 'ok' });
  else if (request.url === '/environment') answer(200, { pid: process.pid, environment });
  else void ready().then((state) => answer(state.ready ? 200 : 503, state));
}).listen(socket);

async function ready(): Promise<{ readonly ready: boolean }> {
  const database = new URL(environment['DATABASE_URL'] ?? '');
  const engine = new URL(`tcp://${environment['TEMPORAL_ADDRESS'] ?? ''}`);
  const answers = { database: await takes(database), engine: await takes(engine), worker: !isBroken };
  return { ready: answers.database && answers.engine && answers.worker, ...answers };
}

async function takes(address: URL): Promise<boolean> {
  return await new Promise((resolve) => {
    const connection = connect(Number(address.port), address.hostname);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });
}
