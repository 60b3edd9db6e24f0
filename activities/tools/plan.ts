import { z } from 'zod';
import { planTools } from '../../domain/session/plan-tools.ts';
import { cleanLine, plainText } from './output-text.ts';
import { defineTool, failure, success, type Tool } from './tool.ts';

const mostSteps = 50;

export const PlanExitArguments = z.object({
  summary: z
    .string()
    .trim()
    .min(1)
    .max(8_000)
    .describe('The plan as the person is to approve it: what is changed, in which order, and how it is checked'),
});

/** They keep nothing: whether an agent is in plan mode is read off the transcript, see `planOf`. */
export function createPlanTools(): readonly Tool[] {
  return [
    defineTool({
      name: planTools.enter,
      risk: 'read',
      isAlone: true,
      description:
        'Begins plan mode, for work that a person should agree to first: until plan_exit was approved, calls that change something are refused. Look around, work out the plan, then call plan_exit.',
      input: z.object({
        goal: z.string().trim().min(1).max(4_000).describe('What is to be reached'),
        steps: z
          .array(z.string().trim().min(1).max(1_000))
          .max(mostSteps)
          .default([])
          .describe('As far as you know them'),
      }),
      label: ({ goal }) => goal,
      run: async ({ goal, steps }) =>
        success(
          [
            `plan mode: ${cleanLine(goal, 4_000)}`,
            ...steps.map((step, index) => `${index + 1}. ${plainText(step)}`),
            'Calls that change something are refused until plan_exit was approved.',
          ].join('\n'),
        ),
    }),
    defineTool({
      name: planTools.exit,
      risk: 'read',
      description:
        'Shows your plan to the person and ends plan mode when they approve it. Denied, you are told why and go on planning.',
      input: PlanExitArguments,
      label: ({ summary }) => summary,
      asks: 'plan',
      run: async () => failure('a plan is shown by a call of its own, not in a batch'),
    }),
  ];
}
