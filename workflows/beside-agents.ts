import { CancellationScope, condition } from '@temporalio/workflow';
import type { AgentRef, AnswerAgentCallInput, SpawnedAgent, ToolCallRef } from '../domain/contracts/activities.ts';
import { childSignals } from '../domain/contracts/ralph.ts';
import type { BesideAgent, SubAgentResult } from '../domain/contracts/session.ts';
import { maxAgentsAtOnce, maxNamedAgents } from '../domain/run/budget.ts';
import { besideSessionId } from '../domain/run/ids.ts';
import type { AgentRequest, SpawnRequest } from '../domain/session/agent-requests.ts';
import type { AgentRules } from '../domain/session/agents.ts';
import type { AgentLoop } from './agent-loop.ts';
import { isSpokenTo } from './control.ts';
import { activityError } from './failure.ts';
import { projections } from './policies.ts';
import { refusalOf, resultOf, startSubAgent } from './start-sub-agent.ts';
import type { SubAgentHandle } from './start-sub-agent.ts';

interface Working {
  readonly child: SubAgentHandle;
  /** Cancelling it ends the agent; it is within that of the loop. */
  readonly scope: CancellationScope;
  isInterrupted: boolean;
}

/** The call with a request. */
interface Asking {
  readonly starter: AgentLoop;
  readonly step: number;
  readonly callId: string;
}

type Answer = Pick<AnswerAgentCallInput, 'ok' | 'text'> & { readonly ended?: readonly BesideAgent[] };
const done = (text: string, ended: readonly BesideAgent[] = []): Answer => ({ ok: true, text, ended });
const refused = (reason: string): Answer => ({ ok: false, text: `error: not done: ${reason}` });

/**
 * The agents that work beside the one of a loop. Each is a workflow; a further task starts it anew, with the same transcript.
 * `working → ended → working …`; what came of a task is told once, by `wait_agent` or when it is interrupted.
 */
export class BesideAgents {
  readonly #loop: AgentLoop;
  /** By name, in the order of their start. */
  readonly #agents = new Map<string, BesideAgent>();
  readonly #working = new Map<string, Working>();
  #isReminded = false;

  constructor(loop: AgentLoop, agents: readonly BesideAgent[] = []) {
    this.#loop = loop;
    for (const agent of agents) this.#agents.set(agent.as.name, agent);
  }

