/** What people type: the first eight characters are enough among thousands. */
export function shortSessionId(sessionId: string): string {
  return sessionId.replace(/^session:/, '').slice(0, 8);
}
