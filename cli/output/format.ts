/** Numbers as people read them. What is not known is `–`, never 0. */
export const unknown = '–';

/** `950`, `18.4k`, `148k`, `1.2M`. */
export function formatTokens(tokens: number): string {
  if (tokens < 1_000) return String(tokens);
  if (tokens < 99_950) return `${(tokens / 1_000).toFixed(1)}k`;
  if (tokens < 999_500) return `${Math.round(tokens / 1_000)}k`;
  return `${(tokens / 1_000_000).toFixed(1)}M`;
}

/** `$0.21`. Tokens that cost nothing come from a model whose price is not known: `–`. */
export function formatCost(spent: { readonly usd: number; readonly tokens: number }): string {
  return spent.usd === 0 && spent.tokens > 0 ? unknown : formatUsd(spent.usd);
}

export function formatUsd(usd: number): string {
  return usd > 0 && usd < 0.01 ? '<$0.01' : `$${usd.toFixed(2)}`;
}

/** `61.3k tokens, $0.48 of $5.00`. */
export function formatSpent(spent: {
  readonly tokens: number;
  readonly usd: number;
  readonly maxTokens: number | null;
  readonly maxCostUsd: number | null;
}): string {
  const tokens = formatTokens(spent.tokens) + (spent.maxTokens === null ? '' : ` of ${formatTokens(spent.maxTokens)}`);
  const cost = formatCost({ usd: spent.usd, tokens: spent.tokens });
  const cap = spent.maxCostUsd === null ? '' : ` of ${formatUsd(spent.maxCostUsd)}`;
  return `${tokens} tokens, ${cost === unknown ? `cost ${unknown}` : cost}${cap}`;
}

/** `8ms`, `0.4s`, `48s`, `3m 12s`, `1h 04m`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 100) return `${Math.round(durationMs)}ms`;
  if (durationMs < 9_950) return `${(durationMs / 1_000).toFixed(1)}s`;
  return formatElapsed(Math.round(durationMs / 1_000) * 1_000);
}

/** A running clock: whole seconds, `8s`, `3m 12s`, `1h 04m`, `2d 3h`. */
export function formatElapsed(elapsedMs: number): string {
  const seconds = Math.max(0, Math.floor(elapsedMs / 1_000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${twoDigits(seconds % 60)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h ${twoDigits(minutes % 60)}m`;
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

/** `12:04:31` in local time; the text itself where it is no time. */
export function formatClock(at: string): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(':');
}

/** `today 12:04`, `2026-03-01 12:04`, in local time. */
export function formatDay(at: string, now: Date): string {
  const date = new Date(at);
  return `${day(date) === day(now) ? 'today' : day(date)} ${formatClock(at).slice(0, 5)}`;
}

export function shortCommit(commit: string): string {
  return commit.slice(0, 7);
}

function day(date: Date): string {
  return [date.getFullYear(), twoDigits(date.getMonth() + 1), twoDigits(date.getDate())].join('-');
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
