const keyShapes = [
  /\b(?:sk|pk|rk)-[\w*-]{6,}/g,
  /\bAIza[\w-]{10,}/g,
  /\b(?:Bearer|Basic)\s+[\w.~+/=-]{8,}/gi,
  /([?&](?:key|api_key|apikey|access_token)=)[^&\s"']+/gi,
];

/** The text without the given secrets and without anything that looks like a key. */
export function redact(text: string, secrets: readonly string[]): string {
  let safe = text;
  for (const secret of secrets) if (secret.length >= 4) safe = safe.replaceAll(secret, '[redacted]');
  for (const shape of keyShapes)
    safe = safe.replace(shape, (_match, start: unknown) => `${typeof start === 'string' ? start : ''}[redacted]`);
  return safe;
}
