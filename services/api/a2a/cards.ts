import type { AgentCard } from '@a2a-js/sdk';
import type { ApiDeps } from '../deps.ts';
import { keySetPath } from '../permissions.ts';
import { agentCard, legacyCard } from './agent-card.ts';
import type { CardAddresses } from './agent-card.ts';
import type { SpokenVersion } from './calls.ts';
import { createCardSigner } from './card-signer.ts';

export interface Cards {
  /** For anybody. */
  card(addresses: CardAddresses): AgentCard;
  /** The same with its signature, where there are keys and its addresses are those that are set. */
  signedCard(addresses: CardAddresses): Promise<AgentCard>;
  /** With the named workspaces of the current tenant. */
  extendedCard(addresses: CardAddresses, version: SpokenVersion): Promise<AgentCard>;
  /** Public keys of the signatures. */
  readonly keySet: { readonly keys: readonly object[] };
}

export function createCards({ store, version, conformance, publicUrl, keyRing }: ApiDeps): Cards {
  const signer = keyRing && createCardSigner(keyRing);
  const card = (addresses: CardAddresses): AgentCard => agentCard({ ...addresses, version, conformance });
  /** An address that whoever asks can make up is not signed. */
  const signed = async (own: AgentCard): Promise<AgentCard> => {
    if (signer === undefined || publicUrl === undefined) return own;
    return await signer.sign(own, `${publicUrl.replace(/\/+$/, '')}${keySetPath}`);
  };
  return {
    card,
    signedCard: async (addresses) => await signed(card(addresses)),
    extendedCard: async (addresses, spoken) => {
      const workspaces = (await store.listNamedWorkspaces()).map(({ name }) => name);
      const own = agentCard({ ...addresses, version, workspaces });
      return spoken === '0.3' ? legacyCard(own) : await signed(own);
    },
    keySet: signer?.keySet ?? { keys: [] },
  };
}
