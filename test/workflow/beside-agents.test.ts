import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ModelStepResult } from '../../domain/contracts/activities.ts';
import { agentPath } from '../../domain/run/ids.ts';
import type { AgentRequest } from '../../domain/session/agent-requests.ts';
import { FakeWorld, answers } from '../support/fake-world.ts';
import type { Behaviour } from '../support/fake-world.ts';
import { startWorkflowTestBench } from '../support/workflow-test-bench.ts';
import type { WorkflowTestBench } from '../support/workflow-test-bench.ts';

let bench: WorkflowTestBench;
beforeAll(async () => {
  bench = await startWorkflowTestBench();
});
afterAll(async () => {
  await bench.stop();
});

type Asked = AgentRequest | { readonly kind: 'agent'; readonly readsOnly: boolean };
/** One answer that asks for all of these, in order; their calls are `1a`, `1b`, `2a`, …, with the step's number. */
const asks = (step: number, ...requests: readonly Asked[]): ModelStepResult => ({
  kind: 'answered',
  stop: 'tool-calls',
  toolCalls: requests.map((request, index) => {
    const call = { id: `${step}${'abcdefgh'[index]}`, name: request.kind, risk: 'read', label: request.kind } as const;
    if (request.kind === 'agent') return { ...call, spawns: { readsOnly: request.readsOnly, maxSteps: 5 } };
    return { ...call, beside: request };
  }),
  usage: answers.finished.usage,
});
const spawn = (name: string, more: Partial<Extract<AgentRequest, { kind: 'spawn' }>> = {}): AgentRequest => ({
  kind: 'spawn',
  name,
  agent: 'explore',
  readsOnly: true,
  forks: false,
  ...more,
});
const wait = (name?: string): AgentRequest => ({
  kind: 'wait',
  timeoutMs: 10_000,
  ...(name === undefined ? {} : { name }),
});

type Models = Readonly<
  Record<string, (step: number, signal: AbortSignal) => ModelStepResult | Promise<ModelStepResult>>
>;

/** A world whose models are named by their agents; `main` is that of the session. */
function worldOf(models: Models, behaviour: Behaviour = {}): FakeWorld {
  return new FakeWorld([], {
    ...behaviour,
    model: async ({ sessionId, step }) => {
      const { Context } = await import('@temporalio/activity');
      const beat = setInterval(() => Context.current().heartbeat(), 200);
      const signal = Context.current().cancellationSignal;
      try {
        return (await models[agentPath(sessionId) ?? 'main']?.(step, signal)) ?? answers.finished;
      } finally {
        clearInterval(beat);
      }
    },
  });
}

/** Works until it is cancelled. */
const endless = async (_step: number, signal: AbortSignal): Promise<never> =>
  await new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });

const ended = async (world: FakeWorld): Promise<void> => {
  while (world.turnEnds.length === 0) await delay(20);
};
/** What was answered, told and written of agents, in order; not when their own workflows have begun. */
const lines = (world: FakeWorld) =>
  world.log.filter((line) => /^(?:agent|told|remind|deny|(?:\S+ )?\d[a-h])/.test(line) && !line.endsWith(' reads'));

async function turn(world: FakeWorld, historyName?: string, message: object = {}): Promise<void> {
  await bench.session(
    world,
    async ({ send }) => {
      await send({ messageId: 'm', ...message });
      await ended(world);
    },
    historyName,
  );
}

test('agents work beside the one that has started them, and are waited for one by one', async () => {
  const first = Promise.withResolvers<void>();
  const world = worldOf({
    main: (step) => {
      if (step === 1) return asks(1, spawn('scout'), spawn('clerk'), { kind: 'list' });
      if (step === 2) return asks(2, wait());
      if (step === 3) first.resolve();
      if (step === 3) return asks(3, wait('clerk'), wait(), { kind: 'list' });
      return answers.finished;
    },
    clerk: async () => {
      await first.promise;
      return answers.finished;
    },
  });
  await turn(world, 'beside');
  const told = lines(world).filter((line) => !line.startsWith('agent'));
  expect(told).toEqual([
    '1a: scout works now, and only reads. wait_agent gives its answer.',
    '1b: clerk works now, and only reads. wait_agent gives its answer.',
    expect.stringMatching(/^1c: scout \(explore\): \w+.*\nclerk \(explore\): works$/),
    '2a: [scout finished] At work: clerk.',
    '3a: [clerk finished] No agent works now.',
    '3b: No agent works now. All answers were given to you.',
    '3c: scout (explore): finished\nclerk (explore): finished',
  ]);
  expect(world.turnEnds[0]).toMatchObject({ outcome: 'completed', message: '' });
});

