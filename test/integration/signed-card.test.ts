import { AgentCard, canonicalizeAgentCard, verifyAgentCardSignature } from '@a2a-js/sdk';
import { createLocalJWKSet, decodeProtectedHeader, flattenedVerify } from 'jose';
import type { JSONWebKeySet, JWK } from 'jose';
import { expect, test } from 'vitest';
import { canonicalJson } from '../../services/api/a2a/canonical-json.ts';
import { createApp } from '../../services/api/app.ts';
import type { ApiDeps } from '../../services/api/deps.ts';
import { createKeyRing, newSecretKey } from '../../services/config/key-ring.ts';
import { currentTenant } from '../../services/store/current-tenant.ts';
import type { PostgresStore } from '../../services/store/store.ts';
import { withTestStore } from '../support/store.ts';
import { apiDeps } from './api-fixtures.ts';

let store: PostgresStore;
withTestStore((opened) => (store = opened), { tenant: currentTenant });

const publicUrl = 'https://agents.example/';
const [one, two] = [newSecretKey(), newSecretKey()];

interface SignedCard {
  readonly signatures?: readonly { readonly protected: string; readonly signature: string }[];
  readonly [member: string]: unknown;
}

async function withApp<T>(change: Partial<ApiDeps>, work: (app: Awaited<ReturnType<typeof createApp>>) => Promise<T>) {
  const app = await createApp({ ...apiDeps(store), ...change });
  try {
    return await work(app);
  } finally {
    await app.close();
  }
}

const read = async (change: Partial<ApiDeps>, version = '1.0') =>
  await withApp(change, async (app) => {
    const get = async (url: string) => await app.inject({ method: 'GET', url, headers: { 'a2a-version': version } });
    const card = await get('/.well-known/agent-card.json');
    return {
      card: card.json<SignedCard>(),
      etag: card.headers['etag'],
      keySet: (await get('/.well-known/jwks.json')).json<JSONWebKeySet>(),
    };
  });

/** By the text of the specification and `jose` alone. */
async function verified({ signatures, ...unsigned }: SignedCard, keySet: JSONWebKeySet): Promise<boolean> {
  const [signature] = signatures ?? [];
  if (signature === undefined) return false;
  const payload = Buffer.from(canonicalJson(unsigned)).toString('base64url');
  return await flattenedVerify({ ...signature, payload }, createLocalJWKSet(keySet)).then(
    () => true,
    () => false,
  );
}

const signedBy = ({ signatures }: SignedCard) => decodeProtectedHeader(signatures?.[0] ?? { protected: '' });

test('the card of 1.0 is signed so that jose alone verifies it, and the verifier of the SDK does', async () => {
  const { card, keySet } = await read({ keyRing: createKeyRing(one), publicUrl });
  expect(signedBy(card)).toEqual({
    alg: 'ES256',
    typ: 'JOSE',
    kid: keySet.keys[0]?.kid,
    jku: 'https://agents.example/.well-known/jwks.json',
  });
  expect(await verified(card, keySet)).toBe(true);
  const verify = verifyAgentCardSignature(async (kid, jku) => {
    expect(jku).toBe('https://agents.example/.well-known/jwks.json');
    return keySet.keys.find((key) => key.kid === kid) as JWK;
  });
  await verify(card as unknown as AgentCard);
  // Both read the same: no required member is empty.
  const { signatures: _, ...unsigned } = card;
  expect(canonicalizeAgentCard(card as unknown as AgentCard)).toBe(canonicalJson(unsigned));
});

test('a card that was changed in anything is not verified', async () => {
  const { card, keySet } = await read({ keyRing: createKeyRing(one), publicUrl });
  for (const member of Object.keys(card).filter((name) => name !== 'signatures')) {
    expect(await verified({ ...card, [member]: 'other' }, keySet), member).toBe(false);
    const { [member]: _, ...less } = card;
    expect(await verified(less, keySet), member).toBe(false);
  }
  expect(await verified({ ...card, more: true }, keySet)).toBe(false);
});

test('public keys alone are published, of all the ring; a card of before is verified after a new key was put first', async () => {
  const before = await read({ keyRing: createKeyRing(one), publicUrl });
  const after = await read({ keyRing: createKeyRing(`${two},${one}`), publicUrl });
  expect(after.keySet.keys).toHaveLength(2);
  for (const key of after.keySet.keys)
    expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
  expect(signedBy(after.card).kid).not.toBe(signedBy(before.card).kid);
  expect(await verified(before.card, after.keySet)).toBe(true);
  expect(await verified(after.card, after.keySet)).toBe(true);
  expect(await verified(after.card, before.keySet)).toBe(false);
});

test('every process with the same keys signs with the same one, and a card that is the same has the same validator', async () => {
  const [here, there] = [
    await read({ keyRing: createKeyRing(one), publicUrl }),
    await read({ keyRing: createKeyRing(one), publicUrl }),
  ];
  expect(await verified(here.card, there.keySet)).toBe(true);
  expect(here.etag).toBe(there.etag);
  expect((await read({ keyRing: createKeyRing(two), publicUrl })).etag).not.toBe(here.etag);
});

test('the extended card is signed too, and holds what whoever asks may use', async () => {
  await withApp({ keyRing: createKeyRing(one), publicUrl }, async (app) => {
    const response = await app.inject({
      method: 'POST',
      url: '/',
      headers: { 'content-type': 'application/json', 'a2a-version': '1.0' },
      payload: { jsonrpc: '2.0', id: 1, method: 'GetExtendedAgentCard', params: {} },
    });
    const { result } = response.json<{ result: SignedCard }>();
    expect(JSON.stringify(result)).toContain('there is none yet');
    const { keySet } = await read({ keyRing: createKeyRing(one) });
    expect(await verified(result, keySet)).toBe(true);
  });
});

test('an address that whoever asks has made up is not signed, nor the card that clients of 0.3 read, nor anything without a key', async () => {
  expect((await read({ keyRing: createKeyRing(one) })).card).not.toHaveProperty('signatures');
  expect((await read({ keyRing: createKeyRing(one), publicUrl }, '')).card).not.toHaveProperty('signatures');
  const { card, keySet } = await read({ publicUrl });
  expect(card).not.toHaveProperty('signatures');
  expect(keySet).toEqual({ keys: [] });
});
