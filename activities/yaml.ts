import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** The YAML library, loaded when YAML is read for the first time: most processes never read any. */
export function yaml(): typeof import('yaml') {
  return require('yaml') as typeof import('yaml');
}
