import type { ConformanceCard } from '../../domain/a2a/conformance.ts';

/** What a kit says about one of its cases. */
export interface CaseResult {
  /** Unique within its kit, without blanks: known faults name it. */
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** One line for people: why it failed, why it was skipped. */
  readonly why?: string;
}

export type KitResult =
  | { readonly kind: 'ran'; readonly cases: readonly CaseResult[] }
  /** Something that it needs is not on this machine. */
  | { readonly kind: 'skipped'; readonly why: string };

/** One of the official kits, whose faults stand in `known-faults/<name>.txt`. */
export interface Kit {
  /** Of `--only`. */
  readonly name: string;
  /** Throws where the kit itself breaks: that fails it. */
  readonly run: (world: KitWorld) => Promise<KitResult>;
}

/** What a kit may use. Everything but the cache ends with the run. */
export interface KitWorld {
  /** Address of `codetether serve`, with `--conformance <card>` unless it is `plain`; ready, started when it is first asked for. */
  readonly serve: (what: ConformanceCard | 'plain') => Promise<string>;
  /** With all permissions, for whom `plain` serves. */
  readonly token: () => Promise<string>;
  /** Runs a program to its end in this run's environment; it is ended with the run, or after `limitMs` (default 15 minutes). */
  readonly command: (
    command: readonly [string, ...string[]],
    options?: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv; readonly limitMs?: number },
  ) => Promise<{ readonly code: number; readonly output: string }>;
  /** A folder of the kit's own that stays: what was installed for it. */
  readonly cacheFolder: string;
  /** An empty folder of the kit's own: what it writes in this run. */
  readonly reportFolder: string;
}
