import type { CheckResult, GateActivities, GateInput } from '../../domain/contracts/activities.ts';
import type { CheckRecord, RunRecord, Store } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { gateNames } from '../../domain/ralph/prd.ts';
import { attemptId } from '../../domain/run/ids.ts';
import type { CheckVerdict, NewRunEvent } from '../../domain/run/events.ts';
import { startOutputLines } from '../model/output-lines.ts';
import { worktreeEnvironment } from '../process/environment.ts';
import type { CommandResult, RunCommand } from '../process/run-command.ts';
import { cleanLine, plainText } from '../tools/output-text.ts';
import { requireRun, requireStory } from '../workspace/deps.ts';
import type { Repositories } from '../workspace/repository.ts';
import { snapshotTree } from '../workspace/snapshot.ts';
import { isNoWorse, type RedGate } from './compare.ts';
import { inspectChange } from './inspect-change.ts';
import { findPlace, type Place } from './place.ts';
import { longestSummary, summarise } from './summarise.ts';
import { runStep } from './verification-steps.ts';

export interface GateDeps {
  readonly store: Pick<
    Store,
    | 'getRun'
    | 'getStory'
    | 'getWorkspace'
    | 'recordCheck'
    | 'referenceCheck'
    | 'putBlob'
    | 'getBlob'
    | 'appendRunEvents'
  >;
  /** The same as the workspace activities': baseline and merge lane use one worktree. */
  readonly repositories: Repositories;
  readonly runCommand: RunCommand;
  /** Of the activity that is running: aborts when it is cancelled, which ends the gate's whole process group. */
  readonly cancellationSignal: () => AbortSignal;
  /** For one gate or one verification step; default 15 minutes. */
  readonly timeoutMs?: number;
}

const outputLineIntervalMs = 250;

type CheckOf = Pick<CheckRecord, 'runId' | 'storyId' | 'attempt' | 'where' | 'name'>;

/** A check's outcome is always a result; throws only the signal's reason, and `workspace-failed` when there is nothing to check. */
export function createGateActivities(deps: GateDeps) {
  const timeoutMs = deps.timeoutMs ?? 15 * 60_000;

  return {
    inspectChange: (input) => inspectChange(deps, input),

    async runGate(input) {
      const signal = deps.cancellationSignal();
      const run = await requireRun(deps.store, input.runId);
      const command = gateCommand(run, input.gate);
      if (command === undefined) return goneGate;
      const place = await findPlace(deps, run, input);
      const check = checkOf(input, input.gate);
      const lines = watchOutput(deps, check);
      const runOnce = () =>
        deps.runCommand({
          command,
          cwd: place.folder,
          env: worktreeEnvironment(place.folder),
          timeoutMs,
          signal,
          onLine: lines.add,
        });
      const first = await runOnce();
      if (first.aborted) signal.throwIfAborted();
      const again = isGreen(first) || (await treeNow(deps, place)) !== place.tree ? undefined : await runOnce();
      await lines.end();
      if (again?.aborted === true) signal.throwIfAborted();
      const red = { exitCode: isGreen(first) ? 0 : first.exitCode === 0 ? null : first.exitCode, output: first.output };
      const verdict = isGreen(first)
        ? 'ok'
        : again !== undefined && isGreen(again)
          ? 'flaky'
          : (await isRedAsBefore(deps, { check, command, red }))
            ? 'red-as-before'
            : 'red';
      const summary = cleanLine(
        `${verdictWords[verdict]}${summarise({ ...first, exitCode: red.exitCode }, timeoutMs)}`,
        longestSummary,
      );
      const log =
        verdict === 'flaky'
          ? `── first run: red\n${first.output.trimEnd()}\n── second run on the same files: green\n${again?.output ?? ''}`
          : first.output;
      return await record(
        { deps, run, place, check, command, log },
        { ok: verdict === 'ok', verdict, exitCode: red.exitCode, durationMs: first.durationMs, summary },
      );
    },

    async runVerification(input) {
      const signal = deps.cancellationSignal();
      const [run, { story }] = await Promise.all([
        requireRun(deps.store, input.runId),
        requireStory(deps.store, input),
      ]);
      const place = await findPlace(deps, run, input);
      const check = checkOf(input, 'verification');
      const lines = watchOutput(deps, check);
      const startedAt = performance.now();
      const reasons: string[] = [];
      const logs: string[] = [];
      for (const [index, step] of story.verificationSteps.entries()) {
        signal.throwIfAborted();
        const number = index + 1;
        const { reason, log } = await runStep(step, {
          boundary: { root: place.folder, mainCheckout: run.repoPath },
          runCommand: deps.runCommand,
          env: worktreeEnvironment(place.folder),
          timeoutMs,
          signal,
          onLine: lines.add,
        });
        if (reason !== null) reasons.push(`step ${number}: ${reason}`);
        const title = step.name === undefined ? '' : ` ${step.name}`;
        logs.push(`── step ${number}${title}\n${log.trimEnd()}\n${reason === null ? 'ok' : `failed: ${reason}`}\n`);
      }
      await lines.end();
      const ok = reasons.length === 0;
      const durationMs = Math.round(performance.now() - startedAt);
      const verdict: CheckVerdict = ok ? 'ok' : 'red';
      const result = { ok, verdict, exitCode: ok ? 0 : 1, durationMs, summary: joinReasons(reasons) };
      return await record({ deps, run, place, check, command: 'verification steps', log: logs.join('\n') }, result);
    },
  } satisfies GateActivities;
}