  /** To go on from in a new execution, in which none works. */
  state(): readonly BesideAgent[] {
    return [...this.#agents.values()];
  }

  isAnyWorking(): boolean {
    return this.#working.size > 0;
  }

  async allEnded(): Promise<void> {
    await condition(() => !this.isAnyWorking());
  }

  /** Why the loop's agent may not start one now because of those that work; undefined: it may. */
  refusalOf({ readsOnly }: Pick<SpawnedAgent, 'readsOnly'>): string | undefined {
    const writer = [...this.#working.keys()].find((name) => this.#agents.get(name)?.readsOnly === false);
    if (readsOnly || writer === undefined) return undefined;
    return `${writer} changes files already, and only one agent beside you does at a time: wait_agent or interrupt_agent first`;
  }

  /** Does what a call asks for, and writes the call's result. @param starter the loop with the rules that bind its step */
  async answer(
    starter: AgentLoop,
    step: number,
    call: Pick<ToolCallRef, 'id' | 'label'> & { readonly beside: AgentRequest },
  ): Promise<void> {
    const startedAtMs = Date.now();
    const { ok, text, ended = [] } = await this.#do({ starter, step, callId: call.id }, call.beside);
    const { attempt, sessionId } = this.#loop;
    await projections.answerAgentCall.executeWithOptions({ summary: text.slice(0, 200) }, [
      {
        ...attempt,
        sessionId,
        step,
        callId: call.id,
        label: call.label,
        durationMs: Math.max(0, Date.now() - startedAtMs),
        ok,
        text,
        ended: ended.map((agent) => ({
          sessionId: this.#transcriptOf(agent),
          name: agent.as.name,
          end: agent.result?.end ?? 'failed',
          message: agent.result?.message ?? '',
        })),
      },
    ]);
    for (const agent of ended) this.#change(agent, { isTold: true });
  }

  /**
   * Tells the loop's agent, once, which agents still work and whose answers it has not looked at.
   * @returns whether there was anything to tell
   */
  async remind(step: number): Promise<boolean> {
    const working = [...this.#working.keys()];
    const unread = this.#unread().map(({ as }) => as.name);
    if (this.#isReminded || working.length + unread.length === 0) return false;
    this.#isReminded = true;
    const { sessionId } = this.#loop;
    await projections.remindOfAgents.executeWithOptions({ summary: `still at work: ${working.join(', ')}` }, [
      { sessionId, step, working, unread },
    ]);
    return true;
  }

  /**
   * Ends those that still work, and returns when they have ended, also when the loop is cancelled. After a stop they end by themselves,
   * as the loop's agent does.
   * @returns the names of those that were interrupted
   */
  async end(): Promise<readonly string[]> {
    return await CancellationScope.nonCancellable(async () => {
      const names = [...this.#working.keys()];
      if (!this.#loop.control.stopping) for (const name of names) this.#interrupt(name);
      await this.allEnded();
      return names.filter((name) => this.#agents.get(name)?.result?.end === 'interrupted');
    });
  }

  async #do(asking: Asking, request: AgentRequest): Promise<Answer> {
    switch (request.kind) {
      case 'spawn':
        return await this.#spawn(asking, request);
      case 'list':
        return done(this.state().map(lineOf).join('\n') || 'no agent was started in this turn');
      case 'wait':
        return await this.#wait(request);
      case 'tell':
      case 'task':
      case 'interrupt': {
        const agent = this.#agents.get(request.name);
        if (agent === undefined) return this.#unknown(request.name);
        if (request.kind === 'interrupt') return await this.#stop(agent);
        return await this.#tell(asking, { agent, mayStart: request.kind === 'task' });
      }
    }
  }

  async #spawn(asking: Asking, request: SpawnRequest): Promise<Answer> {
    const { name } = request;
    if (this.#agents.has(name))
      return refused(`there is an agent ${name} already; followup_task gives it a further task`);
    if (this.#agents.size >= maxNamedAgents)
      return refused(`budget-exceeded (agents): ${maxNamedAgents} were started; give one a followup_task`);
    const { callId } = asking;
    return await this.#start(asking, { as: request, callId, readsOnly: request.readsOnly === true, isTold: false });
  }

  async #start({ starter, step, callId }: Asking, agent: BesideAgent): Promise<Answer> {
    const { name, maxCostUsd, forks } = agent.as;
    if (this.#working.size >= maxAgentsAtOnce) {
      const names = [...this.#working.keys()].join(', ');
      return refused(
        `budget-exceeded (agents): ${maxAgentsAtOnce} work already (${names}): wait_agent or interrupt_agent first`,
      );
    }
    const found = await this.#lookUp(agent.as);
    if ('problem' in found) return refused(found.problem);
    const readsOnly = starter.readsOnly === true || found.rules.readsOnly === true;
    const reason = refusalOf(starter, { readsOnly: found.rules.readsOnly === true }) ?? this.refusalOf({ readsOnly });
    if (reason !== undefined) return refused(reason);

    const { result: _of, ...known } = agent;
    const begun: BesideAgent = { ...known, readsOnly, isTold: false };
    const ref: AgentRef = {
      ...this.#loop.attempt,
      sessionId: this.#transcriptOf(agent),
      parentSessionId: this.#loop.sessionId,
      step,
      callId,
    };
    const { rules, maxSteps, model, prompt } = found;
    const scope = new CancellationScope();
    const child = await scope.run(() =>
      startSubAgent(starter, {
        agent: ref,
        rules,
        maxSteps: agent.as.maxSteps ?? maxSteps,
        maxCostUsd,
        ...(model === undefined ? {} : { model }),
        beside: { agent: agent.as.agent, forks, ...(prompt === undefined ? {} : { prompt }) },
      }),
    );
    const working: Working = { child, scope, isInterrupted: false };
    this.#agents.set(name, begun);
    this.#working.set(name, working);
    // The end of an agent is seen to also when the loop is cancelled; it never fails but with the workflow.
    void CancellationScope.nonCancellable(() => this.#watch(begun, ref, working));
    return done(`${name} works now${readsOnly ? ', and only reads' : inSameFiles}. wait_agent gives its answer.`);
  }

  async #watch(agent: BesideAgent, ref: AgentRef, working: Working): Promise<void> {
    const isInterrupted = () => working.isInterrupted || working.scope.consideredCancelled;
    const result = await resultOf(this.#loop, working.child, { ...ref, isBeside: true, isInterrupted }).catch(asFailed);
    this.#change(agent, { result });
    this.#working.delete(agent.as.name);
  }

  async #lookUp({ agent, readsOnly }: SpawnRequest): Promise<FoundAgent | { readonly problem: string }> {
    if (readsOnly !== undefined) return { rules: { readsOnly }, maxSteps: usualSteps };
    const { host, attempt } = this.#loop;
    const found = await host.sessions.findAgent.executeWithOptions({ summary: `the agent ${agent}` }, [
      { ...attempt, agent },
    ]);
    return found.kind === 'found' ? found : { problem: found.message };
  }

  async #wait({ name, timeoutMs }: Extract<AgentRequest, { kind: 'wait' }>): Promise<Answer> {
    if (name !== undefined && !this.#agents.has(name)) return this.#unknown(name);
    const { control } = this.#loop;
    const isWorking = () => (name === undefined ? this.isAnyWorking() : this.#working.has(name));
    const ended = () =>
      name === undefined ? this.#unread() : this.state().filter(({ as }) => as.name === name && !isWorking());
    const isOver = () => ended().length > 0 || !isWorking();
    if (!isOver()) await condition(() => isOver() || control.stopping || isSpokenTo(control), timeoutMs);
    const still = [...this.#working.keys()];
    const rest = still.length === 0 ? 'No agent works now.' : `At work: ${still.join(', ')}.`;
    if (ended().length > 0) {
      const late = ended().filter(({ result }) => result?.isUntold === true);
      const said = late.map(({ as }) => `Your last message came too late for ${as.name}. `);
      return done(`${said.join('')}${rest}`, ended());
    }
    if (!isWorking()) return done(`${rest} All answers were given to you.`);
    return done(`${isSpokenTo(control) ? 'Somebody has said something to you.' : 'None has ended yet.'} ${rest}`);
  }

  async #tell(
    asking: Asking,
    { agent, mayStart }: { readonly agent: BesideAgent; readonly mayStart: boolean },
  ): Promise<Answer> {
    const { name } = agent.as;
    const working = this.#working.get(name);
    if (working === undefined) {
      if (mayStart) return await this.#start(asking, agent);
      return refused(`${name} has ended; followup_task gives it a further task`);
    }
    try {
      await working.child.signal(childSignals.agentMessage, { callId: asking.callId });
    } catch {
      // Its end is on its way here.
      await condition(() => !this.#working.has(name));
      return await this.#tell(asking, { agent: this.#agents.get(name) ?? agent, mayStart });
    }
    return done(`${name} is told before its next step.`);
  }

  async #stop(agent: BesideAgent): Promise<Answer> {
    const { name } = agent.as;
    if (!this.#working.has(name)) return done(`${name} has ended already.`);
    this.#interrupt(name);
    await condition(() => !this.#working.has(name));
    const ended = this.#agents.get(name);
    return done(`${name} has ended. What it has changed is there.`, ended === undefined ? [] : [ended]);
  }

  #interrupt(name: string): void {
    const working = this.#working.get(name);
    if (working === undefined) return;
    working.isInterrupted = true;
    working.scope.cancel();
  }

  #unread(): readonly BesideAgent[] {
    return this.state().filter(
      ({ as, result, isTold }) => result !== undefined && !isTold && !this.#working.has(as.name),
    );
  }

  #unknown(name: string): Answer {
    const names = [...this.#agents.keys()];
    return refused(
      `there is no agent ${name}; ${names.length === 0 ? 'none was started in this turn' : `there are: ${names.join(', ')}`}`,
    );
  }

  #transcriptOf({ as, callId }: BesideAgent): string {
    return besideSessionId(this.#loop.sessionId, { name: as.name, callId });
  }

  #change({ as }: BesideAgent, change: Partial<BesideAgent>): void {
    const agent = this.#agents.get(as.name);
    if (agent !== undefined) this.#agents.set(as.name, { ...agent, ...change });
  }
}

/** An end that cannot be written down is one all the same. */
function asFailed(error: unknown): SubAgentResult {
  const failure = activityError(error);
  if (failure === undefined) throw error;
  return { end: 'failed', message: failure.message.slice(0, 200) };
}

/** Of an agent that is built in. */
const usualSteps = 30;

interface FoundAgent {
  readonly rules: AgentRules;
  readonly maxSteps: number;
  readonly model?: string;
  readonly prompt?: string;
}

const inSameFiles =
  ' in the same files as you: your calls and its calls run one at a time, and each sees what the other has changed. Look before you change what it works on';

function lineOf({ as, result, isTold }: BesideAgent): string {
  const who = `${as.name} (${as.agent})`;
  if (result === undefined) return `${who}: works`;
  const why = result.message === '' ? '' : `, ${result.message}`;
  return `${who}: ${result.end}${why}${isTold ? '' : '; wait_agent gives its answer'}`;
}
