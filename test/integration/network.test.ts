import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { createGuardedFetch, type GuardOptions } from '../../activities/network/guarded-fetch.ts';
import { isPublicAddress } from '../../activities/network/public-address.ts';
import { createWebSearch } from '../../activities/network/web-search.ts';
import { createToolRegistry } from '../../activities/tools/registry.ts';
import type { ToolContext } from '../../activities/tools/tool.ts';
import type { WebAccess } from '../../activities/tools/web-access.ts';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** @returns `127.0.0.1:<port>` */
async function serve(handler: RequestListener): Promise<string> {
  const server = createServer(handler);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const signal = new AbortController().signal;
const limits = { maxBytes: 100_000, timeoutMs: 2000, signal };
const fetchWith = (options: GuardOptions, url: string, more = {}) =>
  createGuardedFetch(options)({ url, ...limits, ...more });

describe('an address is public', () => {
  test.each(['8.8.8.8', '1.1.1.1', '2606:4700::1111', '::ffff:8.8.8.8'])('%s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

describe('an address is not public', () => {
  test.each([
    '127.0.0.1',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.100.100.200',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'fe80::1%eth0',
    'fd00:ec2::254',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::a9fe:a9fe',
    '2002:7f00:1::',
    '2001:db8::1',
    'localhost',
    '',
  ])('%s', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe('the guard', () => {
  test.each([
    ['http://127.0.0.1:3000/', 'is not on the public internet (127.0.0.1)'],
    ['http://[::1]:3000/', 'is not on the public internet (::1)'],
    ['http://[::ffff:169.254.169.254]/latest/meta-data/', 'is not on the public internet'],
    ['http://2130706433:8080/', 'is not on the public internet (127.0.0.1)'],
    ['http://0x7f.1/', 'is not on the public internet (127.0.0.1)'],
    ['http://localhost:8080/', 'is not on the public internet'],
    ['file:///etc/passwd', 'file: addresses are not fetched'],
    ['ftp://example.com/', 'ftp: addresses are not fetched'],
    ['http://user:password@example.com/', 'has a user name'],
    ['http://example.com:22/', 'port 22 is not for the web'],
    ['nonsense', 'is no web address'],
  ])('refuses %s', async (url, reason) => {
    const answer = await fetchWith({}, url);
    expect(answer).toMatchObject({ kind: 'refused' });
    expect(answer.kind === 'refused' && answer.reason).toContain(reason);
  });

  test('refuses a name of which one address is private, and never looks it up a second time', async () => {
    let times = 0;
    const lookUpAddresses = async () => {
      times += 1;
      return [
        { address: '8.8.8.8', family: 4 },
        { address: '10.0.0.1', family: 4 },
      ];
    };
    expect(await fetchWith({ lookUpAddresses }, 'http://evil.example/')).toMatchObject({
      reason: 'evil.example is not on the public internet (10.0.0.1)',
    });
    expect(times).toBe(1);
  });

  test('connects to the address that was looked at, whatever the name says later', async () => {
    const host = await serve((_request, response) => response.end('here'));
    const port = host.split(':')[1];
    let times = 0;
    const lookUpAddresses = async () => {
      times += 1;
      return [{ address: '127.0.0.1', family: 4 }];
    };
    const url = `http://name.example:${port}/`;
    expect(await fetchWith({ lookUpAddresses }, url)).toMatchObject({ kind: 'refused' });
    const answer = await fetchWith({ lookUpAddresses, trusted: [`name.example:${port}`] }, url);
    expect(answer.kind === 'answered' && answer.body.toString()).toBe('here');
    expect(times).toBe(2);
  });

  test('looks at each redirect again: not to this machine, not to another host unasked, not for ever', async () => {
    const host = await serve((request, response) => {
      const to = {
        '/in': 'http://127.0.0.1:3000/secret',
        '/host': 'https://example.com/',
        '/again': '/again',
        '/ok': '/end',
      };
      const location = to[request.url as keyof typeof to];
      if (location === undefined) response.end('end');
      else response.writeHead(302, { location }).end();
    });
    const get = (path: string, more = {}) => fetchWith({ trusted: [host] }, `http://${host}${path}`, more);
    expect(await get('/in')).toMatchObject({
      kind: 'refused',
      reason: '127.0.0.1 is not on the public internet (127.0.0.1)',
    });
    expect(await get('/host')).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('another host: https://example.com/'),
    });
    expect(await get('/again')).toMatchObject({ kind: 'refused', reason: 'it redirects more than 5 times' });
    expect(await get('/ok')).toMatchObject({ kind: 'answered', url: `http://${host}/end` });
  });

  test('headers stay at the origin that they were meant for', async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end();
    });
    const first = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(307, { location: `http://${other}/` }).end();
    });
    const headers = { authorization: 'Bearer secret' };
    await fetchWith({ trusted: [first, other] }, `http://${first}/`, { headers });
    expect(seen).toEqual(['Bearer secret', undefined]);
  });

  test('stops at its size, also of what unpacks to more, and at its time', async () => {
    let sent = 0;
    const host = await serve((request, response) => {
      if (request.url === '/slow') return;
      if (request.url === '/bomb') {
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(50_000_000)));
        return;
      }
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536))) sent += 65_536;
        response.once('drain', more);
      };
      more();
    });
    const get = (path: string, more = {}) => fetchWith({ trusted: [host] }, `http://${host}${path}`, more);
    for (const path of ['/endless', '/bomb']) {
      const answer = await get(path);
      expect(answer).toMatchObject({ kind: 'answered', isCut: true });
      expect(answer.kind === 'answered' && answer.body.length).toBe(100_000);
    }
    expect(sent).toBeLessThan(20_000_000);
    expect(await get('/slow', { timeoutMs: 200 })).toEqual({ kind: 'failed', reason: 'no whole answer within 0.2 s' });
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error('the run was cancelled')), 50);
    await expect(get('/slow', { signal: abort.signal })).rejects.toThrow('the run was cancelled');
  });

  test('says why nothing came', async () => {
    const lookUpAddresses = async () => {
      throw Object.assign(new Error('queryA'), { code: 'ENOTFOUND' });
    };
    expect(await fetchWith({ lookUpAddresses }, 'http://none.example/')).toEqual({
      kind: 'failed',
      reason: 'there is no such host',
    });
    expect(await fetchWith({ trusted: ['127.0.0.1:1025'] }, 'http://127.0.0.1:1025/')).toEqual({
      kind: 'failed',
      reason: 'the connection was refused',
    });
  });
});

