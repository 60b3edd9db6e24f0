import type { FastifyPluginAsync } from 'fastify';
import type { Answers } from './a2a/answers.ts';
import type { CallContext } from './a2a/calls.ts';
import type { MethodName } from './a2a/methods.ts';
import { permissionOf } from './a2a/method-permissions.ts';
import type { Binding } from './a2a/rest.ts';
import type { ApiDeps } from './deps.ts';
import { cardPaths, keySetPath } from './permissions.ts';

/** Of A2A, whatever the binding. */
const bodyLimit = 4 * 1024 * 1024;

/** The original's paths are among them; some clients end an address with a slash. */
const jsonRpcPaths = ['/', '/a2a/jsonrpc', '/a2a/jsonrpc/', '/v1/a2a'];

/** A literal colon is written twice. */
const task = '/tasks/:id(^[^:/]+)';
const pushConfigs = `${task}/pushNotificationConfigs`;
const restRoutes: readonly (readonly [verb: 'GET' | 'POST' | 'DELETE', path: string, method: MethodName])[] = [
  ['POST', '/message::send', 'SendMessage'],
  ['POST', '/message::stream', 'SendStreamingMessage'],
  ['GET', task, 'GetTask'],
  ['GET', '/tasks', 'ListTasks'],
  ['POST', `${task}::cancel`, 'CancelTask'],
  ['GET', `${task}::subscribe`, 'SubscribeToTask'],
  ['POST', `${task}::subscribe`, 'SubscribeToTask'],
  ['POST', pushConfigs, 'CreateTaskPushNotificationConfig'],
  ['GET', pushConfigs, 'ListTaskPushNotificationConfigs'],
  ['GET', `${pushConfigs}/:configId`, 'GetTaskPushNotificationConfig'],
  ['DELETE', `${pushConfigs}/:configId`, 'DeleteTaskPushNotificationConfig'],
  ['GET', '/extendedAgentCard', 'GetExtendedAgentCard'],
];

const current: Binding = { otherwise: '1.0', spoken: ['1.0'] };
const original: Binding = { otherwise: '0.3', spoken: ['1.0', '0.3'], asOriginal: true };
const legacy: Binding = { otherwise: '0.3', spoken: ['0.3'] };

/**
 * A2A over HTTP: the card, JSON-RPC, and REST: 1.0, 0.3 below `/v1`, and below `/a2a/rest` 1.0 or what the original's clients send,
 * by version. What answers is loaded with the first request.
 */
export function a2aRoutes(deps: ApiDeps, context: CallContext): FastifyPluginAsync {
  let answers: Promise<Answers> | undefined;
  const answering = async (): Promise<Answers> =>
    await (answers ??= import('./a2a/answers.ts').then(({ createAnswers }) => createAnswers(deps, context)));
  return async (app) => {
    // Whatever it is, whoever speaks a protocol is answered in it.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'string', bodyLimit }, (_request, body, done) => done(null, body));

    for (const url of jsonRpcPaths)
      app.post(url, { bodyLimit, config: { permission: 'runs:read', protocol: 'a2a' } }, async (request, reply) => {
        return await (await answering()).jsonRpc(request, reply);
      });

    for (const url of cardPaths)
      app.get(url, { exposeHeadRoute: false }, async (request, reply) => {
        return await (await answering()).card(request, reply);
      });
    app.get(keySetPath, { exposeHeadRoute: false }, async (request, reply) => {
      return await (await answering()).keySet(request, reply);
    });

    for (const [verb, path, method] of restRoutes) {
      const serve = (url: string, binding: Binding): void => {
        app.route({
          method: verb,
          url,
          bodyLimit,
          config: { permission: permissionOf(method), protocol: 'a2a' },
          exposeHeadRoute: false,
          handler: async (request, reply) => await (await answering()).rest(request, reply, { method, binding }),
        });
      };
      serve(path, current);
      serve(`/a2a/rest${path}`, original);
      if (method === 'GetExtendedAgentCard') serve('/v1/card', legacy);
      else if (method !== 'ListTasks') serve(`/v1${path}`, legacy);
    }
  };
}
