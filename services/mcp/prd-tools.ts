import { z } from 'zod';
import { parsePrdText } from '../../activities/ralph/prd-text.ts';
import { CodetetherError } from '../../domain/errors.ts';
import { parsePrd } from '../../domain/ralph/parse-prd.ts';
import { gateNames, prdBranch, prdGates } from '../../domain/ralph/prd.ts';
import { prdTemplate } from '../../domain/ralph/prd-template.ts';
import { byStage } from '../../domain/ralph/schedule.ts';
import { mcpTool } from './tool.ts';
import type { McpTool } from './tool.ts';

const longestPrd = 1_000_000;

const validate = mcpTool({
  name: 'validate_prd',
  title: 'Check a PRD',
  description:
    'Whether the text of a PRD (JSON or YAML) is usable, what is wrong with it, and in which stages it would be worked on.',
  input: z.strictObject({ text: z.string().min(1).max(longestPrd).describe('The whole file') }),
  output: z.object({
    valid: z.boolean(),
    problems: z.array(z.string()),
    warnings: z.array(z.string()),
    branch: z.string().nullable(),
    gates: z.array(z.string()),
    /** Ids of stories; those of a stage can be worked on at the same time. */
    stages: z.array(z.array(z.string())),
  }),
  effect: 'read',
  permission: null,
  run: async ({ text }) => {
    try {
      const { prd, warnings } = parsePrd(parsePrdText(text, 'the text').value);
      const stages = byStage(prd.stories).map((stories) => stories.map(({ id }) => id));
      return {
        valid: true,
        problems: [],
        warnings: [...warnings],
        branch: prdBranch(prd),
        gates: prdGates(prd),
        stages,
      };
    } catch (error) {
      if (!(error instanceof CodetetherError)) throw error;
      const problems = error.problems.length === 0 ? [error.message] : [...error.problems];
      return { valid: false, problems, warnings: [], branch: null, gates: [], stages: [] };
    }
  },
});

const create = mcpTool({
  name: 'create_prd',
  title: 'Begin a PRD',
  description: 'The text of a PRD with two example stories, to be changed; nothing is written to a file.',
  input: z.strictObject({
    project: z.string().min(1).max(200),
    feature: z.string().min(1).max(200),
    qualityChecks: z
      .partialRecord(z.enum(gateNames), z.string().min(1))
      .default({})
      .describe('Shell commands that every story has to pass'),
  }),
  output: z.object({ text: z.string() }),
  effect: 'read',
  permission: null,
  run: async ({ project, feature, qualityChecks }) => ({
    text: `${JSON.stringify(prdTemplate({ project, feature, gates: qualityChecks }), null, 2)}\n`,
  }),
});

export const prdTools: readonly McpTool[] = [validate, create];
