import { z } from 'zod';
import { cleanLine } from './output-text.ts';
import { defineTool, failure, success, type Tool, type ToolContext } from './tool.ts';

const statuses = ['active', 'paused', 'complete', 'blocked'] as const;

/** They keep nothing: the goal lives in the transcript, as the result of the call that set it. */
export function createGoalTools(): readonly Tool[] {
  return [
    defineTool({
      name: 'create_goal',
      risk: 'read',
      description: 'Sets the goal of this session, in place of the one before; for work of many steps.',
      input: z.object({ objective: z.string().min(1).max(4000).describe('What is to be reached') }),
      label: ({ objective }) => objective,
      run: async ({ objective }) => success(goalText(cleanLine(objective, 4000), 'active', '')),
    }),
    defineTool({
      name: 'get_goal',
      risk: 'read',
      description: 'Shows the goal of this session.',
      input: z.object({}),
      label: () => '',
      run: async (_input, context) =>
        success((await currentGoal(context)) ?? '(there is no goal; create_goal sets one)'),
    }),
    defineTool({
      name: 'update_goal',
      risk: 'read',
      description: 'Says how the goal of this session stands.',
      input: z.object({
        status: z.enum(statuses),
        note: z.string().max(1000).default('').describe('Why, in one line'),
      }),
      label: ({ status, note }) => [status, note].filter(Boolean).join(': '),
      run: async ({ status, note }, context) => {
        const goal = /^goal: (.*)$/m.exec((await currentGoal(context)) ?? '')?.[1];
        if (goal === undefined) return failure('there is no goal yet; create_goal sets one');
        return success(goalText(goal, status, cleanLine(note, 1000)));
      },
    }),
  ];
}

function goalText(objective: string, status: (typeof statuses)[number], note: string): string {
  return [`goal: ${objective}`, `status: ${status}`, ...(note === '' ? [] : [`note: ${note}`])].join('\n');
}

async function currentGoal({ session }: ToolContext): Promise<string | undefined> {
  const rows = await session.events();
  const last = rows.findLast(
    (row) => row.kind === 'tool-result' && /^(?:create|update)_goal$/.test(row.body.tool) && row.body.ok,
  );
  return last?.kind === 'tool-result' ? last.body.output : undefined;
}
