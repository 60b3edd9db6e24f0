import { describe, expect, test } from 'vitest';
import { parsePrd } from '../../domain/ralph/parse-prd.ts';
import { detectGates, prdTemplate } from '../../domain/ralph/prd-template.ts';

const detect = (files: string[], packageScripts: Record<string, string> = {}, installed?: string[]) =>
  detectGates({
    files,
    packageScripts,
    ...(installed === undefined ? {} : { isInstalled: (program: string) => installed.includes(program) }),
  });

describe('gates fit the language', () => {
  test('Rust', () => {
    expect(detect(['Cargo.toml', 'package.json'], { test: 'x' })).toEqual({
      typecheck: 'cargo check',
      lint: 'cargo clippy -- -D warnings',
      test: 'cargo test',
      build: 'cargo build',
    });
  });

  test('Node: the scripts that are there, by the package manager that is used', () => {
    expect(detect(['package.json', 'tsconfig.json'], { test: 'vitest', lint: 'eslint', build: 'tsc' })).toEqual({
      typecheck: 'npx tsc --noEmit',
      lint: 'npm run lint',
      test: 'npm test',
      build: 'npm run build',
    });
    expect(detect(['package.json', 'tsconfig.json', 'pnpm-lock.yaml'], { 'type-check': 'tsc', test: 'x' })).toEqual({
      typecheck: 'pnpm run type-check',
      test: 'pnpm test',
    });
    expect(detect(['package.json', 'bun.lock'], { test: 'x' })).toEqual({ test: 'bun run test' });
    expect(detect(['package.json', 'yarn.lock'], { lint: 'x' })).toEqual({ lint: 'yarn run lint' });
    expect(detect(['package.json'], { test: 'echo "Error: no test specified" && exit 1' })).toEqual({});
  });

  test('Go and Python: what is installed', () => {
    expect(detect(['go.mod'])).toEqual({
      typecheck: 'go vet ./...',
      lint: 'golangci-lint run',
      test: 'go test ./...',
      build: 'go build ./...',
    });
    expect(detect(['go.mod'], {}, ['go'])).not.toHaveProperty('lint');
    expect(detect(['pyproject.toml'], {}, ['pytest'])).toEqual({ test: 'pytest' });
    expect(detect(['requirements.txt'])).toEqual({ typecheck: 'mypy .', lint: 'ruff check .', test: 'pytest' });
  });

  test('a manifest without checks gives way to the next, and nothing is nothing', () => {
    expect(detect(['package.json', 'go.mod'], {}, [])).toEqual({
      typecheck: 'go vet ./...',
      test: 'go test ./...',
      build: 'go build ./...',
    });
    expect(detect(['README.md'])).toEqual({});
  });
});

test('the template is a PRD that can be run as it is', () => {
  const template: unknown = JSON.parse(
    JSON.stringify(prdTemplate({ project: 'Größe', feature: 'Due dates: now?', gates: { test: 'npm test' } })),
  );
  const { prd, warnings } = parsePrd(template);
  expect(warnings).toEqual([]);
  expect(prd).toMatchObject({
    project: 'Größe',
    branchName: 'feature/due-dates-now',
    qualityChecks: { test: 'npm test' },
  });
  expect(prd.stories.map(({ id, dependsOn }) => [id, dependsOn])).toEqual([
    ['US-001', []],
    ['US-002', ['US-001']],
  ]);
});
