import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { CodetetherError } from '../../domain/errors.ts';

const keyBytes = 32;
const nameBytes = 8;
const ivBytes = 12;
const tagBytes = 16;
const algorithm = 'aes-256-gcm';

/** Secrets that codetether has to know in clear: encrypted with the first of its keys, decrypted with whichever was the first then. */
export interface KeyRing {
  /** @param whose what the secret belongs to: it cannot be opened as that of something else */
  seal(text: string, whose: readonly string[]): Buffer;
  /** Throws `secret-key-missing` where its key is not in the ring, or it is another's. */
  open(sealed: Uint8Array, whose: readonly string[]): string;
  /** Of each key, in their order: 48 bytes for that purpose and no other, the same in every process with the same keys. */
  derive(purpose: string): readonly Buffer[];
}

/** Whether a text is keys of 32 bytes in base64, separated by commas. */
export function areSecretKeys(text: string): boolean {
  return readKeys(text).every((key) => key.length === keyBytes);
}

export function newSecretKey(): string {
  return randomBytes(keyBytes).toString('base64');
}

/** @param text what {@link areSecretKeys} takes; undefined: there is no ring */
export function createKeyRing(text: string | undefined): KeyRing | undefined {
  if (text === undefined) return undefined;
  const keys = readKeys(text).map((key) => {
    const own = derived(key, 'secrets').subarray(0, keyBytes);
    return { key, own, name: createHash('sha256').update(own).digest().subarray(0, nameBytes) };
  });
  return {
    seal: (secret, whose) => {
      const [first] = keys;
      if (first === undefined) throw new CodetetherError('secret-key-missing');
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv(algorithm, first.own, iv, { authTagLength: tagBytes });
      cipher.setAAD(aad(whose));
      const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
      return Buffer.concat([first.name, iv, text, cipher.getAuthTag()]);
    },
    open: (sealed, whose) => {
      const bytes = Buffer.from(sealed);
      const known = keys.find(({ name }) => name.equals(bytes.subarray(0, nameBytes)));
      if (known === undefined) throw new CodetetherError('secret-key-missing');
      const iv = bytes.subarray(nameBytes, nameBytes + ivBytes);
      try {
        const decipher = createDecipheriv(algorithm, known.own, iv, { authTagLength: tagBytes });
        decipher.setAAD(aad(whose));
        decipher.setAuthTag(bytes.subarray(-tagBytes));
        const text = bytes.subarray(nameBytes + ivBytes, -tagBytes);
        return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8');
      } catch (error) {
        throw new CodetetherError('secret-key-missing', 'a secret is not what was stored', { cause: error });
      }
    },
    derive: (purpose) => keys.map(({ key }) => derived(key, purpose)),
  };
}

function readKeys(text: string): readonly Buffer[] {
  return text.split(',').map((key) => {
    const bytes = Buffer.from(key.trim(), 'base64');
    // What is no base64 would be left out without a word.
    return bytes.toString('base64') === key.trim() ? bytes : Buffer.alloc(0);
  });
}

function derived(key: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', `codetether ${purpose}`, 48));
}

function aad(whose: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(whose));
}
