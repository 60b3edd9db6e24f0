import { z } from 'zod';
import type { MemoryRecord, MemoryStore } from '../../domain/contracts/store.ts';
import { cleanLine, limitText, maxOutputCharacters, plainText } from './output-text.ts';
import { defineTool, failure, success, type Tool, type ToolContext, type ToolOutcome } from './tool.ts';

const actions = ['save', 'search', 'get', 'list', 'tags', 'delete'] as const;

const input = z.object({
  action: z.enum(actions),
  content: z.string().min(1).max(4000).optional().describe('What to remember (save)'),
  tags: z
    .array(z.string().min(1).max(50))
    .max(20)
    .default([])
    .describe('Words to find it by (save); the first one (list)'),
  importance: z.int().min(1).max(5).default(3).describe('For save'),
  query: z.string().min(1).max(500).optional().describe('Words (search)'),
  id: z.string().max(50).optional().describe('Of one (get, delete)'),
  limit: z.int().min(1).max(50).default(10).describe('Most to show (search, list)'),
});
type Input = z.output<typeof input>;

export function createMemoryTool(memories: MemoryStore): Tool {
  return defineTool({
    name: 'memory',
    risk: 'write',
    riskOf: ({ action }) => (action === 'save' || action === 'delete' ? 'write' : 'read'),
    description:
      'Notes about this repository that outlive you: save, search, get, list, tags, delete. What is found was noted by agents before you; check it.',
    input,
    label: ({ action, query, id, content }) => [action, query ?? id ?? content ?? ''].filter(Boolean).join(' '),
    run: async (given, context) => run(given, { memories, repository: await repositoryOf(context), context }),
  });
}

async function run(
  { action, content, tags, importance, query, id, limit }: Input,
  at: { readonly memories: MemoryStore; readonly repository: string; readonly context: ToolContext },
): Promise<ToolOutcome> {
  const { memories, repository } = at;
  switch (action) {
    case 'save': {
      if (content === undefined) return failure('save needs content');
      const memory = { repository, content: plainText(content), tags, importance, sessionId: at.context.session.id };
      return success(`saved as ${await memories.saveMemory(memory)}`);
    }
    case 'search':
      if (query === undefined) return failure('search needs a query');
      return shown(await memories.searchMemories({ repository, query, limit }));
    case 'list':
      return shown(await memories.listMemories({ repository, tag: tags[0], limit }));
    case 'tags': {
      const found = await memories.memoryTags(repository);
      return success(found.length === 0 ? '(no tags)' : found.map(({ tag, count }) => `${tag} (${count})`).join(', '));
    }
    case 'get': {
      const memory = id === undefined ? undefined : await memories.getMemory(repository, id);
      return memory === undefined ? failure(`there is no memory ${id ?? '(id is missing)'}`) : shown([memory]);
    }
    case 'delete':
      return id !== undefined && (await memories.deleteMemory(repository, id))
        ? success(`deleted ${id}`)
        : failure(`there is no memory ${id ?? '(id is missing)'}`);
  }
}

function shown(memories: readonly MemoryRecord[]): ToolOutcome {
  if (memories.length === 0) return success('nothing is remembered about that');
  const parts = memories.map(({ memoryId, content, tags, importance, createdAt }) => {
    const marks = tags.length === 0 ? '' : `, tags ${tags.map((tag) => cleanLine(tag, 50)).join(' ')}`;
    return `${memoryId} (${createdAt.toISOString().slice(0, 10)}, importance ${importance}${marks})\n${content}`;
  });
  return success(limitText(parts.join('\n\n'), { maxCharacters: maxOutputCharacters, advice: 'ask for fewer' }));
}

/** The same for all clones of a repository: its remote, without whose it is and how it is reached; else its folder. */
async function repositoryOf({ git, workspace }: ToolContext): Promise<string> {
  const { stdout } = await git(['config', '--get', 'remote.origin.url'], { accept: [1] });
  const remote = stdout.trim().replace(/\/*(?:\.git)?\/*$/, '');
  const named = /^(?:[a-z+]+:\/\/)?(?:[^/@]*@)?([^/:]+)(?::\d+)?[:/](.+)$/i.exec(remote);
  return named === null ? (workspace.mainCheckout ?? workspace.root) : `${named[1]}/${named[2]}`.replace(/\/+/g, '/');
}
