import { createECDH, createHash, createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { AgentCard } from '@a2a-js/sdk';
import { FlattenedSign } from 'jose';
import type { KeyRing } from '../../config/key-ring.ts';
import { canonicalJson } from './canonical-json.ts';

export interface CardSigner {
  /** Public keys, that of the signatures of now first (RFC 7517). */
  readonly keySet: { readonly keys: readonly object[] };
  /**
   * The card with a signature over its canonical form (A2A 1.0, section 8.4): JWS with ES256.
   * @param keySetUrl where others find the key set
   */
  sign(card: AgentCard, keySetUrl: string): Promise<AgentCard>;
}

/** Of the curve P-256: how many points its generator has. */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** With keys that are made of the ring's: the same in every process that has it. */
export function createCardSigner(keyRing: KeyRing): CardSigner | undefined {
  const keys = keyRing.derive('agent card').map(signingKey);
  const [first] = keys;
  if (first === undefined) return undefined;
  return {
    keySet: { keys: keys.map(({ keyId, jwk }) => ({ ...jwk, kid: keyId, use: 'sig', alg: 'ES256' })) },
    sign: async (card, keySetUrl) => {
      const payload = canonicalJson(AgentCard.toJSON({ ...card, signatures: [] }));
      const jws = await new FlattenedSign(Buffer.from(payload))
        .setProtectedHeader({
          alg: 'ES256',
          typ: 'JOSE',
          kid: first.keyId,
          jku: keySetUrl,
        })
        .sign(first.privateKey);
      const signature = { protected: jws.protected ?? '', signature: jws.signature, header: undefined };
      return { ...card, signatures: [signature] };
    },
  };
}

interface SigningKey {
  /** The public key's thumbprint (RFC 7638). */
  readonly keyId: string;
  readonly jwk: { readonly crv: string; readonly kty: string; readonly x: string; readonly y: string };
  readonly privateKey: KeyObject;
}

/** @param bytes 48, so that no key is likelier than another */
function signingKey(bytes: Buffer): SigningKey {
  const scalar = (BigInt(`0x${bytes.toString('hex')}`) % (order - 1n)) + 1n;
  const d = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex');
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(d);
  const point = pair.getPublicKey();
  const jwk = {
    crv: 'P-256',
    kty: 'EC',
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  };
  return {
    keyId: createHash('sha256').update(canonicalJson(jwk)).digest('base64url'),
    jwk,
    privateKey: createPrivateKey({ key: { ...jwk, d: d.toString('base64url') }, format: 'jwk' }),
  };
}
