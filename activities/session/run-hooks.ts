import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { RunHooksInput, SessionActivities } from '../../domain/contracts/activities.ts';
import type { BlobStore, EffectStore, RunStore, SessionStore } from '../../domain/contracts/store.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { hookKey, whoseStep } from '../../domain/run/ids.ts';
import { TurnHooks, hooksFor, judgeHook } from '../../domain/session/hooks.ts';
import type { Hook, HookEnd } from '../../domain/session/hooks.ts';
import type { SessionEvent } from '../../domain/session/transcript.ts';
import { untilStored } from '../model/until-stored.ts';
import type { RunCommand } from '../process/run-command.ts';
import { cleanLine, limitText, plainText, tailText } from '../tools/output-text.ts';

export interface HookDeps {
  readonly store: Pick<EffectStore, 'beginEffect' | 'settleEffect'> &
    Pick<BlobStore, 'getBlob'> &
    Pick<SessionStore, 'readSession' | 'appendSessionEvents'> &
    Pick<RunStore, 'appendRunEvents'>;
  readonly runCommand: RunCommand;
  /** A private folder for what hooks are given to read. */
  readonly inputFolder: string;
  /** Of the activity that is running: aborts when it is cancelled. */
  readonly cancellationSignal: () => AbortSignal;
}

const Ended = z.object({
  exitCode: z.number().nullable(),
  timedOut: z.boolean(),
  output: z.string(),
});

const maxSaid = 8_000;
const maxReason = 1_500;
const maxResult = 8_000;
/** Rows at the end of a transcript among which a call and its result are. */
const tail = 64;

/** See {@link SessionActivities.runHooks}. */
export function createRunHooks(deps: HookDeps): SessionActivities['runHooks'] {
  const { store } = deps;
  return async (input) => {
    const { event, sessionId, step } = input;
    const blob = await store.getBlob(input.hooks);
    if (blob === undefined) throw new CodetetherError('internal', `the hooks ${input.hooks} are gone`);
    const { folder, hooks: settings } = TurnHooks.parse(JSON.parse(blob));
    const { rows, call } = await readCall(input);
    const about = JSON.stringify(inputOf(input, { folder, rows, call }));
    const what = [event, step, ...(input.callId === undefined ? [] : [input.callId])].join(':');
    for (const [index, hook] of hooksFor(settings, event, call?.tool).entries()) {
      const key = hookKey(sessionId, what, index);
      const verdict = judgeHook(event, await runOnce(input, { key, hook, folder, about }));
      const name = cleanLine(hook.command, 100);
      if (verdict.problem !== undefined) await warn(input, key, `the hook ${name} (${event}) ${verdict.problem}`);
      if (verdict.denies) {
        if (event === 'turn-end') {
          await warn(input, key, `the hook ${name} (turn-end) asks for one more round`);
          if (input.isLastRound !== true)
            await tell(
              input,
              key,
              `The hook \`${name}\` looked at the result and asks for one more round:\n\n${verdict.said}`,
            );
        }
        const reason = limitText(verdict.said, { maxCharacters: maxReason, advice: 'the hook can say less' });
        return { kind: 'denied', reason: `hook ${name}${reason === '' ? '' : `: ${reason}`}` };
      }
      if (event === 'session-start' && verdict.problem === undefined && verdict.said !== '')
        await tell(input, key, `Said by the hook \`${name}\` at the start of the session:\n\n${verdict.said}`);
    }
    return { kind: 'passed' };
  };

  /** The end of the transcript, or all of it where the call is not there. */
  async function readCall({ sessionId, callId }: RunHooksInput) {
    const rows = await store.readSession(sessionId, { last: tail });
    if (callId === undefined) return { rows, call: undefined };
    const near = callOf(rows, callId);
    if (near !== undefined) return { rows, call: near };
    const all = await store.readSession(sessionId);
    const call = callOf(all, callId);
    if (call === undefined) throw new CodetetherError('internal', `there is no tool call ${callId} for its hooks`);
    return { rows: all, call };
  }

  async function runOnce(
    input: RunHooksInput,
    {
      key,
      hook,
      folder,
      about,
    }: { readonly key: string; readonly hook: Hook; readonly folder: string; readonly about: string },
  ): Promise<HookEnd> {
    const signal = deps.cancellationSignal();
    signal.throwIfAborted();
    const file = join(deps.inputFolder, `${createHash('sha256').update(key).digest('hex')}.json`);
    const begun = await store.beginEffect({ key, runId: input.runId, storyId: input.storyId, kind: 'hook' });
    if (begun.kind === 'done') return { kind: 'ended', ...Ended.parse(begun.outcome) };
    if (begun.kind === 'unknown') {
      await rm(file, { force: true });
      return { kind: 'unknown' };
    }
    try {
      await mkdir(deps.inputFolder, { recursive: true, mode: 0o700 });
      await writeFile(file, about, { mode: 0o600 });
      const result = await deps.runCommand({
        // Commands have no stdin of their own: this one's is the file.
        command: ['/bin/sh', '-c', 'exec /bin/sh -c "$1" < "$2"', 'hook', hook.command, file],
        cwd: folder,
        env: { CI: '1', NO_COLOR: '1', TERM: 'dumb', CODETETHER_PROJECT: folder },
        timeoutMs: hook.timeoutSeconds * 1_000,
        signal,
      });
      if (result.aborted) throw signal.reason;
      const output = tailText(plainText(result.output).trim(), maxSaid);
      const outcome: z.output<typeof Ended> = { exitCode: result.exitCode, timedOut: result.timedOut, output };
      await untilStored(() => store.settleEffect(key, { state: 'done', outcome }), signal);
      return { kind: 'ended', ...outcome };
    } finally {
      await rm(file, { force: true });
    }
  }

  async function tell({ sessionId }: RunHooksInput, key: string, text: string): Promise<void> {
    await store.appendSessionEvents(sessionId, [{ key: `${key}:said`, kind: 'user', body: { text } }]);
  }

  async function warn({ runId, storyId, attempt }: RunHooksInput, key: string, message: string): Promise<void> {
    await store.appendRunEvents(runId, [
      { key: `${key}:warning`, kind: 'warning', storyId, attempt, body: { message } },
    ]);
  }
}

