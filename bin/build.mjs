// Builds dist/: the compiled program and the workflow bundle. Does nothing when no source has changed since.
// The new dist is made beside the old one and put in its place when it is whole.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');

/** Files under the folders, sorted, with what decides how they are compiled. */
function sources(folders) {
  return [...folders, 'tsconfig.json', 'tsconfig.build.json', 'package.json', 'package-lock.json', 'bin/build.mjs']
    .filter((name) => existsSync(join(root, name)))
    .flatMap((name) => {
      if (name.includes('.')) return [name];
      const entries = readdirSync(join(root, name), { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
    })
    .toSorted((one, other) => (one < other ? -1 : 1));
}

function hashOf(folders) {
  const hash = createHash('sha256');
  for (const name of sources(folders))
    hash
      .update(`${name}\0`)
      .update(readFileSync(join(root, name)))
      .update('\0');
  return hash.digest('hex').slice(0, 16);
}

function read(path) {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
}

function fail(message) {
  process.stderr.write(`build: ${message}\n`);
  process.exit(1);
}

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const programFolders = ['domain', 'workflows', 'activities', 'services', 'cli'];
const compiled = hashOf(programFolders);
if (read(join(dist, 'compiled-from')) === compiled) process.exit(0);

const from = performance.now();
process.stderr.write('build: compiling\n');
const made = join(root, 'node_modules', `.codetether-build-${process.pid}`);
process.on('exit', () => rmSync(made, { recursive: true, force: true }));

const tsc = join(root, 'node_modules', '.bin', 'tsc');
// On PATH the project's own Node comes first: tsc starts with `env node`.
const env = { ...process.env, PATH: `${dirname(tsc)}:${process.env.PATH ?? ''}` };
const result = spawnSync(tsc, ['-p', 'tsconfig.build.json', '--outDir', made], {
  cwd: root,
  env,
  stdio: ['ignore', 2, 2],
});
if (result.status !== 0) fail('the program does not compile');

const workflows = hashOf(['domain', 'workflows']);
const oldBundle = join(dist, 'workflows', 'bundle.js');
const newBundle = join(made, 'workflows', 'bundle.js');
const bundledFrom = join('workflows', 'bundled-from');
if (existsSync(oldBundle) && read(join(dist, bundledFrom)) === workflows) cpSync(oldBundle, newBundle);
else if (existsSync(join(root, 'workflows', 'index.ts'))) {
  process.stderr.write('build: bundling the workflows\n');
  const { bundleWorkflowCode } = await import('@temporalio/worker');
  const said = [];
  const say = (message) => said.push(message);
  const logger = { log: (_level, message) => say(message), trace: say, debug: say, info: say, warn: say, error: say };
  try {
    const { code } = await bundleWorkflowCode({ workflowsPath: join(root, 'workflows', 'index.ts'), logger });
    mkdirSync(dirname(newBundle), { recursive: true });
    writeFileSync(newBundle, code);
  } catch (error) {
    fail(
      `the workflows cannot be bundled: ${error instanceof Error ? error.message : String(error)}\n${said.join('\n')}`,
    );
  }
}
if (existsSync(newBundle)) writeFileSync(join(made, bundledFrom), `${workflows}\n`);

cpSync(join(root, 'services/stack/temporal-cli'), join(made, 'services/stack/temporal-cli'), { recursive: true });
writeFileSync(join(made, 'build-id'), `${version}-${hashOf(programFolders)}\n`);
writeFileSync(join(made, 'compiled-from'), `${compiled}\n`);

const old = `${made}-old`;
if (existsSync(dist)) renameSync(dist, old);
renameSync(made, dist);
rmSync(old, { recursive: true, force: true });
process.stderr.write(`build: done in ${((performance.now() - from) / 1000).toFixed(1)} s\n`);
