import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isInside, resolveWorkspacePath } from '../../activities/tools/workspace-path.ts';
import { asCodetetherError } from '../../domain/errors.ts';

let folder: string;
let root: string;
let main: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'codetether-path-')));
  main = join(folder, 'main checkout');
  root = join(main, '.codetether-worktrees', 'run', 'story');
  await mkdir(join(root, 'src', 'deep'), { recursive: true });
  await mkdir(join(root, '.git'), { recursive: true });
  await mkdir(join(main, 'node_modules', 'left-pad'), { recursive: true });
  await mkdir(join(folder, 'outside'));
  await writeFile(join(folder, 'outside', 'secret'), 'x');
  await writeFile(join(folder, 'main checkout', 'node_modules', 'left-pad', 'index.js'), 'x');
  await writeFile(join(root, 'a.txt'), 'x');
  await symlink(join(folder, 'outside'), join(root, 'out'));
  await symlink('../../../..', join(root, 'up'));
  await symlink('src', join(root, 'inner'));
  await symlink('nowhere', join(root, 'dangling'));
  await symlink('loop', join(root, 'loop'));
  await symlink(join(main, 'node_modules'), join(root, 'node_modules'));
  await symlink('/etc', join(root, 'src', 'node_modules'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function resolved(path: string, access: 'read' | 'write' = 'read'): Promise<string> {
  try {
    return (await resolveWorkspacePath({ root, mainCheckout: main }, path, access)).relative;
  } catch (error) {
    const known = asCodetetherError(error);
    expect(known.code).toBe('path-outside-workspace');
    return `refused: ${known.message}`;
  }
}

describe('the path guard', () => {
  test.each([
    ['a.txt', 'a.txt'],
    ['./src/../a.txt', 'a.txt'],
    ['new/folder/file name.txt', 'new/folder/file name.txt'],
    ['größe/日本', 'größe/日本'],
    ['inner/deep/x', 'src/deep/x'],
    ['.', '.'],
    ['a.txt/below', 'a.txt/below'],
    ['..a', '..a'],
    ['src/..b/c', 'src/..b/c'],
  ])('takes %s', async (path, expected) => {
    expect(await resolved(path)).toBe(expected);
    if (path !== '.') expect(await resolved(path, 'write')).toBe(expected);
  });

  test('takes an absolute path inside the workspace', async () => {
    expect(await resolved(join(root, 'src', 'x'), 'write')).toBe('src/x');
  });

  test.each([
    ['..', 'is not inside the workspace'],
    ['../story2/x', 'is not inside the workspace'],
    ['src/../../x', 'is not inside the workspace'],
    ['/etc/passwd', 'is not inside the workspace'],
    ['out/secret', 'leads out of the workspace through a link'],
    ['out/new', 'leads out of the workspace through a link'],
    ['out', 'leads out of the workspace through a link'],
    ['up/anything', 'leads out of the workspace through a link'],
    ['inner/../../../../x', 'is not inside the workspace'],
    ['dangling', 'is a link to something that does not exist'],
    ['dangling/x', 'is a link to something that does not exist'],
    ['loop', 'is a circle of links'],
    ['src/node_modules/passwd', 'leads out of the workspace through a link'],
    ['a\0b', 'has a NUL character in it'],
  ])('refuses %j', async (path, reason) => {
    expect(await resolved(path)).toContain(reason);
    expect(await resolved(path, 'write')).toContain(reason);
  });

  test('reads linked dependencies and never writes them', async () => {
    expect(await resolved('node_modules/left-pad/index.js')).toBe('node_modules/left-pad/index.js');
    expect(await resolved('node_modules/left-pad/index.js', 'write')).toContain('read-only');
    expect(await resolved('node_modules/../../../a', 'read')).toContain('refused');
    const alone = resolveWorkspacePath({ root, mainCheckout: null }, 'node_modules/left-pad/index.js', 'read');
    await expect(alone).rejects.toMatchObject({ code: 'path-outside-workspace' });
  });

  test('a dependency folder that links further out is refused', async () => {
    await symlink(join(folder, 'outside'), join(main, 'node_modules', 'evil'));
    expect(await resolved('node_modules/evil/secret')).toContain('refused');
  });

  test.each(['.git', '.git/config', '.GIT/hooks/pre-commit', 'sub/.git/config', 'src/../.git/HEAD'])(
    'never writes %s',
    async (path) => {
      expect(await resolved(path, 'write')).toContain("belongs to git's own data");
      expect(await resolved(path, 'read')).not.toContain('refused');
    },
  );

  test('never writes the workspace itself', async () => {
    expect(await resolved('src/..', 'write')).toContain('is the workspace itself');
  });

  test('whatever the path, what is taken lies inside by its real path, and plain paths are taken', async () => {
    const part = fc.constantFrom(
      '.',
      '..',
      'src',
      'deep',
      'out',
      'up',
      'inner',
      'dangling',
      'loop',
      'a.txt',
      'new',
      '',
      'secret',
      '.git',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 7 }),
        fc.boolean(),
        fc.constantFrom('read', 'write'),
        async (parts, absolute, access) => {
          const path = (absolute ? `${root}/` : '') + parts.join('/');
          const outcome = await resolveWorkspacePath({ root, mainCheckout: null }, path, access).then(
            (found) => found.absolute,
            () => null,
          );
          if (outcome !== null) {
            expect(isInside(root, outcome)).toBe(true);
            const real = await realpath(outcome).catch(() => null);
            if (real !== null) expect(real).toBe(outcome);
            if (access === 'write') expect(outcome.split('/')).not.toContain('.git');
          }
          if (parts.length > 0 && parts.every((given) => given === 'src' || given === 'deep' || given === 'new'))
            expect(outcome).not.toBeNull();
        },
      ),
      { numRuns: 500 },
    );
  });
});
