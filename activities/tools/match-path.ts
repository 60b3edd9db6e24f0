import { matchesGlob } from 'node:path';

/**
 * True when the pattern (`**`, `*`, `?`, `[..]`, `{a,b}`) names the path, hidden files included. A pattern without a slash is
 * held against the file's name, in any folder.
 */
export function pathMatcher(pattern: string): (path: string) => boolean {
  const plain = pattern.replace(/^\.?\//, '');
  const pathPattern = plain.includes('/') ? plain : `**/${plain}`;
  const unhidden = unhide(pathPattern);
  return (path) => matchesGlob(path, pathPattern) || matchesGlob(unhide(path), unhidden);
}

/** `*` skips names with a leading dot, so the dot is taken for a letter. */
function unhide(path: string): string {
  return path.replace(/(^|\/)\./g, '$1\u0001');
}
