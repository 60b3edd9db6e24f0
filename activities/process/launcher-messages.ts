import type { LaunchExit, LaunchRequest } from './launch.ts';

/** What a launcher is asked, one line of JSON each. */
export interface LauncherRequest {
  readonly id: number;
  readonly request: LaunchRequest;
}

/** What a launcher answers, one line of JSON each: `started` or `failed`, then `exited`. */
export type LauncherAnswer =
  | { readonly id: number; readonly kind: 'started'; readonly pid: number }
  | { readonly id: number; readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly id: number; readonly kind: 'exited'; readonly exit: LaunchExit };

/** Calls back with each line. */
export function createMessageReader(onLine: (line: string) => void): (chunk: Buffer) => void {
  let pending: Buffer[] = [];
  return (chunk) => {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = Buffer.concat([...pending, chunk.subarray(start, end)]).toString('utf8');
      pending = [];
      start = end + 1;
      onLine(line);
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
  };
}