test('a wait without an answer ends after its time, and says who works', async () => {
  const waited = Promise.withResolvers<void>();
  const world = worldOf({
    main: (step) => {
      if (step === 1) return asks(1, spawn('scout'), { kind: 'wait', timeoutMs: 300 });
      waited.resolve();
      return step === 2 ? asks(2, wait()) : answers.finished;
    },
    scout: async () => {
      await waited.promise;
      return answers.finished;
    },
  });
  await turn(world);
  expect(lines(world)).toContain('1b: None has ended yet. At work: scout.');
  expect(lines(world)).toContain('2a: [scout finished] No agent works now.');
});

test('a message is told before the next step, also to an agent that was about to end', async () => {
  const begun = Promise.withResolvers<void>();
  const sent = Promise.withResolvers<void>();
  const world = worldOf({
    main: async (step) => {
      if (step === 1) return asks(1, spawn('scout'));
      if (step === 2) await begun.promise;
      if (step === 2) return asks(2, { kind: 'tell', name: 'scout' });
      if (step === 3) sent.resolve();
      if (step === 3) return asks(3, wait(), { kind: 'tell', name: 'scout' }, { kind: 'tell', name: 'nobody' });
      return answers.finished;
    },
    scout: async (step) => {
      if (step > 1) return answers.finished;
      begun.resolve();
      await sent.promise;
      return answers.finished;
    },
  });
  await turn(world, 'told');
  expect(lines(world)).toEqual([
    '1a: scout works now, and only reads. wait_agent gives its answer.',
    '2a: scout is told before its next step.',
    'told scout 2a',
    'agent :agent:scout.1a finished',
    '3a: [scout finished] No agent works now.',
    '3b refused: error: not done: scout has ended; followup_task gives it a further task',
    '3c refused: error: not done: there is no agent nobody; there are: scout',
  ]);
});

test('a message that an agent could not read any more is said to the one that has sent it', async () => {
  const closing = Promise.withResolvers<void>();
  const sent = Promise.withResolvers<void>();
  const world = worldOf(
    {
      main: async (step) => {
        if (step === 1) return asks(1, spawn('scout'));
        if (step === 2) await closing.promise;
        if (step === 2) return asks(2, { kind: 'tell', name: 'scout' });
        if (step === 3) sent.resolve();
        return step === 3 ? asks(3, wait()) : answers.finished;
      },
    },
    {
      closing: async () => {
        closing.resolve();
        await sent.promise;
      },
    },
  );
  await turn(world);
  expect(lines(world)).toContain('3a: [scout finished] Your last message came too late for scout. No agent works now.');
});

test('an agent that has ended is given a further task, with the same transcript and steps that go on', async () => {
  const steps: number[] = [];
  const world = worldOf({
    main: (step) => {
      if (step === 1) return asks(1, spawn('scout'), wait());
      if (step === 2) return asks(2, { kind: 'task', name: 'scout' }, wait());
      return answers.finished;
    },
    scout: (step) => {
      steps.push(step);
      return answers.finished;
    },
  });
  await turn(world, 'followed-up');
  expect(lines(world)).toEqual([
    expect.stringMatching(/^1a: /),
    'agent :agent:scout.1a finished',
    '1b: [scout finished] No agent works now.',
    expect.stringMatching(/^2a: scout works now/),
    'agent :agent:scout.1a finished',
    '2b: [scout finished] No agent works now.',
  ]);
  expect(steps).toEqual([1, 2]);
});

test('an interrupted agent has ended when the call is answered, and can go on', async () => {
  let calls = 0;
  const world = worldOf({
    main: (step) => {
      if (step === 1) return asks(1, spawn('scout'), spawn('clerk'));
      if (step === 2) return asks(2, { kind: 'interrupt', name: 'scout' }, { kind: 'interrupt', name: 'scout' });
      if (step === 3) return asks(3, { kind: 'task', name: 'scout' }, wait('scout'));
      return step === 4 ? asks(4, wait('clerk')) : answers.finished;
    },
    scout: async (step, signal) => (calls++ === 0 ? await endless(step, signal) : answers.finished),
  });
  await turn(world, 'agent-stopped');
  expect(
    lines(world)
      .filter((line) => /^\d/.test(line))
      .slice(2),
  ).toEqual([
    '2a: [scout interrupted] scout has ended. What it has changed is there.',
    '2b: scout has ended already.',
    expect.stringMatching(/^3a: scout works now/),
    expect.stringMatching(/^3b: \[scout finished\]/),
    '4a: [clerk finished] No agent works now.',
  ]);
  expect(lines(world)).toContain('agent :agent:scout.1a interrupted');
});

