import { z } from 'zod';
import type { ToolRisk } from '../../domain/contracts/activities.ts';
import { changesNothing } from '../../domain/run/risk.ts';
import { limitText, maxOutputCharacters } from './output-text.ts';
import { defineTool, type Tool, type ToolCallDescription, type ToolContext, type ToolOutcome } from './tool.ts';

const maxCalls = 10;

export interface BatchedTools {
  readonly call: (name: string, rawArguments: unknown, context: ToolContext) => Promise<ToolOutcome>;
  readonly describe: (name: string, rawArguments: unknown) => ToolCallDescription;
}

const risks: readonly ToolRisk[] = ['read', 'network', 'write', 'shell'];

/** As dangerous as the most dangerous of its calls; a person is asked when one is asked about, and then about all. */
export function createBatchTool(tools: BatchedTools): Tool {
  const describeAll = (calls: readonly BatchedCall[]) => calls.map(({ tool, args }) => tools.describe(tool, args));
  return defineTool({
    name: 'batch',
    risk: 'shell',
    riskOf: ({ calls }) => {
      const found = new Set(describeAll(calls).map(({ risk }) => risk));
      return risks.findLast((risk) => found.has(risk)) ?? 'read';
    },
    ask: ({ calls }) => {
      const asked = describeAll(calls).flatMap(({ ask }) => (ask === undefined ? [] : [ask]));
      return asked.find((ask) => !ask.isSafe) ?? asked[0];
    },
    description:
      'Makes several tool calls at once, in order; neighbours that change nothing run side by side. Stops after a call that may change something and failed.',
    input: z.object({
      calls: z
        .array(
          z.object({
            tool: z
              .string()
              .min(1)
              .refine((name) => name !== 'batch', 'a batch holds no batch'),
            args: z.record(z.string(), z.unknown()).default({}),
          }),
        )
        .min(1)
        .max(maxCalls),
    }),
    label: ({ calls }) =>
      describeAll(calls)
        .map(({ label }) => label)
        .join(' · '),
    run: async ({ calls }, context) => {
      const outcomes: (ToolOutcome | undefined)[] = [];
      for (const group of groups(calls, tools)) {
        if (outcomes.some((outcome, index) => outcome?.ok === false && !isLook(calls[index], tools))) break;
        outcomes.push(...(await Promise.all(group.map(({ tool, args }) => tools.call(tool, args, context)))));
      }
      const room = Math.floor((maxOutputCharacters - 1000) / calls.length) - 200;
      const parts = calls.map((call, index) => {
        const outcome = outcomes[index];
        const { label } = tools.describe(call.tool, call.args);
        if (outcome === undefined) return `── ${index + 1} ${label}\nnot run: a call before it failed`;
        const output = limitText(outcome.output, { maxCharacters: room, advice: 'make this call alone' });
        return `── ${index + 1} ${label}${outcome.ok ? '' : ' (failed)'}\n${output}`;
      });
      return {
        ok: calls.every((_, index) => outcomes[index]?.ok === true),
        output: parts.join('\n'),
        changedFiles: outcomes.flatMap((outcome) => outcome?.changedFiles ?? []),
        commands: outcomes.flatMap((outcome) => outcome?.commands ?? []),
      };
    },
  });
}

interface BatchedCall {
  readonly tool: string;
  readonly args: Record<string, unknown>;
}

function isLook(call: BatchedCall | undefined, tools: BatchedTools): boolean {
  return call !== undefined && changesNothing(tools.describe(call.tool, call.args).risk);
}

function groups(calls: readonly BatchedCall[], tools: BatchedTools): BatchedCall[][] {
  const found: BatchedCall[][] = [];
  for (const call of calls) {
    const last = found.at(-1);
    if (isLook(call, tools) && isLook(last?.[0], tools)) last?.push(call);
    else found.push([call]);
  }
  return found;
}
