import type { PushConfig } from '../../../domain/contracts/push-store.ts';
import { CodetetherError } from '../../../domain/errors.ts';
import { PushSecrets } from '../../../activities/a2a/push-activities.ts';
import type { KeyRing } from '../../config/key-ring.ts';

/** Encrypted for that config of that tenant. */
export function sealSecrets(
  keyRing: KeyRing | undefined,
  secrets: PushSecrets,
  of: { readonly tenant: string; readonly taskId: string; readonly configId: string },
): Buffer {
  if (keyRing === undefined) throw new CodetetherError('secret-key-missing');
  return keyRing.seal(JSON.stringify(secrets), whose(of));
}

/** Throws `secret-key-missing`. */
export function openSecrets(keyRing: KeyRing | undefined, tenant: string, config: PushConfig): PushSecrets {
  if (config.sealed === null) return {};
  if (keyRing === undefined) throw new CodetetherError('secret-key-missing');
  return PushSecrets.parse(JSON.parse(keyRing.open(config.sealed, whose({ ...config, tenant }))));
}

function whose(of: { readonly tenant: string; readonly taskId: string; readonly configId: string }): readonly string[] {
  return ['push', of.tenant, of.taskId, of.configId];
}
