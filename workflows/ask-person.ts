import type { AskInput } from '../domain/contracts/activities.ts';
import type { AgentLoop } from './agent-loop.ts';
import { projections } from './policies.ts';

/**
 * Asks a person what a tool call wants to know, and tells the model the answer as the call's result. What is asked lies in the
 * transcript until then. @returns whether it was approved; false also for what needs no approval
 */
export async function askPerson(
  { approver, control, onStep }: Pick<AgentLoop, 'approver' | 'control' | 'onStep'>,
  input: AskInput,
  summary: string,
): Promise<boolean> {
  const opened = await projections.openAsk.executeWithOptions({ summary }, [input]);
  if (opened.kind === 'settled') return false;
  onStep(input.step, `a person is asked: ${opened.question.question.slice(0, 200)}`);
  const startedAtMs = Date.now();
  const settlement = await approver.ask({ ...opened.question, storyId: input.storyId });
  if (control.stopping) return false;
  const durationMs = Math.max(0, Date.now() - startedAtMs);
  await projections.closeAsk.executeWithOptions({ summary: `${summary}: ${settlement.state}` }, [
    { ...input, settlement, durationMs },
  ]);
  return settlement.answer === 'approve';
}
