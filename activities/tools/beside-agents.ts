import { z } from 'zod';
import { besideName } from '../../domain/session/agent-requests.ts';
import { AgentName, builtInAgents, isBuiltInAgent } from '../../domain/session/agents.ts';
import { defineTool, failure, type Tool } from './tool.ts';

const mostSteps = 100;
const message = z.string().min(1).max(20_000);
const name = besideName.describe('The task_name that you gave it');

/** In a batch there is no workflow that could answer. */
const notHere = async () => failure('a call about other agents is made by itself, not in a batch');

/**
 * Told to the model like any other tool; what they ask for is done by the workflow, see `ToolCallRef.beside`. All have the risk of
 * `spawn_agent`, so that an agent that only reads is told of none of them, as of `agent`.
 */
export function createBesideAgentTools(): readonly Tool[] {
  return [
    defineTool({
      name: 'spawn_agent',
      risk: 'shell',
      riskOf: ({ agent }) => (isBuiltInAgent(agent) && builtInAgents[agent].readsOnly ? 'read' : 'shell'),
      description:
        'Starts another agent that works beside you, in the same files, and returns at once. wait_agent gives its answer. Four work at once, of those that change files one.',
      input: z.object({
        task_name: besideName.describe('What you call it'),
        message: message.describe('What it is to do, and what its answer is to tell'),
        agent: AgentName.default('explore').describe('explore: it only reads; build; or one of the user'),
        fork_turns: z
          .enum(['none', 'all'])
          .default('none')
          .describe('all: it knows what was said so far; none: only the message'),
        max_steps: z.number().int().min(1).max(mostSteps).optional().describe('Model calls'),
        max_cost: z.number().positive().optional().describe('US dollars, of those that are left'),
      }),
      label: ({ task_name: called, agent }) => `${called} (${agent})`,
      beside: ({ task_name: called, agent, fork_turns: fork, max_steps: maxSteps, max_cost: maxCostUsd }) => ({
        kind: 'spawn',
        name: called,
        agent,
        ...(isBuiltInAgent(agent) ? { readsOnly: builtInAgents[agent].readsOnly } : {}),
        ...(maxSteps === undefined ? {} : { maxSteps }),
        ...(maxCostUsd === undefined ? {} : { maxCostUsd }),
        forks: fork === 'all',
      }),
      run: notHere,
    }),
    defineTool({
      name: 'wait_agent',
      risk: 'shell',
      riskOf: () => 'read',
      description:
        'Waits until an agent that works beside you has ended, any or the named one, and gives its answer. Without one after the time it says who still works.',
      input: z.object({
        target: name.optional(),
        timeout_ms: z.number().int().min(10_000).max(3_600_000).default(30_000),
      }),
      label: ({ target }) => target ?? '',
      beside: ({ target, timeout_ms: timeoutMs }) => ({
        kind: 'wait',
        ...(target === undefined ? {} : { name: target }),
        timeoutMs,
      }),
      run: notHere,
    }),
    defineTool({
      name: 'list_agents',
      risk: 'shell',
      riskOf: () => 'read',
      description: 'The agents that were started beside you in this turn: who works, and what came of the others.',
      input: z.object({}),
      label: () => '',
      beside: () => ({ kind: 'list' }),
      run: notHere,
    }),
    defineTool({
      name: 'send_message',
      risk: 'shell',
      riskOf: () => 'read',
      description: 'Tells an agent that works beside you something; it reads it before its next step.',
      input: z.object({ target: name, message }),
      label: ({ target }) => target,
      beside: ({ target }) => ({ kind: 'tell', name: target }),
      run: notHere,
    }),
    defineTool({
      name: 'followup_task',
      risk: 'shell',
      description:
        'A further task for an agent beside you that has ended; it knows all that it has done so far. One that still works is told it before its next step.',
      input: z.object({ target: name, message: message.describe('What it is to do') }),
      label: ({ target }) => target,
      beside: ({ target }) => ({ kind: 'task', name: target }),
      run: notHere,
    }),
    defineTool({
      name: 'interrupt_agent',
      risk: 'shell',
      riskOf: () => 'read',
      description: 'Ends an agent that works beside you. What it has changed stays; followup_task lets it go on.',
      input: z.object({ target: name }),
      label: ({ target }) => target,
      beside: ({ target }) => ({ kind: 'interrupt', name: target }),
      run: notHere,
    }),
  ];
}
