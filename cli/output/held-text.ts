/** Why a story that could start does not: `waits for US-001 (both change src/a.ts)`. */
export function heldText(by: string, files: readonly string[]): string {
  const [first] = files;
  const more = files.length > 1 ? ` and ${files.length - 1} more` : '';
  return `waits for ${by}${first === undefined ? '' : ` (both change ${first}${more})`}`;
}