const context = { signal } as ToolContext;
const allowed: WebAccess = { policy: 'allow', hosts: [] };

describe('webfetch', () => {
  const page = `<html><head><title>Sums &amp; more</title><script>alert(1)</script></head><body><nav><a href="/">Home</a></nav>
    <article><h1>Sums</h1>${'<p>Some text about sums, with <b>bold</b> words and <a href="/x">a link</a>, that goes on.</p>'.repeat(5)}
    <pre><code>add(1, 2)</code></pre></article></body></html>`;

  const open = async (handler: RequestListener) => {
    const host = await serve(handler);
    const web = { fetch: createGuardedFetch({ trusted: [host] }), access: allowed, search: undefined };
    const { call } = createToolRegistry({ web });
    return { host, fetch: (given: Record<string, unknown>) => call('webfetch', given, context) };
  };

  test('shows what a person would read, as Markdown with whole links', async () => {
    const { host, fetch } = await open((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page),
    );
    const { ok, output } = await fetch({ url: `http://${host}/a` });
    expect(ok).toBe(true);
    expect(output).toContain(`http://${host}/a: Sums & more\n`);
    expect(output).toContain(`**bold** words and [a link](http://${host}/x)`);
    expect(output).toContain('```\nadd(1, 2)\n```');
    expect(output).not.toContain('alert');
    expect(output).not.toContain('Home');
    expect((await fetch({ url: `http://${host}/a`, format: 'text' })).output).toContain(
      'with bold words and a link, that',
    );
    expect((await fetch({ url: `http://${host}/a`, format: 'html' })).output).toContain('<nav>');
    const cut = await fetch({ url: `http://${host}/a`, max_chars: 100, offset: 50 });
    expect(cut.output).toMatch(/\[characters 50 to 150 of \d+; go on with offset=150\]$/);
  });

  test('takes text as it is, in its own letters, without terminal escapes; nothing else', async () => {
    const { host, fetch } = await open((request, response) => {
      if (request.url === '/text')
        response
          .writeHead(200, { 'content-type': 'text/plain; charset=iso-8859-1' })
          .end(Buffer.from('gr\xf6\xdfe \x1b[2Jx', 'latin1'));
      else if (request.url === '/json') response.writeHead(404, { 'content-type': 'application/json' }).end('{"a":1}');
      else response.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.from([0x89, 0, 1]));
    });
    expect((await fetch({ url: `http://${host}/text` })).output).toBe(`http://${host}/text\n\ngröße x`);
    expect(await fetch({ url: `http://${host}/json` })).toEqual({
      ok: false,
      output: `error: status 404 from http://${host}/json (status 404)\n\n{"a":1}`,
    });
    expect((await fetch({ url: `http://${host}/png` })).output).toContain('is image/png, 3 bytes, which is no text');
  });

  test('a page that never gets done is given up, and the process goes on meanwhile', { timeout: 40_000 }, async () => {
    const { host, fetch } = await open((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end(`<body>${'<div>'.repeat(200_000)}x`),
    );
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1), 50);
    expect((await fetch({ url: `http://${host}/` })).output).toContain('cannot be read as a page; try format=html');
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(10);
  });
});