interface Call {
  readonly tool: string;
  readonly args: unknown;
  readonly result: { readonly ok: boolean; readonly output: string } | undefined;
}

function callOf(rows: readonly SessionEvent[], callId: string): Call | undefined {
  const calls = rows.flatMap((row) => (row.kind === 'assistant' ? row.body.toolCalls : []));
  const call = calls.findLast(({ id }) => id === callId);
  const result = rows.findLast((row) => row.kind === 'tool-result' && row.body.callId === callId);
  if (call === undefined) return undefined;
  return { tool: call.name, args: call.args, result: result?.kind === 'tool-result' ? result.body : undefined };
}

/**
 * What a hook reads: `{"event":"before-tool","session_id":"session:…","folder":"/home/me/todo","turn":1,"step":3,"tool":"bash","args":{"command":"npm test"}}`;
 * with `agent` where it is about a call of an agent that the session's has started;
 * after a call with `ok` and `output`, at the end of a turn with `answer`.
 */
function inputOf(
  { event, runId, sessionId, attempt, step }: RunHooksInput,
  about: { readonly folder: string; readonly rows: readonly SessionEvent[]; readonly call: Call | undefined },
): object {
  const { folder, rows, call } = about;
  const answer = rows.findLast((row) => row.kind === 'assistant');
  return {
    event,
    session_id: runId,
    ...whoseStep(sessionId),
    folder,
    turn: attempt,
    step,
    ...(call === undefined ? {} : { tool: call.tool, args: call.args }),
    ...(event !== 'after-tool' || call?.result === undefined
      ? {}
      : { ok: call.result.ok, output: tailText(call.result.output, maxResult) }),
    ...(event === 'turn-end' && answer !== undefined ? { answer: answer.body.text } : {}),
  };
}