test('an agent that ends while others work is told once; when it ends all the same, they are interrupted and the turn says so', async () => {
  const world = worldOf({
    main: (step) => (step === 1 ? asks(1, spawn('scout'), spawn('clerk')) : answers.finished),
    scout: endless,
    clerk: endless,
  });
  await turn(world, 'left-alone');
  expect(lines(world).filter((line) => line.startsWith('remind'))).toEqual(['remind scout clerk;']);
  expect(world.log.filter((line) => line.startsWith('model main:1:'))).toContain('model main:1:3');
  expect(world.turnEnds[0]).toMatchObject({
    outcome: 'completed',
    message: 'interrupted, since they still worked: scout, clerk',
  });
});

test('four work at once; of agents that change files only one, whoever starts it', async () => {
  const build = { agent: 'build', readsOnly: false } as const;
  const world = worldOf({
    main: (step) => {
      if (step === 1) return asks(1, spawn('w', build), spawn('v', build), { kind: 'agent', readsOnly: false });
      if (step === 2) return asks(2, spawn('a'), spawn('b'), spawn('c'), spawn('d'), spawn('a'));
      return answers.finished;
    },
    ...Object.fromEntries(['w', 'a', 'b', 'c', 'd'].map((name) => [name, endless])),
  });
  await turn(world);
  const told = lines(world).filter((line) => /^(?:\d|deny)/.test(line));
  expect(told[0]).toMatch(/^1a: w works now in the same files as you: your calls and its calls run one at a time/);
  expect(told[1]).toMatch(/^1b refused: error: not done: w changes files already/);
  expect(told[2]).toMatch(/^deny main:1c w changes files already/);
  expect(told[6]).toMatch(/^2d refused: .*budget-exceeded \(agents\): 4 work already \(w, a, b, c\)/);
  expect(told[7]).toMatch(/^2e refused: .*there is an agent a already/);
});

test('plan mode does not begin while an agent beside changes files', async () => {
  const enter = { id: 'p', name: 'plan_enter', risk: 'read', label: 'plan' } as const;
  const world = worldOf({
    main: (step) => {
      if (step === 1) return asks(1, spawn('w', { agent: 'build', readsOnly: false }));
      if (step === 2) return { ...answers.finished, stop: 'tool-calls', toolCalls: [enter] };
      return answers.finished;
    },
    w: endless,
  });
  await turn(world);
  expect(world.log.filter((line) => line.startsWith('deny'))).toEqual([
    expect.stringContaining('w changes files already'),
  ]);
  expect(world.log.filter((line) => line.includes('plan_enter') && !line.startsWith('deny'))).toEqual([]);
});

test('what an agent may spend and do is what its starter and its own file allow', async () => {
  const calls: unknown[] = [];
  const world = new FakeWorld([], {
    agent: (name) =>
      name === 'auditor'
        ? { kind: 'found', rules: { tools: ['read', 'bash'] }, maxSteps: 2, model: 'scripted/other', prompt: 'blob' }
        : undefined,
    model: ({ sessionId, step, tools, shares, readsOnly }) => {
      const path = agentPath(sessionId);
      if (path !== undefined) {
        calls.push({ path, tools, readsOnly, shares: shares?.map(({ maxCostUsd }) => maxCostUsd) });
        return answers.reads;
      }
      const custom = { kind: 'spawn', name: 'a', agent: 'auditor', maxCostUsd: 0.5, forks: false } as const;
      if (step === 1) return asks(1, custom, { ...custom, name: 'b', agent: 'nobody' }, wait('a'));
      return answers.finished;
    },
  });
  await turn(world, undefined, { tools: ['spawn', 'wait', 'read', 'write'] });
  expect(calls[0]).toEqual({ path: 'a', tools: ['read'], readsOnly: undefined, shares: [0.5] });
  expect(calls).toHaveLength(2);
  expect(lines(world)).toContain('1b refused: error: not done: there is no agent nobody');
  expect(lines(world)).toContain('1c: [a max-steps] No agent works now.');
});

test('an agent that somebody ends in the engine is told as failed, and the turn goes on', async () => {
  const begun = Promise.withResolvers<void>();
  const world = worldOf({
    main: (step) => (step === 1 ? asks(1, spawn('scout'), wait()) : answers.finished),
    scout: async (step, signal) => {
      begun.resolve();
      return await endless(step, signal);
    },
  });
  await bench.session(world, async ({ send, sessionId }) => {
    await send({ messageId: 'm' });
    await begun.promise;
    await bench.engine.client.workflow.getHandle(`${sessionId}:agent:scout.1a`).terminate('by hand');
    await ended(world);
  });
  expect(lines(world)).toContainEqual(expect.stringMatching(/^agent :agent:scout.1a failed it was ended: /));
  expect(lines(world)).toContain('1b: [scout failed] No agent works now.');
  expect(world.turnEnds[0]?.outcome).toBe('completed');
});

