import { randomUUID } from 'node:crypto';
import type { TaskPushNotificationConfig } from '@a2a-js/sdk';
import { RequestMalformedError, TaskNotFoundError } from '@a2a-js/sdk/errors';
import { z } from 'zod';
import { mostPushConfigs } from '../../../domain/a2a/push.ts';
import type { WireVersion } from '../../../domain/a2a/push.ts';
import type { PushConfig } from '../../../domain/contracts/push-store.ts';
import type { TaskRecord } from '../../../domain/contracts/task-store.ts';
import { CodetetherError } from '../../../domain/errors.ts';
import type { PushSecrets } from '../../../activities/a2a/push-activities.ts';
import { receiverProblem } from '../../../activities/a2a/receiver.ts';
import type { ApiDeps } from '../deps.ts';
import { openSecrets, sealSecrets } from './push-secrets.ts';

/** As a header takes it. */
const visible = z.string().regex(/^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/, 'must be visible ASCII in one line');
const Given = z.object({
  id: z
    .string()
    .max(200)
    .regex(/^[^\p{Cc}]*$/u, 'must not hold control characters'),
  url: z.string().min(1).max(2000),
  token: visible.max(1000),
  authentication: z
    .object({
      scheme: z
        .string()
        .max(50)
        .regex(/^[\w!#$%&'*+.^`|~-]*$/, 'is no scheme of HTTP authentication'),
      credentials: visible.max(4000),
    })
    .refine(({ scheme, credentials }) => scheme !== '' || credentials === '', 'credentials need a scheme')
    .optional(),
});

/** A config as its owner has set it; there are none without an owner's task. */
export function createPushConfigs(deps: Pick<ApiDeps, 'store' | 'engine' | 'keyRing' | 'pushHosts'>, tenant: string) {
  const { store, engine, keyRing, pushHosts = [] } = deps;

  /** Changes nothing. @throws the SDK's errors, `secret-key-missing` */
  async function check(given: TaskPushNotificationConfig, task?: TaskRecord): Promise<void> {
    const read = Given.safeParse(given);
    if (!read.success) {
      const problems = read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
      throw new RequestMalformedError(problems.join('; '));
    }
    const problem = receiverProblem(given.url, pushHosts);
    if (problem !== undefined) throw new RequestMalformedError(`url: ${problem}`);
    if (secretsOf(given) !== undefined && keyRing === undefined) throw new CodetetherError('secret-key-missing');
    if (task === undefined) return;
    const known = await store.listPushConfigs(task.taskId);
    const others = known.filter(({ configId }) => configId !== (given.id === '' ? task.taskId : given.id));
    if (others.length >= mostPushConfigs) throw tooMany();
  }

  /** @param options.messageId the message that it came with: it is told of what came of that */
  async function set(
    { taskId }: TaskRecord,
    given: TaskPushNotificationConfig,
    options: { readonly version: WireVersion; readonly messageId?: string },
  ): Promise<TaskPushNotificationConfig> {
    await check(given);
    const { version, messageId } = options;
    // A message that comes again, and a config of 0.3, is the same one without an id too.
    const isOne = version === '0.3' || messageId !== undefined;
    const configId = given.id === '' ? (isOne ? taskId : randomUUID()) : given.id;
    const secrets = secretsOf(given);
    const sealed = secrets === undefined ? null : sealSecrets(keyRing, secrets, { tenant, taskId, configId });
    const config: PushConfig = { taskId, configId, url: given.url, wireVersion: version, sealed };
    const isSet = await store.setPushConfig(config, { most: mostPushConfigs, messageId });
    if (!isSet) throw tooMany();
    const behind = await store.pushConfigsBehind(taskId);
    if (behind.includes(configId)) await engine.tellPush({ taskId, configId }, tenant);
    return view(config);
  }

  async function get({ taskId }: TaskRecord, id: string): Promise<TaskPushNotificationConfig> {
    const config = await store.getPushConfig(taskId, id === '' ? taskId : id);
    if (config === undefined) throw new TaskNotFoundError(`the task has no push notification config ${id}`);
    return view(config);
  }

  async function list({ taskId }: TaskRecord): Promise<TaskPushNotificationConfig[]> {
    return (await store.listPushConfigs(taskId)).map(view);
  }

  function view(config: PushConfig): TaskPushNotificationConfig {
    const { token = '', authentication } = openSecrets(keyRing, tenant, config);
    return {
      tenant: '',
      id: config.configId,
      taskId: config.taskId,
      url: config.url,
      token,
      authentication: authentication && { credentials: '', ...authentication },
    };
  }

  return { check, set, get, list };
}

function tooMany(): RequestMalformedError {
  return new RequestMalformedError(`a task has ${mostPushConfigs} push notification configs at most`);
}

function secretsOf({ token, authentication }: TaskPushNotificationConfig): PushSecrets | undefined {
  const { scheme = '', credentials = '' } = authentication ?? {};
  if (token === '' && scheme === '') return undefined;
  return {
    ...(token === '' ? {} : { token }),
    ...(scheme === '' ? {} : { authentication: { scheme, ...(credentials === '' ? {} : { credentials }) } }),
  };
}
