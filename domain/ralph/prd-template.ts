/** What `create-prd` writes: a PRD that fits the repository's language. Pure. */
import { prdBranch, type GateName } from './prd.ts';

export type DetectedGates = { readonly [gate in GateName]?: string };

export interface RepositoryFiles {
  /** Names in the repository's top folder. */
  readonly files: readonly string[];
  /** `scripts` of package.json; empty without one. */
  readonly packageScripts: Readonly<Record<string, string>>;
  /** Whether a program can be run here; those that cannot are left out. Default: all can. */
  readonly isInstalled?: (program: string) => boolean;
}

/**
 * Quality checks for the first of Rust, Node, Go and Python whose manifest is there and that has any check; npm scripts are
 * those that exist, by the package manager whose lock file is there. Empty when nothing is known of the repository.
 */
export function detectGates(repository: RepositoryFiles): DetectedGates {
  const files = new Set(repository.files);
  const isInstalled = repository.isInstalled ?? (() => true);
  for (const detect of [rustGates, nodeGates, goGates, pythonGates]) {
    const gates = detect({ files, scripts: repository.packageScripts, isInstalled });
    if (Object.keys(gates).length > 0) return gates;
  }
  return {};
}

interface Known {
  readonly files: ReadonlySet<string>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly isInstalled: (program: string) => boolean;
}

function rustGates({ files }: Known): DetectedGates {
  if (!files.has('Cargo.toml')) return {};
  return { typecheck: 'cargo check', lint: 'cargo clippy -- -D warnings', test: 'cargo test', build: 'cargo build' };
}

const typecheckScripts = ['typecheck', 'type-check', 'check-types', 'types', 'tsc'];

function nodeGates({ files, scripts }: Known): DetectedGates {
  if (!files.has('package.json')) return {};
  const manager = packageManager(files);
  const run = (script: string | undefined): string | undefined =>
    script === undefined || !isReal(scripts[script]) ? undefined : `${manager} run ${script}`;
  const typecheckScript = run(typecheckScripts.find((name) => isReal(scripts[name])));
  const typecheck = typecheckScript ?? (files.has('tsconfig.json') ? 'npx tsc --noEmit' : undefined);
  const lint = run('lint');
  const test = isReal(scripts['test']) ? `${manager} ${manager === 'bun' ? 'run test' : 'test'}` : undefined;
  const build = run('build');
  return {
    ...(typecheck === undefined ? {} : { typecheck }),
    ...(lint === undefined ? {} : { lint }),
    ...(test === undefined ? {} : { test }),
    ...(build === undefined ? {} : { build }),
  };
}

/** `npm init` writes a test script that only fails. */
function isReal(script: string | undefined): boolean {
  return script !== undefined && script.trim() !== '' && !script.includes('no test specified');
}

function packageManager(files: ReadonlySet<string>): string {
  if (files.has('pnpm-lock.yaml')) return 'pnpm';
  if (files.has('yarn.lock')) return 'yarn';
  if (files.has('bun.lock') || files.has('bun.lockb')) return 'bun';
  return 'npm';
}

function goGates({ files, isInstalled }: Known): DetectedGates {
  if (!files.has('go.mod')) return {};
  return {
    typecheck: 'go vet ./...',
    ...(isInstalled('golangci-lint') ? { lint: 'golangci-lint run' } : {}),
    test: 'go test ./...',
    build: 'go build ./...',
  };
}

function pythonGates({ files, isInstalled }: Known): DetectedGates {
  if (!files.has('requirements.txt') && !files.has('pyproject.toml')) return {};
  return {
    ...(isInstalled('mypy') ? { typecheck: 'mypy .' } : {}),
    ...(isInstalled('ruff') ? { lint: 'ruff check .' } : {}),
    ...(isInstalled('pytest') ? { test: 'pytest' } : {}),
  };
}

/** A PRD in the file's snake_case, ready for `JSON.stringify`; usable as it is, meant to be changed. */
export function prdTemplate(input: {
  readonly project: string;
  readonly feature: string;
  readonly gates: DetectedGates;
}) {
  return {
    project: input.project,
    feature: input.feature,
    branch_name: prdBranch({ branchName: '', feature: input.feature }),
    version: '1.0',
    technical_requirements: ['What every story must keep to: style, libraries, limits.'],
    quality_checks: { ...input.gates },
    user_stories: [
      {
        id: 'US-001',
        title: 'First story title',
        description: 'As a user, I want this, so that I get that.',
        acceptance_criteria: ['What must be true when the story is done', 'One line for each'],
        verification_steps: [],
        passes: false,
        priority: 1,
        depends_on: [],
        complexity: 2,
      },
      {
        id: 'US-002',
        title: 'Second story title',
        description: 'It starts when US-001 has passed.',
        acceptance_criteria: ['What must be true when the story is done'],
        verification_steps: [],
        passes: false,
        priority: 2,
        depends_on: ['US-001'],
        complexity: 3,
      },
    ],
  };
}
