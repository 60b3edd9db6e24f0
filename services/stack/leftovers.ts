/** Processes that a killed supervisor left behind. */
import { endProcess } from './child.ts';
import { endingOf, endingOrder } from './endings.ts';
import { childNames } from './paths.ts';
import type { ChildName } from './paths.ts';
import { findByArgument, identify, isAlive } from './processes.ts';
import type { ProcessIdentity } from './processes.ts';
import type { ChildState, StackState } from './state.ts';

/** The child as the state file has it, if its process (number and start time) still lives. */
export async function livingChild(state: StackState | undefined, name: ChildName): Promise<ChildState | undefined> {
  const child = state?.children[name];
  if (child?.process === undefined || child.process === null) return undefined;
  return (await isAlive(child.process)) ? child : undefined;
}

/**
 * Ends every process of the data dir's stack except the kept ones, also such that no state file names (a supervisor can be
 * killed between starting a process and writing it down). The caller holds the stack's lock.
 * @returns the names of what was ended
 */
export async function endLeftovers(
  dataDir: string,
  keep: readonly ProcessIdentity[] = [],
): Promise<readonly ChildName[]> {
  const ended = new Set<ChildName>();
  const kept = new Set(keep.map(({ pid }) => pid));
  for (const names of endingOrder) {
    await Promise.all(
      names.map(async (name) => {
        const ending = endingOf(dataDir, name);
        for (const pid of await findByArgument(ending.mark)) {
          const identity = kept.has(pid) ? undefined : await identify(pid);
          if (identity === undefined) continue;
          await endProcess(identity, ending);
          ended.add(name);
        }
      }),
    );
  }
  return childNames.filter((name) => ended.has(name));
}