test('an interruption of the turn ends the agents beside it before the turn ends', async () => {
  const begun = Promise.withResolvers<void>();
  const world = worldOf({
    main: () => asks(1, spawn('scout'), wait()),
    scout: () => asks(1, spawn('helper'), wait()),
    'scout/helper': async (step, signal) => {
      if (step === 1) return asks(1, spawn('deeper'));
      begun.resolve();
      return await endless(step, signal);
    },
  });
  await bench.session(world, async ({ send, handle }) => {
    await send({ messageId: 'm' });
    await begun.promise;
    await handle().executeUpdate('interrupt');
    await ended(world);
  });
  expect(lines(world)).toContainEqual(expect.stringMatching(/^scout\/helper 1a refused: .*budget-exceeded \(depth\)/));
  expect(world.log.slice(-3)).toEqual([
    'agent :agent:scout.1a:agent:helper.1a interrupted',
    'agent :agent:scout.1a interrupted',
    'turn m ended cancelled',
  ]);
});

test('hooks of the turn run around the calls of agents that it starts, and can deny them', async () => {
  const hooked = new Set<string>();
  const world = worldOf(
    {
      main: (step) =>
        step === 1 ? asks(1, spawn('scout', { agent: 'build', readsOnly: false }), wait()) : answers.finished,
      scout: (step) => (step === 1 ? answers.bash : answers.finished),
    },
    {
      hook: (event, { sessionId }) => {
        hooked.add(`${event} ${agentPath(sessionId) ?? 'main'}`);
        return event === 'before-tool' && agentPath(sessionId) === 'scout' ? 'no' : undefined;
      },
    },
  );
  await turn(world, 'hooked-agent', { hooks: { settings: 'blob', points: ['before-tool:bash', 'after-tool:spawn'] } });
  expect([...hooked]).toEqual(['after-tool main', 'before-tool scout']);
  expect(lines(world)).toContain('deny main:b no');
  expect(world.log.some((line) => line.startsWith('tool '))).toBe(false);
});

test('what a person says to the one that waits is told at once', async () => {
  const said = Promise.withResolvers<void>();
  const world = worldOf({
    main: (step) => {
      if (step === 1) return asks(1, spawn('scout'), { kind: 'wait', timeoutMs: 3_600_000 });
      if (step === 2) said.resolve();
      return answers.finished;
    },
    scout: async () => {
      await said.promise;
      return answers.finished;
    },
  });
  await bench.session(world, async ({ send, handle }) => {
    await send({ messageId: 'm' });
    while (!world.log.some((line) => line.startsWith('1a: '))) await delay(20);
    await delay(500);
    await handle().executeUpdate('steer', { args: [{ nudgeId: 'n', text: 'hurry' }] });
    await ended(world);
  });
  expect(lines(world)).toContain('1b: Somebody has said something to you. At work: scout.');
  expect(world.log).toContain('nudge main hurry');
});

test('after a stop the agents of a story finish their steps and end, and so does the story', async () => {
  const begun = Promise.withResolvers<void>();
  const world = new FakeWorld([{ id: 'A' }], {
    model: async ({ sessionId, step }) => {
      if (agentPath(sessionId) === undefined) return step === 1 ? asks(1, spawn('scout'), wait()) : answers.finished;
      if (step === 3) begun.resolve();
      await delay(100);
      return answers.reads;
    },
  });
  const result = await bench.run(world, {}, async (run) => {
    await begun.promise;
    await run.handle.executeUpdate('stop');
    return await run.result;
  });
  expect(result).toMatchObject({ outcome: 'stopped' });
  expect(world.log.some((line) => /scout\.1a stopped/.test(line))).toBe(true);
});

test("a story's gates run when nothing writes any more", async () => {
  const world = new FakeWorld([{ id: 'A' }], {
    model: async ({ sessionId, step }) => {
      if (agentPath(sessionId) === undefined)
        return step === 1 ? asks(1, spawn('w', { agent: 'build', readsOnly: false })) : answers.finished;
      const { Context } = await import('@temporalio/activity');
      const beat = setInterval(() => Context.current().heartbeat(), 200);
      return await endless(1, Context.current().cancellationSignal).finally(() => clearInterval(beat));
    },
  });
  await bench.run(world, {}, async ({ result }) => await result, 'agents-of-story');
  const interrupted = world.log.findIndex((line) => line.endsWith('w.1a interrupted'));
  const gate = world.log.indexOf('gate workspace A:1');
  expect(interrupted).toBeGreaterThan(0);
  expect(gate).toBeGreaterThan(interrupted);
  expect(world.log).toContain('merge A:1');
});
