import { z } from 'zod';
import { defineTool, failure, type Tool } from './tool.ts';

const mostOptions = 8;
/** Characters of an option or a default. */
export const longestOption = 300;

/** What the model asks; the answer is told to it by `closeAsk`. */
export const QuestionArguments = z
  .object({
    question: z.string().trim().min(1).max(2_000).describe('With all that the person needs to answer it'),
    options: z
      .array(z.string().trim().min(1).max(longestOption))
      .min(2)
      .max(mostOptions)
      .optional()
      .describe('One of them is the answer; left out: the person answers in their own words'),
    default: z
      .string()
      .trim()
      .min(1)
      .max(longestOption)
      .optional()
      .describe('What you take when nobody answers; one of the options, where there are some'),
  })
  .refine(({ options }) => options === undefined || new Set(options).size === options.length, {
    path: ['options'],
    message: 'no two may be the same',
  })
  .refine(({ options, default: taken }) => options === undefined || taken === undefined || options.includes(taken), {
    path: ['default'],
    message: 'it is none of the options',
  });

/** Told to the model like any other tool; a person is asked by the workflow, see `ToolCallRef.asks`. */
export function createQuestionTool(): Tool {
  return defineTool({
    name: 'question',
    risk: 'read',
    description:
      'Asks the person you work for and waits for the answer, for a day if need be. Only what you cannot find out yourself and would be costly to get wrong. Nobody may be there: then you are told so, and decide.',
    input: QuestionArguments,
    label: ({ question }) => question,
    asks: 'question',
    run: async () => failure('a person is asked by a call of its own, not in a batch'),
  });
}
