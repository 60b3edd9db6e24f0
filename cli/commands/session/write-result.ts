import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CodetetherError } from '../../../domain/errors.ts';
import type { RunEventBody } from '../../../domain/run/events.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { print } from '../ralph/context.ts';
import type { Context } from '../ralph/context.ts';
import type { SayOptions } from './say.ts';

/** The answer: to a file where one is named, else to stdout. NDJSON has printed it already. */
export async function writeResult(
  { cwd, stdout }: Context,
  { sessionId, body }: { readonly sessionId: string; readonly body: RunEventBody<'turn-ended'> },
  { outputFormat, output }: Pick<SayOptions, 'outputFormat' | 'output'>,
): Promise<void> {
  if (output !== undefined) {
    const file = resolve(cwd, output);
    await writeFile(file, `${body.text}\n`).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new CodetetherError('usage', `the answer could not be written to ${file}`, {
        problems: [reason],
        next: `It is kept: codetether sessions show ${sessionId}`,
      });
    });
  }
  if (outputFormat === 'json') {
    print(stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, sessionId, ...body }))]);
    return;
  }
  if (outputFormat === 'text' && output === undefined && body.text !== '') print(stdout, [body.text]);
}
