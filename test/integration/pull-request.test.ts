import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { githubToken, startGithubServer } from '../support/github-server.ts';
import type { Fault, GithubServer } from '../support/github-server.ts';
import { runProgram } from '../unit/cli-fake-api.ts';

let folder: string;
let work: string;
let github: GithubServer;

beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'codetether-pr-')));
  work = join(folder, 'work');
  mkdirSync(work);
  const bare = join(folder, 'todo.git');
  git('init', '--quiet', '--bare', bare);
  git('init', '--quiet', '--initial-branch', 'trunk');
  // The remote has a URL at a server, and is a folder all the same.
  git('config', `url.${bare}.insteadOf`, 'https://github.example/acme/todo.git');
  git('remote', 'add', 'origin', 'https://github.example/acme/todo.git');
  commit('start');
  git('push', '--quiet', 'origin', 'trunk');
  git('checkout', '--quiet', '-b', 'due');
  commit('add due dates');
  git('push', '--quiet', '-u', 'origin', 'due');
  github = await startGithubServer();
});
afterEach(async () => {
  await github.close();
  rmSync(folder, { recursive: true, force: true });
});

function git(...args: string[]): string {
  const as = ['-c', 'user.name=t', '-c', 'user.email=t@localhost'];
  return execFileSync('git', [...as, ...args], { cwd: work, encoding: 'utf8' }).trim();
}
const commit = (message: string) => git('commit', '--quiet', '--allow-empty', '-m', message);

async function create(...args: readonly string[]) {
  return await createWith({}, ...args);
}

async function createWith(environment: Record<string, string>, ...args: readonly string[]) {
  const set = { GITHUB_TOKEN: githubToken, GITHUB_API_URL: github.url, ...environment };
  const ended = await runProgram(['pr', 'create', ...args], { cwd: work, environment: set });
  expect(`${ended.stdout}${ended.stderr}`).not.toContain(githubToken);
  return ended;
}

const signature = /\n?\n?<!-- codetether:begin -->\n([^]*)\n<!-- codetether:end -->$/;

test('a branch that is pushed gets a pull request, and twice gives one', async () => {
  const first = await create('--body', 'My words.');
  expect(first.code, first.stderr).toBe(0);
  expect(first.stdout).toBe(
    'PR_URL=https://github.example/acme/todo/pull/1\nPR_NUMBER=1\nPR_STATE=open\nPR_DRAFT=false\nPR_HEAD=due\n',
  );
  expect(github.pulls).toMatchObject([{ title: 'add due dates', head: { ref: 'due' }, base: { ref: 'trunk' } }]);
  expect(github.pulls[0]?.body.replace(signature, '')).toBe('My words.');
  expect(signature.exec(github.pulls[0]?.body ?? '')?.[1]).toContain(`from \`due\` at ${git('rev-parse', 'HEAD')}`);

  commit('more');
  git('push', '--quiet');
  const second = await create('--json');
  expect(JSON.parse(second.stdout)).toMatchObject({
    number: 1,
    created: false,
    head: 'due',
    base: 'trunk',
    differences: [],
  });
  expect(github.pulls).toHaveLength(1);
  expect(github.pulls[0]?.body.match(/codetether:begin/g)).toHaveLength(1);
  expect(github.pulls[0]).toMatchObject({ title: 'add due dates', body: expect.stringContaining('My words.') });
  expect(github.pulls[0]?.body).toContain(git('rev-parse', 'HEAD'));

  const file = join(folder, 'body.md');
  writeFileSync(file, 'Other words.\n');
  await create('--title', 'Due dates', '--body-file', file);
  expect(github.pulls[0]?.title).toBe('Due dates');
  expect(github.pulls[0]?.body.replace(signature, '')).toBe('Other words.');
});

test('what an update cannot change is told with the command that can', async () => {
  await create('--draft', '--base', 'trunk');
  expect(github.pulls).toMatchObject([{ draft: true }]);
  const same = await create('--draft');
  expect(same.stderr).toBe('updated pull request 1 of due\n');
  git('push', '--quiet', 'origin', 'trunk:next');
  const other = await create('--base', 'next');
  expect(other.stderr).toContain('its base stays trunk; change it with: gh pr edit 1 --base next');
  if (github.pulls[0] !== undefined) github.pulls[0].draft = false;
  expect((await create('--draft')).stderr).toContain('gh pr ready 1 --undo');
  expect(github.pulls).toHaveLength(1);
});

