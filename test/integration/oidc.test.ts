import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createOidcVerifier } from '../../services/api/authenticate-oidc.ts';
import { freePort } from '../../services/stack/ports.ts';

const audience = 'https://codetether.test/api';
const client = { client_id: 'ci', client_secret: 'a-secret-of-the-test' };

interface Issuer {
  readonly url: string;
  stop(): Promise<void>;
}

/** oidc-provider as it is, with one client that gets access tokens for this API by its own credentials. */
async function startIssuer(port: number, kid: string): Promise<Issuer> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const url = `http://127.0.0.1:${port}`;
  const scope = 'runs:read runs:write nonsense';
  const provider = new Provider(url, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid, alg: 'ES256', use: 'sig' }] },
    clients: [
      {
        ...client,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_post',
        id_token_signed_response_alg: 'ES256',
      },
    ],
    scopes: scope.split(' '),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: (_context: unknown, resource: string) => ({
          scope,
          audience: resource,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    extraTokenClaims: () => ({ org: 'acme', roles: ['codetether:approver', 'codetether:nobody', 'admin'] }),
  });
  const answer = provider.callback();
  const server: Server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function tokenOf({ url }: Issuer, resource = audience): Promise<string> {
  const response = await fetch(`${url}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      scope: 'runs:read runs:write nonsense',
      resource,
      ...client,
    }),
  });
  const answer = (await response.json()) as { readonly access_token?: string };
  if (answer.access_token === undefined) throw new Error(JSON.stringify(answer));
  return answer.access_token;
}

let port: number;
let issuer: Issuer;
beforeAll(async () => {
  port = await freePort();
  issuer = await startIssuer(port, 'first');
});
afterAll(async () => await issuer.stop());

const settings = () => ({ issuer: issuer.url, audience, tenantClaim: undefined });

test('an access token of the issuer is a principal with the scopes and roles that are ours', async () => {
  const principal = await createOidcVerifier(settings())(await tokenOf(issuer));
  expect(principal).toMatchObject({ tenant: 'default', isLocal: false });
  expect(principal?.id).toMatch(/^oidc:/);
  expect([...(principal?.permissions ?? [])].toSorted()).toEqual([
    'approvals:answer',
    'approvals:read',
    'hosts:read',
    'runs:read',
    'runs:write',
    'workspaces:read',
  ]);
});

test('its tenant is what the named claim says; without that claim it is nobody', async () => {
  const token = await tokenOf(issuer);
  const verify = async (tenantClaim: string) => await createOidcVerifier({ ...settings(), tenantClaim })(token);
  expect((await verify('org'))?.tenant).toBe('acme');
  expect(await verify('organisation')).toBeUndefined();
});

test('a token for another audience, changed, unsigned, of another key or out of time does not hold', async () => {
  const verify = createOidcVerifier(settings());
  const token = await tokenOf(issuer);
  const [head = '', body = '', signature = ''] = token.split('.');
  const claims = { iss: issuer.url, aud: audience, sub: 'x' };
  const { privateKey } = await generateKeyPair('ES256');
  const sign = async (exp: string | number, kid: string) =>
    await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid }).setExpirationTime(exp).sign(privateKey);
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const tokens = [
    await tokenOf(issuer, 'https://other.test/'),
    `${head}.${encode({ ...JSON.parse(Buffer.from(body, 'base64url').toString()), sub: 'admin' })}.${signature}`,
    `${encode({ alg: 'none' })}.${encode({ ...claims, exp: 4_000_000_000 })}.x`,
    await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(Buffer.alloc(32)),
    await sign('1h', 'first'),
    await sign('1h', 'unknown'),
    'a.b.c',
  ];
  for (const each of tokens) expect(await verify(each), each).toBeUndefined();
});

test('new keys of the issuer are found, and one that is away is not taken for a wrong token', async () => {
  const verify = createOidcVerifier(settings());
  const old = await tokenOf(issuer);
  expect(await verify(old)).toBeDefined();
  await issuer.stop();
  expect(await verify(old)).toBeDefined();
  await expect(createOidcVerifier(settings())(old)).rejects.toMatchObject({ code: 'issuer-unreachable' });
  issuer = await startIssuer(port, 'second');
  const renewed = await tokenOf(issuer);
  await expect.poll(async () => await verify(renewed), { timeout: 10_000 }).toBeDefined();
  expect(await verify(old)).toBeUndefined();
});
