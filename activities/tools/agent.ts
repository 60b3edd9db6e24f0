import { z } from 'zod';
import { defineTool, failure, type Tool } from './tool.ts';

const mostSteps = 100;

/** Told to the model like any other tool; what it asks for is done by the workflow, see `ToolCallRef.spawns`. */
export function createAgentTool(): Tool {
  return defineTool({
    name: 'agent',
    risk: 'shell',
    riskOf: ({ agent }) => (agent === 'explore' ? 'read' : 'shell'),
    description:
      'Starts another agent with a task of its own, in the same files, and gives its answer. It knows nothing of this conversation: say all that it needs. Several calls at once work side by side; let only one of them change files.',
    input: z.object({
      task: z.string().min(1).max(20_000).describe('What it is to do, and what its answer is to tell'),
      agent: z.enum(['build', 'explore']).default('build').describe('explore: it only reads'),
      max_steps: z.number().int().min(1).max(mostSteps).default(30).describe('Model calls'),
      max_cost: z.number().positive().optional().describe('US dollars, of those that are left'),
    }),
    label: ({ task }) => task,
    spawns: ({ agent, max_steps: maxSteps, max_cost: maxCostUsd }) => ({
      readsOnly: agent === 'explore',
      maxSteps,
      ...(maxCostUsd === undefined ? {} : { maxCostUsd }),
    }),
    run: async () => failure('an agent is started by a call of its own, not in a batch'),
  });
}
