import { z } from 'zod';
import { cleanLine } from './output-text.ts';
import { defineTool, success, type Tool } from './tool.ts';

const marks = { pending: '[ ]', in_progress: '[>]', completed: '[x]' } as const;

/** Keeps nothing: the list lives in the transcript, as the call and its result. */
export function createTodoWriteTool(): Tool {
  return defineTool({
    name: 'todowrite',
    risk: 'read',
    description:
      'Replaces your list of things to do for this story. Use it for work of three steps or more, and keep one item in progress.',
    input: z.object({
      todos: z
        .array(
          z.object({
            content: z.string().min(1).describe('What is to be done, in one line'),
            status: z.enum(['pending', 'in_progress', 'completed']),
          }),
        )
        .max(100)
        .describe('The whole list, in order'),
    }),
    label: ({ todos }) => {
      const done = todos.filter((todo) => todo.status === 'completed').length;
      const current = todos.find((todo) => todo.status === 'in_progress');
      return `${done}/${todos.length} done${current === undefined ? '' : `, now ${current.content}`}`;
    },
    run: async ({ todos }) => {
      if (todos.length === 0) return success('(the list is empty)');
      return success(todos.map((todo) => `${marks[todo.status]} ${cleanLine(todo.content, 300)}`).join('\n'));
    },
  });
}
