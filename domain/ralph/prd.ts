import { z } from 'zod';
import { storyIdPattern } from '../run/ids.ts';

/**
 * The PRD in the one shape that the engine works with. Files may be snake_case (codetether-agent),
 * camelCase (the codetether platform) or YAML; `parsePrd` turns them into this.
 */

const text = z.string();

export const VerificationStep = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('shell'),
    name: text.optional(),
    command: text,
    cwd: text.optional(),
    expectOutputContains: z.array(text).default([]),
    expectFilesGlob: z.array(text).default([]),
  }),
  z.object({ type: z.literal('file_exists'), name: text.optional(), path: text, glob: z.boolean().default(false) }),
  z.object({
    type: z.literal('url'),
    name: text.optional(),
    url: text,
    method: text.default('GET'),
    expectStatus: z.number().int().default(200),
    expectBodyContains: z.array(text).default([]),
    timeoutSecs: z.number().positive().default(30),
  }),
]);
export type VerificationStep = z.infer<typeof VerificationStep>;

export const Story = z.object({
  id: text.regex(storyIdPattern, 'must be letters, digits, dot, dash, underscore'),
  title: text.min(1),
  description: text,
  acceptanceCriteria: z.array(text).default([]),
  verificationSteps: z.array(VerificationStep).default([]),
  passes: z.boolean().default(false),
  /** Lowest first. */
  priority: z.number().int().nonnegative().default(1),
  dependsOn: z.array(text).default([]),
  /** 1 to 5; breaks ties of priority, lowest first. */
  complexity: z.number().int().default(3),
  /** Files (or globs of files) that define or hold checks and that this story may change all the same, see `tamper.ts`. */
  allowedChanges: z.array(text).default([]),
  /** The story may pass although no file has changed. */
  noChangeOk: z.boolean().default(false),
});
export type Story = z.infer<typeof Story>;

/** In the order they run: the quick ones first. */
export const gateNames = ['typecheck', 'lint', 'test', 'build'] as const;
export type GateName = (typeof gateNames)[number];

export const Prd = z.object({
  project: text.min(1),
  feature: text.min(1),
  branchName: text.default(''),
  version: text.default('1.0'),
  /** The camelCase dialect's description of the whole feature; goes into every prompt. */
  description: text.default(''),
  technicalRequirements: z.array(text).default([]),
  /** Shell commands by gate. */
  qualityChecks: z.partialRecord(z.enum(gateNames), text).default({}),
  stories: z.array(Story),
});
export type Prd = z.infer<typeof Prd>;

/** The run branch: the PRD's own, else `feature/<feature>` without what git does not allow in a branch. */
export function prdBranch(prd: Pick<Prd, 'branchName' | 'feature'>): string {
  if (prd.branchName !== '') return prd.branchName;
  const name = prd.feature
    .toLowerCase()
    .replace(/[\s\p{Cc}~^:?*[\]\\/@{}]+/gu, '-')
    .replace(/\.{2,}/g, '.')
    .replace(/-{2,}/g, '-')
    .replace(/^[-.]+|(?:\.lock|[-.])+$/g, '');
  return `feature/${name === '' ? 'prd' : name}`;
}

/** Names of the gates that the PRD declares, in running order. */
export function prdGates(prd: Pick<Prd, 'qualityChecks'>): GateName[] {
  return gateNames.filter((name) => (prd.qualityChecks[name] ?? '').trim() !== '');
}
