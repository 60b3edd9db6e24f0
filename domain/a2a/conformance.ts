/** The conformance profile: what the official kits of A2A and MCP want of a server, beside what it is for. */

/**
 * The agent card that the kits want, who contradict each other: `hybrid` is read by clients of A2A 0.3 too, as outside of the profile;
 * `pure` is that of 1.0 also where nobody has asked for it; `minimal` is the same without optional capabilities.
 */
export const conformanceCards = ['hybrid', 'pure', 'minimal'] as const;
export type ConformanceCard = (typeof conformanceCards)[number];
