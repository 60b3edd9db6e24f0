import { createHash } from 'node:crypto';
import { AgentCard } from '@a2a-js/sdk';
import type { ConformanceCard } from '../../../domain/a2a/conformance.ts';

/** Where a caller reaches this server. */
export interface CardAddresses {
  /** Without a slash at its end. */
  readonly origin: string;
  /** `host:port`; absent: it is not served over gRPC. */
  readonly grpc?: string;
}

export interface CardOptions extends CardAddresses {
  readonly version: string;
  /** Absent: this is no server for the official kits. */
  readonly conformance?: ConformanceCard | undefined;
  /** Names of the workspaces that whoever asks may use; absent on the public card. */
  readonly workspaces?: readonly string[];
}

const jsonRpcPath = '/a2a/jsonrpc';

/** What codetether is to other agents, in the form of A2A 1.0. */
export function agentCard({ origin, grpc, version, conformance, workspaces }: CardOptions): AgentCard {
  const where =
    workspaces === undefined
      ? 'a named workspace of the server'
      : `one of the workspaces ${workspaces.join(', ') || '(there is none yet)'}`;
  const card = AgentCard.fromJSON({
    name: 'codetether',
    description: 'A durable orchestrator for AI coding agents: tasks go on over every restart.',
    version,
    provider: { organization: 'codetether', url: origin },
    supportedInterfaces: ['1.0', '0.3'].flatMap((protocolVersion) => [
      { url: `${origin}${jsonRpcPath}`, protocolBinding: 'JSONRPC', protocolVersion },
      { url: origin, protocolBinding: 'HTTP+JSON', protocolVersion },
      ...(grpc === undefined ? [] : [{ url: grpc, protocolBinding: 'GRPC', protocolVersion }]),
    ]),
    capabilities: { streaming: true, pushNotifications: true, extendedAgentCard: true },
    securitySchemes: {
      bearer: { httpAuthSecurityScheme: { scheme: 'Bearer', description: 'codetether token create' } },
    },
    // Named, since readers of a signed card disagree on what is left of an empty list.
    securityRequirements: [{ schemes: { bearer: { list: ['runs:read'] } } }],
    defaultInputModes: ['text/plain', 'application/json'],
    defaultOutputModes: ['text/markdown', 'application/json'],
    skills: [
      {
        id: 'agent',
        name: 'Coding agent',
        description: `Works on a task in ${where}: reads and changes files, runs commands, and answers with what it has found and changed. Metadata of the message: workspace, model, agent.`,
        tags: ['code', 'files', 'shell'],
        examples: ['Fix the failing test and say what was wrong.'],
      },
      {
        id: 'ralph',
        name: 'Work through a PRD',
        description: `Works through the user stories of a PRD in ${where}, a git repository: each with an agent of its own, checked, and merged onto a run branch. Metadata of the message: skill "ralph", prd (path in the workspace; or the PRD as the one data part), workspace, model, branch, maxCostUsd, maxConcurrent.`,
        tags: ['code', 'prd', 'git'],
        examples: ['{"project":"shop","feature":"search","qualityChecks":{"test":"npm test"},"userStories":[…]}'],
      },
    ],
  });
  return conformance === undefined ? card : kitsCard(card, conformance);
}

/** Of a server that takes anybody: it asks for no credential, and has no card for those who have one. */
function kitsCard(card: AgentCard, conformance: ConformanceCard): AgentCard {
  const { streaming, pushNotifications, extensions } = card.capabilities ?? { extensions: [] };
  const isWhole = conformance !== 'minimal';
  const capabilities = {
    extensions,
    streaming: isWhole && streaming,
    pushNotifications: isWhole && pushNotifications,
    extendedAgentCard: false,
  };
  return { ...card, capabilities, securitySchemes: {}, securityRequirements: [] };
}

/** The same as clients of A2A 0.3 want it: where gRPC is, they read as `http://host:port`. */
export function legacyCard(card: AgentCard): AgentCard {
  const [scheme = 'http'] = (card.supportedInterfaces[0]?.url ?? '').split('://');
  return {
    ...card,
    supportedInterfaces: card.supportedInterfaces.map((each) =>
      each.protocolBinding === 'GRPC' && each.protocolVersion === '0.3'
        ? { ...each, url: `${scheme}://${each.url}` }
        : each,
    ),
  };
}

/** The same with what clients of A2A 0.3 read, beside what those of 1.0 do. */
function hybridCard(card: AgentCard): object {
  // A signature is over the card of 1.0 alone.
  const own = Object(AgentCard.toJSON({ ...card, signatures: [] })) as {
    readonly securitySchemes?: { readonly bearer?: object };
  };
  const interfaces = legacyCard(card).supportedInterfaces.filter(({ protocolVersion }) => protocolVersion === '0.3');
  return {
    ...own,
    protocolVersion: '0.3.0',
    url: interfaces[0]?.url ?? '',
    preferredTransport: interfaces[0]?.protocolBinding ?? '',
    additionalInterfaces: interfaces.map(({ url, protocolBinding }) => ({ url, transport: protocolBinding })),
    ...(own.securitySchemes?.bearer === undefined
      ? {}
      : {
          securitySchemes: { bearer: { ...own.securitySchemes.bearer, type: 'http', scheme: 'bearer' } },
          security: [{ bearer: [] }],
        }),
    supportsAuthenticatedExtendedCard: card.capabilities?.extendedAgentCard === true,
  };
}

/** The card's document for a version of the protocol, and its validator. */
export function cardDocument(card: AgentCard, version: string): { readonly text: string; readonly etag: string } {
  const [shown, signatures] = version === '1.0' ? [AgentCard.toJSON(card), card.signatures] : [hybridCard(card), []];
  const text = JSON.stringify(shown);
  // A card is signed anew each time; what a signature protects says by which key.
  const same = signatures.reduce((rest, { signature }) => rest.replace(signature, ''), text);
  return { text, etag: `W/"${createHash('sha256').update(same).digest('hex').slice(0, 32)}"` };
}
