import { glob, stat } from 'node:fs/promises';
import path from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';
import type { VerificationStep } from '../../domain/ralph/prd.ts';
import type { RunCommand } from '../process/run-command.ts';
import { resolveWorkspacePath, type WorkspaceBoundary } from '../tools/workspace-path.ts';
import { summarise } from './summarise.ts';

export interface StepContext {
  readonly boundary: WorkspaceBoundary;
  readonly runCommand: RunCommand;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

export interface StepResult {
  /** Why the step failed; null when it did not. */
  readonly reason: string | null;
  /** What the step did and got, for the log. */
  readonly log: string;
}

/**
 * Runs one verification step of a story. Files and folders are looked for in the workspace only, links followed. Throws
 * the signal's reason when aborted; everything else that goes wrong is the step's failure.
 */
export async function runStep(step: VerificationStep, context: StepContext): Promise<StepResult> {
  try {
    switch (step.type) {
      case 'shell':
        return await runShellStep(step, context);
      case 'file_exists':
        return await runFileStep(step, context);
      case 'url':
        return await runUrlStep(step, context);
    }
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof CodetetherError && error.code === 'path-outside-workspace') return failed(error.message);
    throw error;
  }
}

async function runShellStep(
  step: Extract<VerificationStep, { type: 'shell' }>,
  context: StepContext,
): Promise<StepResult> {
  const folder = await resolveWorkspacePath(context.boundary, step.cwd ?? '.', 'read');
  if (!(await isFolder(folder.absolute))) return failed(`there is no folder ${folder.relative}`);
  const result = await context.runCommand({
    command: step.command,
    cwd: folder.absolute,
    env: context.env,
    timeoutMs: context.timeoutMs,
    signal: context.signal,
    onLine: context.onLine,
  });
  if (result.aborted) context.signal.throwIfAborted();
  const log = `$ ${step.command}\n${result.output}`;
  if (result.exitCode !== 0) return { reason: `${step.command}: ${summarise(result, context.timeoutMs)}`, log };
  const missing = step.expectOutputContains.find((text) => !result.output.includes(text));
  if (missing !== undefined) return { reason: `the output does not contain ${JSON.stringify(missing)}`, log };
  for (const pattern of step.expectFilesGlob) {
    const reason = await globFailure(context.boundary, folder.absolute, pattern);
    if (reason !== null) return { reason, log };
  }
  return { reason: null, log };
}

async function runFileStep(
  step: Extract<VerificationStep, { type: 'file_exists' }>,
  context: StepContext,
): Promise<StepResult> {
  if (step.glob) {
    const reason = await globFailure(context.boundary, context.boundary.root, step.path);
    return { reason, log: reason ?? `there is a file ${step.path}` };
  }
  const file = await resolveWorkspacePath(context.boundary, step.path, 'read');
  const found = await stat(file.absolute).catch(() => undefined);
  return found === undefined ? failed(`there is no file ${step.path}`) : { reason: null, log: `${step.path} exists` };
}

async function globFailure(boundary: WorkspaceBoundary, folder: string, pattern: string): Promise<string | null> {
  if (path.isAbsolute(pattern) || pattern.split('/').includes('..')) return `${pattern} leads out of the workspace`;
  for await (const match of glob(pattern, { cwd: folder })) {
    if (await isInside(boundary, path.join(folder, match))) return null;
  }
  return `no file matches ${pattern}`;
}

async function isInside(boundary: WorkspaceBoundary, file: string): Promise<boolean> {
  try {
    await resolveWorkspacePath(boundary, file, 'read');
    return true;
  } catch {
    // A link that leads out of the workspace is no file of the workspace.
    return false;
  }
}

const largestBodyBytes = 5 * 1024 * 1024;

async function runUrlStep(step: Extract<VerificationStep, { type: 'url' }>, context: StepContext): Promise<StepResult> {
  const request = `${step.method} ${step.url}`;
  try {
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(step.timeoutSecs * 1000)]);
    const response = await fetch(step.url, { method: step.method, signal });
    const body = await readBody(response);
    const log = `${request}\n${response.status}\n${body.slice(0, 20_000)}`;
    if (response.status !== step.expectStatus) {
      return { reason: `${request} answered ${response.status}, not ${step.expectStatus}`, log };
    }
    const missing = step.expectBodyContains.find((text) => !body.includes(text));
    if (missing === undefined) return { reason: null, log };
    return { reason: `${request}: the body does not contain ${JSON.stringify(missing)}`, log };
  } catch (error) {
    context.signal.throwIfAborted();
    return failed(`${request}: ${fetchFailure(error, step.timeoutSecs)}`);
  }
}

async function readBody(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= largestBodyBytes) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}

function fetchFailure(error: unknown, timeoutSecs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${timeoutSecs} s`;
  const { cause } = error;
  if (cause instanceof Error) return 'code' in cause ? `${String(cause.code)} ${cause.message}`.trim() : cause.message;
  return error.message;
}

function failed(reason: string): StepResult {
  return { reason, log: reason };
}

async function isFolder(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined))?.isDirectory() === true;
}
