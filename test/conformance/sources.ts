import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Kits that are on no registry, by the folder that `CODETETHER_KITS` holds them in; nothing of them is kept here. */
const sources = {
  'a2a-tck-1.0': { repository: 'https://github.com/a2aproject/a2a-tck', branch: '1.0-dev' },
  'a2a-tck-0.3': { repository: 'https://github.com/a2aproject/a2a-tck', branch: '0.3.x' },
  A2A: { repository: 'https://github.com/a2aproject/A2A', branch: 'conformance-spec' },
} as const;

export type Source =
  | { readonly kind: 'found'; readonly folder: string }
  /** Says how to get it. */
  | { readonly kind: 'missing'; readonly why: string };

export function sourceOf(name: keyof typeof sources): Source {
  const kits = process.env['CODETETHER_KITS'] ?? '';
  const folder = join(kits, name);
  if (kits !== '' && existsSync(folder)) return { kind: 'found', folder };
  const { repository, branch } = sources[name];
  const where = kits === '' ? `a folder $CODETETHER_KITS` : kits;
  return { kind: 'missing', why: `is not in ${where}: git clone -b ${branch} ${repository} $CODETETHER_KITS/${name}` };
}
