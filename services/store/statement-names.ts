export interface StatementNames {
  /** Undefined for a text that has not come often enough, or came when there were enough names. */
  nameOf(text: string): string | undefined;
  /** From now on all names are others: what stands behind the old ones is of no use any more. */
  renew(): void;
}

/** A process asks its few queries over and over; those that it asks once, at its start, need no name. */
const usesWithoutName = 5;
/** Each costs the server some memory for each connection. */
const mostNames = 200;
const mostTexts = 1_000;

/**
 * Names of prepared statements (PostgreSQL, PREPARE): the server parses and plans a named one once for a connection, which is half of
 * what it does for a short query.
 */
export function createStatementNames(): StatementNames {
  let generation = 0;
  let named = 0;
  const uses = new Map<string, number>();
  const names = new Map<string, string>();
  return {
    nameOf(text) {
      const known = names.get(text);
      if (known !== undefined || named === mostNames) return known;
      const used = (uses.get(text) ?? 0) + 1;
      if (used > usesWithoutName) {
        uses.delete(text);
        named++;
        const name = `s${generation}_${named}`;
        names.set(text, name);
        return name;
      }
      if (uses.size === mostTexts) uses.clear();
      uses.set(text, used);
      return undefined;
    },
    renew() {
      generation++;
      named = 0;
      names.clear();
    },
  };
}
