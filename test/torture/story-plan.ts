/** What the 20 stories are and what the mock model does for each of them. */

export interface PlannedCall {
  readonly name: 'write' | 'edit' | 'bash' | 'read';
  readonly args: Readonly<Record<string, unknown>>;
}

/** The calls of one turn of the model. */
export type PlannedTurn = readonly PlannedCall[];

const chains = 4;

export interface PlannedStory {
  readonly id: string;
  readonly dependsOn: readonly string[];
  readonly turns: readonly PlannedTurn[];
}

/** Chains of stories that depend on each other, side by side; of each chain every story appends to the chain's one file. */
export function planStories(count: number): readonly PlannedStory[] {
  return Array.from({ length: count }, (_, index) => {
    const id = storyId(index);
    const chain = index % chains;
    const name = `sum${index}`;
    const test = `import assert from 'node:assert/strict';\nimport test from 'node:test';\nimport { ${name} } from '../src/${name}.js';\n\ntest('${name}', () => assert.equal(${name}(2), ${index + 2}));\n`;
    return {
      id,
      dependsOn: index < chains ? [] : [storyId(index - chains)],
      turns: [
        [
          { name: 'write', args: { path: `src/${name}.js`, content: `export const ${name} = (n) => n;\n` } },
          { name: 'write', args: { path: `test/${name}.test.js`, content: test } },
        ],
        // Twice in the file when it is run twice; mostly killed when it has happened and has not ended.
        [{ name: 'bash', args: { command: `mkdir -p log && echo ${id} >> log/chain-${chain}.txt && sleep 0.3` } }],
        [
          { name: 'read', args: { path: `src/${name}.js` } },
          { name: 'read', args: { path: `test/${name}.test.js` } },
        ],
        [{ name: 'edit', args: { path: `src/${name}.js`, old_string: '=> n;', new_string: `=> n + ${index};` } }],
        [{ name: 'bash', args: { command: `node --test test/${name}.test.js` } }],
      ],
    };
  });
}

function storyId(index: number): string {
  return `T-${String(index + 1).padStart(3, '0')}`;
}

export function tortureFiles(stories: readonly PlannedStory[]): { readonly [name: string]: string } {
  const prd = {
    project: 'torture',
    feature: 'torture',
    branch_name: branch,
    quality_checks: { test: 'node --test' },
    user_stories: stories.map(({ id, dependsOn }) => ({
      id,
      title: `story ${id}`,
      description: `Write ${id}.`,
      depends_on: dependsOn,
      priority: 1,
      passes: false,
    })),
  };
  return {
    'package.json': '{ "name": "torture", "type": "module" }\n',
    'test/base.test.js': "import test from 'node:test';\n\ntest('base', () => undefined);\n",
    'prd.json': `${JSON.stringify(prd, null, 2)}\n`,
  };
}

export const branch = 'feature/torture';