/** What stands before the summary of a gate that is not plainly green or red. */
const verdictWords: { readonly [verdict in CheckVerdict]: string } = {
  ok: '',
  red: '',
  flaky: 'red, then green on the same files: ',
  'red-as-before': 'no worse than before the story: ',
};

function isGreen(result: CommandResult): boolean {
  return result.exitCode === 0 && !result.timedOut;
}

/** What a gate leaves behind can make its second run another one, which then says nothing. */
function treeNow({ repositories }: GateDeps, { worktree }: Place): Promise<string> {
  return snapshotTree(repositories.git, worktree);
}

async function isRedAsBefore(
  { store }: GateDeps,
  { check, command, red }: { readonly check: CheckOf; readonly command: string; readonly red: RedGate },
): Promise<boolean> {
  if (check.where === 'baseline') return false;
  const reference = await store.referenceCheck(check.runId, check.name, check.where);
  if (reference === undefined || reference.command !== command) return false;
  if (reference.verdict !== 'red' && reference.verdict !== 'red-as-before') return false;
  const output = await store.getBlob(reference.log);
  return output !== undefined && isNoWorse(red, { exitCode: reference.exitCode, output });
}

/** Undefined for a gate that was taken out of the PRD while the run goes on. */
function gateCommand(run: RunRecord, gate: string): string | undefined {
  const name = gateNames.find((known) => known === gate);
  if (name === undefined) throw new CodetetherError('prd-invalid', `There is no gate ${gate}.`);
  const command = run.prd.qualityChecks[name];
  return command === undefined || command.trim() === '' ? undefined : command;
}

const goneGate: CheckResult = {
  ok: true,
  verdict: 'ok',
  exitCode: 0,
  durationMs: 0,
  summary: 'the PRD has this gate no more',
};

function checkOf(input: Omit<GateInput, 'gate'>, name: string): CheckOf {
  const { runId, where } = input;
  return { runId, where, name, storyId: input.storyId ?? null, attempt: input.attempt ?? null };
}

/** Shows the newest line of output beside the story; gates belong to no step of the agent and have number 0. */
function watchOutput(deps: GateDeps, check: CheckOf): { readonly add: (line: string) => void; end(): Promise<void> } {
  const { runId, storyId, attempt } = check;
  if (storyId === null || attempt === null) return { add: () => {}, end: async () => {} };
  const started = Date.now();
  const lines = startOutputLines({
    intervalMs: outputLineIntervalMs,
    async append(line, number) {
      const key = `${checkKey(check)}:out:${started}-${number}`;
      await deps.store.appendRunEvents(runId, [
        { key, kind: 'step-output', storyId, attempt, body: { step: 0, line: cleanLine(line, 200) } },
      ]);
    },
  });
  return {
    add: (line) => {
      lines.add(`${line}\n`);
    },
    end: () => lines.end(),
  };
}

async function record(
  of: {
    readonly deps: GateDeps;
    readonly run: RunRecord;
    readonly place: Place;
    readonly check: CheckOf;
    readonly command: string;
    readonly log: string;
  },
  result: CheckResult,
): Promise<CheckResult> {
  const { store } = of.deps;
  const { runId } = of.check;
  const log = await store.putBlob(plainText(of.log));
  await store.recordCheck({
    ...of.check,
    ...result,
    command: of.command,
    tree: of.place.tree,
    commit: of.place.commit,
    log,
  });
  await store.appendRunEvents(runId, [endedEvent(of, result)]);
  return result;
}

/** The same result for the same files is one event, so that a repeated activity does not show twice. */
function endedEvent(
  of: { readonly run: RunRecord; readonly place: Place; readonly check: CheckOf },
  result: CheckResult,
): NewRunEvent {
  const { check, place, run } = of;
  const body = { gate: check.name, ...result };
  const key = `${checkKey(check)}:${run.execution}:${place.tree}:${result.verdict}`;
  if (check.where === 'baseline') return { key, kind: 'baseline-gate-ended', body };
  const { storyId, attempt, where } = check;
  return {
    key,
    kind: 'gate-ended',
    body: { ...body, where },
    ...(storyId === null ? {} : { storyId }),
    ...(attempt === null ? {} : { attempt }),
  };
}

function checkKey({ runId, storyId, attempt, where, name }: CheckOf): string {
  const owner = storyId === null || attempt === null ? runId : attemptId(runId, storyId, attempt);
  return `${owner}:${where}:${name}`;
}

/** All reasons in one summary: each gets its share of the room. */
function joinReasons(reasons: readonly string[]): string {
  const share = Math.max(40, Math.floor(longestSummary / Math.max(1, reasons.length)) - 2);
  const fits = reasons.join('; ').length <= longestSummary;
  return cleanLine((fits ? reasons : reasons.map((reason) => cleanLine(reason, share))).join('; '), longestSummary);
}
