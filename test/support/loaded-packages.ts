import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const root = new URL('../../', import.meta.url);

const hooks = `
import { registerHooks } from 'node:module';
const loaded = new Set();
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//.exec(resolved.url)?.[1];
    if (name !== undefined) loaded.add(name);
    return resolved;
  },
});
`;

export interface Loaded {
  /** What the program has left in `globalThis.result`. */
  readonly result: unknown;
  /** Names of packages, in order. */
  readonly packages: readonly string[];
}

/** Runs an ES module in a process of its own, in the project's root, and tells which packages that has loaded. */
export async function loadedBy(program: string, ...args: readonly string[]): Promise<Loaded> {
  const source = `${hooks}${program}
console.log(JSON.stringify({ result: globalThis.result ?? null, packages: [...loaded].sort() }));`;
  const options = ['--input-type=module', '-e', source, '--', ...args];
  const { stdout } = await promisify(execFile)(process.execPath, options, { cwd: root });
  return JSON.parse(stdout) as Loaded;
}

/** As an import in such a program. */
export function moduleOf(path: string): string {
  return JSON.stringify(new URL(path, root).href);
}
