import { describe, expect, it } from 'vitest';
import { withSignature } from '../../domain/text/signature.ts';
import { githubAccess } from '../../services/github/access.ts';
import { parseRemote } from '../../services/github/remote-address.ts';

describe('the repository of a remote', () => {
  it.each([
    ['https://github.com/acme/todo.git', 'github.com', 'acme', 'todo'],
    ['https://user:secret@github.com/acme/todo', 'github.com', 'acme', 'todo'],
    ['git@github.com:acme/todo.git', 'github.com', 'acme', 'todo'],
    ['ssh://git@ssh.github.com:443/acme/todo.git', 'github.com', 'acme', 'todo'],
    ['ssh://git@git.example.com:2222/acme/to.do.git/', 'git.example.com', 'acme', 'to.do'],
    ['https://git.example.com:8443/acme/todo', 'git.example.com:8443', 'acme', 'todo'],
  ])('%s', (url, host, owner, name) => {
    expect(parseRemote(url)).toEqual({ host, owner, name });
  });

  it.each([
    '/srv/git/acme/todo.git',
    '../todo',
    'file:///srv/acme/todo',
    'https://github.com/acme',
    'a:b/c/d',
    'https://github.com/../todo',
    '',
  ])('%s names none', (url) => expect(parseRemote(url)).toBeUndefined());
});

describe('the token', () => {
  const access = (environment: Record<string, string>, host: string) => {
    const { apiUrl, token } = githubAccess(environment, host);
    return [apiUrl, token.reveal()];
  };
  const refused = (environment: Record<string, string>, host: string) => {
    try {
      access(environment, host);
    } catch (error) {
      return (error as { code: string }).code;
    }
    return undefined;
  };

  it('of github.com goes to github.com, and to another host only where that is named', () => {
    expect(access({ GITHUB_TOKEN: 'a' }, 'github.com')).toEqual(['https://api.github.com', 'a']);
    expect(access({ GH_TOKEN: 'b' }, 'github.com')).toEqual(['https://api.github.com', 'b']);
    expect(refused({ GITHUB_TOKEN: 'a', GH_TOKEN: 'b' }, 'evil.example')).toBe('github-token-missing');
    const inCi = { GITHUB_TOKEN: 'a', GITHUB_API_URL: 'https://api.github.com' };
    expect(refused(inCi, 'evil.example')).toBe('github-token-missing');
    const own = { GITHUB_TOKEN: 'a', GITHUB_API_URL: 'https://git.example.com/api/v3/' };
    expect(access(own, 'git.example.com')).toEqual(['https://git.example.com/api/v3', 'a']);
    expect(access(own, 'github.com')).toEqual(['https://api.github.com', 'a']);
  });

  it('of an Enterprise server has a name of its own', () => {
    const environment = { GITHUB_TOKEN: 'a', GH_ENTERPRISE_TOKEN: 'e' };
    expect(access(environment, 'git.example.com')).toEqual(['https://git.example.com/api/v3', 'e']);
    expect(access(environment, 'acme.ghe.com')).toEqual(['https://api.acme.ghe.com', 'e']);
    expect(access(environment, 'github.com')).toEqual(['https://api.github.com', 'a']);
  });

  it('is never sent where others can read it on the way, and never printed', () => {
    expect(refused({ GITHUB_TOKEN: 'a', GITHUB_API_URL: 'http://github.com' }, 'github.com')).toBe('config-invalid');
    expect(refused({ GITHUB_TOKEN: 'a', GITHUB_API_URL: 'nonsense' }, 'github.com')).toBe('config-invalid');
    expect(refused({ GITHUB_TOKEN: 'a\nb: c' }, 'github.com')).toBe('config-invalid');
    expect(JSON.stringify(githubAccess({ GITHUB_TOKEN: 'secret' }, 'github.com'))).not.toContain('secret');
  });
});

describe('a signature', () => {
  it('takes the place of an earlier one and leaves the rest as it is', () => {
    const first = withSignature('Hello\n', 'one');
    expect(first).toBe('Hello\n\n<!-- codetether:begin -->\none\n<!-- codetether:end -->');
    const edited = `Before\n${first}\nAfter $& $1`;
    expect(withSignature(edited, 'two $&')).toBe(edited.replace('one', () => 'two $&'));
    expect(withSignature('', 'x')).toBe('<!-- codetether:begin -->\nx\n<!-- codetether:end -->');
  });

  it('cannot end itself', () => {
    const body = withSignature('', 'a <!-- codetether:end --> b');
    expect(withSignature(body, 'c')).toBe('<!-- codetether:begin -->\nc\n<!-- codetether:end -->');
  });
});