describe('websearch', () => {
  test.each([
    [
      'searxng',
      { results: [{ title: 'A', url: 'https://a.example/', content: 'about\na' }, { url: 'https://b.example/' }] },
    ],
    [
      'brave',
      {
        web: {
          results: [
            { title: 'A', url: 'https://a.example/', description: 'about a' },
            { title: '', url: 'https://b.example/' },
          ],
        },
      },
    ],
  ] as const)('asks %s as the settings say', async (provider, answer) => {
    const seen: unknown[] = [];
    const host = await serve((request, response) => {
      seen.push([request.url, request.headers['x-subscription-token'] ?? request.headers.authorization]);
      response.end(JSON.stringify(answer));
    });
    const settings = { provider, url: `http://${host}/s`, apiKey: { reveal: () => 'key' } };
    const search = createWebSearch(settings, (trusted) => createGuardedFetch({ trusted }));
    const web = { fetch: createGuardedFetch(), access: allowed, search };
    const outcome = await createToolRegistry({ web }).call('websearch', { query: 'größe & co' }, context);
    expect(outcome).toEqual({
      ok: true,
      output: '1. A\n   https://a.example/\n   about a\n2. \n   https://b.example/\n   ',
    });
    expect(seen).toEqual([
      provider === 'brave'
        ? ['/s?q=gr%C3%B6%C3%9Fe+%26+co&count=5', 'key']
        : ['/s/search?q=gr%C3%B6%C3%9Fe+%26+co&format=json', 'Bearer key'],
    ]);
  });

  test('an engine that answers with something else is an answer', async () => {
    const host = await serve((_request, response) => response.end('<html>'));
    const search = createWebSearch({ provider: 'searxng', url: `http://${host}`, apiKey: undefined }, (trusted) =>
      createGuardedFetch({ trusted }),
    );
    const registry = createToolRegistry({ web: { fetch: createGuardedFetch(), access: allowed, search } });
    expect((await registry.call('websearch', { query: 'x' }, context)).output).toBe(
      'error: the search failed: 127.0.0.1 did not answer as searxng does',
    );
  });

  test('is there only where an engine is configured, and web tools only where they are allowed', () => {
    const names = (means: Parameters<typeof createToolRegistry>[0]) =>
      createToolRegistry(means)
        .definitions('full')
        .map(({ name }) => name)
        .filter((name) => name.startsWith('web'));
    expect(names({})).toEqual([]);
    expect(names({ web: { fetch: createGuardedFetch(), access: allowed, search: undefined } })).toEqual(['webfetch']);
  });
});

test('a person is asked about hosts that are not allowed by name', () => {
  const asked = (access: WebAccess, url: string) =>
    createToolRegistry({ web: { fetch: createGuardedFetch(), access, search: undefined } }).describe('webfetch', {
      url,
    });
  const some: WebAccess = { policy: 'ask', hosts: ['docs.example.org', '*.mozilla.org'] };
  expect(asked(some, 'https://docs.example.org/x')).toEqual({
    risk: 'network',
    label: 'webfetch https://docs.example.org/x',
  });
  expect(asked(some, 'https://developer.mozilla.org/')).not.toHaveProperty('ask');
  for (const url of [
    'https://example.org/',
    'https://evilmozilla.org/',
    'https://docs.example.org.evil.example/',
    'nonsense',
  ])
    expect(asked(some, url).ask, url).toMatchObject({ isSafe: false });
  expect(asked(allowed, 'https://example.org/')).not.toHaveProperty('ask');
});
