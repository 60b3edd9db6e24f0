import type { NamedWorkspace } from '../../domain/contracts/store.ts';
import type { PathDeps } from './allowed-paths.ts';

/** The workspace of this host that a request means: the one of that name; without a name the only one there is. */
export async function chosenWorkspace(
  { store, hostId }: PathDeps,
  name: string | null | undefined,
): Promise<{
  /** Undefined where it means none, or one of several. */
  readonly workspace: NamedWorkspace | undefined;
  /** Of all that can be meant. */
  readonly names: readonly string[];
}> {
  const here = (await store.listNamedWorkspaces()).filter((workspace) => workspace.hostId === hostId);
  const found = name === null || name === undefined ? here : here.filter((workspace) => workspace.name === name);
  return { workspace: found.length === 1 ? found[0] : undefined, names: here.map((workspace) => workspace.name) };
}
