import { expect, test } from 'vitest';
import { createPlanTools } from '../../activities/tools/plan.ts';
import { createToolRegistry } from '../../activities/tools/registry.ts';
import { planOf } from '../../domain/session/plan-mode.ts';
import { said, transcript } from '../support/transcripts.ts';
import { toolContext } from '../support/tool-context.ts';

const enter = (output: string, ok = true) =>
  ({ kind: 'tool-result', body: { callId: output, tool: 'plan_enter', ok, output } }) as const;
const exit = (ok: boolean) =>
  ({ kind: 'tool-result', body: { callId: 'x', tool: 'plan_exit', ok, output: '' } }) as const;

test('plan mode lasts over turns until a plan was approved, and the newest plan counts', () => {
  const planning = [said.user('do it'), enter('plan mode: one'), said.user('more'), enter('plan mode: two')];
  expect(planOf(transcript(said.user('do it')))).toBeUndefined();
  expect(planOf(transcript(enter('error: no goal', false)))).toBeUndefined();
  expect(planOf(transcript(...planning))).toBe('plan mode: two');
  expect(planOf(transcript(...planning, exit(false), said.user('why?')))).toBe('plan mode: two');
  expect(planOf(transcript(...planning, exit(true)))).toBeUndefined();
  expect(planOf(transcript(...planning, exit(true), enter('plan mode: three')))).toBe('plan mode: three');
});

test('an undo and a redo carry plan mode with the rows they take away and bring back', () => {
  const rows = [said.user('plan it'), enter('plan mode: one'), said.user('go'), exit(true)];
  const undoGo = { kind: 'undo', body: { keepSeq: 2 } } as const;
  const undoAll = { kind: 'undo', body: { keepSeq: 1 } } as const;
  expect(planOf(transcript(...rows, undoGo))).toBe('plan mode: one');
  expect(planOf(transcript(...rows, undoGo, { kind: 'redo', body: {} }))).toBeUndefined();
  expect(planOf(transcript(...rows, undoAll))).toBeUndefined();
});

test('a plan is shown with its goal and numbered steps; the tools change nothing, so that agents that only read have them', async () => {
  const [planEnter] = createPlanTools();
  const { ok, output } =
    (await planEnter?.call({ goal: 'a\u001B[2J library', steps: ['look', 'write'] }, toolContext())) ?? {};
  expect(ok).toBe(true);
  expect(output).toBe(
    'plan mode: a library\n1. look\n2. write\nCalls that change something are refused until plan_exit was approved.',
  );
  expect(createPlanTools().map(({ risk }) => risk)).toEqual(['read', 'read']);
});

test('neither plan mode nor a question hides in a batch', async () => {
  const registry = createToolRegistry();
  const calls = [
    { tool: 'plan_enter', args: { goal: 'g' } },
    { tool: 'plan_exit', args: { summary: 's' } },
    { tool: 'question', args: { question: 'q?' } },
  ];
  expect(registry.describe('batch', { calls })).not.toHaveProperty('asks');
  const { ok, output } = await registry.call('batch', { calls }, toolContext());
  expect(ok).toBe(false);
  expect(output.match(/not in a batch|not one of a batch/g)).toHaveLength(3);
});