test('a branch of another folder is named, and a closed pull request is not opened again', async () => {
  if ((await create()).code === 0 && github.pulls[0] !== undefined) github.pulls[0].state = 'closed';
  const elsewhere = await runProgram(['pr', 'create', '--project', work, '--head', 'due'], {
    cwd: folder,
    environment: { GITHUB_TOKEN: githubToken, GITHUB_API_URL: github.url },
  });
  expect(elsewhere.stdout, elsewhere.stderr).toContain('PR_NUMBER=2\n');
});

test('nothing is pushed: a head that is not at the remote as it is here is told with the git command', async () => {
  const refused = async (...args: string[]) => {
    const { code, stderr } = await create(...args);
    expect([code, github.requests, stderr.includes('[head-not-pushed]')], stderr).toEqual([2, [], true]);
    return stderr;
  };
  git('checkout', '--quiet', '-b', 'new');
  expect(await refused()).toContain('git push -u origin new');
  git('checkout', '--quiet', 'due');
  commit('more');
  expect(await refused()).toContain('git push origin due');
  git('push', '--quiet');
  git('reset', '--quiet', '--hard', 'HEAD~1');
  expect(await refused()).toContain('git pull --ff-only origin due');
  commit('other');
  expect(await refused()).toContain('git log --oneline --left-right due...origin/due');
  expect((await create('--head', 'nowhere')).stderr).toContain(
    'there is no branch nowhere, neither here nor at origin',
  );
});

const soon = Math.floor(Date.now() / 1_000) + 1_800;
test.each<readonly [string, Fault, number, string, string]>([
  ['401', { status: 401, body: { message: 'Bad credentials' } }, 2, 'github-token-refused', 'Bad credentials'],
  [
    '403',
    { status: 403, headers: { 'x-accepted-github-permissions': 'pull_requests=write' } },
    2,
    'github-refused',
    'pull_requests=write',
  ],
  [
    '403 for the rate, with its end',
    { status: 403, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(soon) } },
    75,
    'github-rate-limited',
    new Date(soon * 1_000).toISOString(),
  ],
  ['429', { status: 429, headers: { 'retry-after': '60' } }, 75, 'github-rate-limited', 'Try again after'],
  ['404', { status: 404, body: { message: 'Not Found' } }, 2, 'github-refused', '/repos/acme/todo is there'],
  [
    '422 with what is wrong',
    {
      method: 'POST',
      status: 422,
      body: { message: 'Validation Failed', errors: [{ field: 'base', code: 'invalid' }] },
    },
    2,
    'github-refused',
    'base invalid',
  ],
  ['503 for ever', { status: 503, times: 99 }, 75, 'github-unreachable', '503'],
  [
    'a token in its own words',
    { status: 403, body: { message: `no: ${githubToken}` } },
    2,
    'github-refused',
    '[redacted]',
  ],
])('GitHub answers %s', async (_what, fault, code, error, words) => {
  github.fail(fault);
  const ended = await create();
  expect(ended.stderr).toContain(`[${error}]`);
  expect(ended.stderr).toContain(words);
  expect([ended.code, ended.stdout, github.pulls]).toEqual([code, '', []]);
});

test.each<readonly [string, Fault]>([
  ['twice 502', { status: 502, times: 2 }],
  ['a cut connection', { cut: 'before' }],
  ['a pull request that was made, and an answer that was lost', { method: 'POST', cut: 'after' }],
  ['somebody who was first', { method: 'POST', status: 422, body: { errors: [{ message: 'already exists' }] } }],
])('%s is tried again, and makes one pull request', async (_what, fault) => {
  github.fail(fault);
  const ended = await create();
  expect(ended.code, ended.stderr).toBe(0);
  expect(ended.stderr).toContain('; trying again in 0.5s\n');
  expect(github.pulls).toHaveLength(1);
});

test('a repository that was renamed is followed, another server is not', async () => {
  github.fail({ method: 'POST', status: 307, headers: { location: `${github.url}/repos/acme/todo/pulls` } });
  const ended = await create();
  expect(ended.code, ended.stderr).toBe(0);
  github.fail({ method: 'GET', status: 301, headers: { location: 'https://evil.example/repos/acme/todo' } });
  expect((await create()).stderr).toContain('sends us elsewhere: https://evil.example');
});

test('a command line that is not right is refused before anything is asked', async () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [['--body', 'a', '--body-file', 'b'], 'exclude each other'],
    [['--body-file', 'missing.md'], 'missing.md cannot be read'],
    [['--base', 'due'], 'head and base are both due'],
    [['--title', ' '], 'the title is empty'],
    [['--project', folder], 'is not in a git repository'],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await create(...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  }
  const none = await createWith({ GITHUB_TOKEN: '' });
  expect(none.stderr).toContain('[github-token-missing]');
  git('remote', 'remove', 'origin');
  expect((await create()).stderr).toContain('[remote-not-github]');
  expect(github.requests).toEqual([]);
});
