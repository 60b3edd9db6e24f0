/** Nobody waits longer than that for one provider before asking it again. */
const longestWaitMs = 60 * 60 * 1000;

/**
 * How long the provider asks to wait, from the headers and body of its refusal; undefined when it does not say.
 * At most one hour.
 */
export function retryAfterMs(
  headers: { readonly [name: string]: string },
  body: unknown,
  nowMs: number,
): number | undefined {
  const asked =
    plainNumber(headers['retry-after-ms'], 1) ??
    plainNumber(headers['retry-after'], 1000) ??
    untilDate(headers['retry-after'], nowMs) ??
    retryInfo(body) ??
    longestReset(headers, nowMs);
  return asked === undefined ? undefined : Math.min(Math.max(0, Math.ceil(asked)), longestWaitMs);
}

function plainNumber(text: string | undefined, unitMs: number): number | undefined {
  return text !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) * unitMs : undefined;
}

function untilDate(text: string | undefined, nowMs: number): number | undefined {
  const at = Date.parse(text ?? '');
  return Number.isNaN(at) ? undefined : at - nowMs;
}

/** `6m0s`, `1.5s`, `20ms`. */
function duration(text: string | undefined): number | undefined {
  if (text === undefined || !/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  const unitMs: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    total += Number(amount) * (unitMs[unit ?? ''] ?? 0);
  return total;
}

/** Google puts the wait into the body: `details: [{ "@type": "…RetryInfo", "retryDelay": "34s" }]`. */
function retryInfo(body: unknown): number | undefined {
  const text = typeof body === 'string' ? body : (JSON.stringify(body) ?? '');
  return duration(/"retryDelay"\s*:\s*"([^"]+)"/.exec(text)?.[1]);
}

/** The limits that are used up (`…remaining… = 0`, or not told) decide; the longest of them. */
function longestReset(headers: { readonly [name: string]: string }, nowMs: number): number | undefined {
  let longest: number | undefined;
  for (const [name, text] of Object.entries(headers)) {
    if (!/ratelimit.*reset/.test(name)) continue;
    const remaining = headers[name.replace('reset', 'remaining')];
    if (remaining !== undefined && Number(remaining) > 0) continue;
    const wait = duration(text) ?? resetNumber(text, nowMs) ?? untilDate(text, nowMs);
    if (wait !== undefined && (longest === undefined || wait > longest)) longest = wait;
  }
  return longest;
}

/** Seconds from now, or (large numbers) seconds or milliseconds since 1970. */
function resetNumber(text: string, nowMs: number): number | undefined {
  const value = plainNumber(text, 1);
  if (value === undefined) return undefined;
  if (value > 1e12) return value - nowMs;
  return value > 1e9 ? value * 1000 - nowMs : value * 1000;
}
