import { resolve } from 'node:path';
import { CodetetherError, exitCodes, toProblem } from '../../../domain/errors.ts';
import { prdBranch, prdGates } from '../../../domain/ralph/prd.ts';
import type { Prd } from '../../../domain/ralph/prd.ts';
import { byStage } from '../../../domain/ralph/schedule.ts';
import { readPrdFile } from '../../../services/client/read-prd.ts';
import { processEnvironment } from '../../../services/config/environment.ts';
import { inSigns } from '../../output/signs.ts';
import { lookOf, paint } from '../../output/terminal.ts';
import type { Look } from '../../output/terminal.ts';
import { cleanLine, counted } from '../../output/text.ts';
import { print } from './context.ts';

/** `codetether ralph validate [prd.json]`: needs no stack and changes nothing. */
export async function validate(path: string, options: { readonly json?: boolean }): Promise<number> {
  const { stdout } = process;
  try {
    const { prd, warnings } = await readPrdFile(resolve(path));
    const look = lookOf(stdout, processEnvironment());
    print(
      stdout,
      options.json === true ? [JSON.stringify(validJson(prd, warnings))] : validLines(path, prd, warnings, look),
    );
    return exitCodes.completed;
  } catch (error) {
    if (!(error instanceof CodetetherError)) throw error;
    const { code, title, problems } = toProblem(error);
    if (options.json !== true) {
      const next = code === 'prd-invalid' ? { next: 'Correct the named places, then validate again.' } : {};
      throw new CodetetherError(code, title, { problems, ...next, cause: error });
    }
    print(stdout, [JSON.stringify({ schema_version: 1, valid: false, code, message: title, problems })]);
    return error.entry.exit;
  }
}

/** What a run of the PRD would do, for people. */
export function validLines(path: string, prd: Prd, warnings: readonly string[], look: Look): string[] {
  const staged = byStage(prd.stories);
  const gates = prdGates(prd);
  const idWidth = Math.max(...prd.stories.map((story) => story.id.length));
  const checks = gates.length === 0 ? 'no gates' : `gates ${gates.join(', ')}`;
  return [
    `${paint(look.signs.passed, 'good', look)} ${path} is usable: ${counted(prd.stories.length, 'story', 'stories')} in ${counted(staged.length, 'stage')}, ${checks}, branch ${cleanLine(prdBranch(prd))}`,
    ...staged.flatMap((stories, stage) =>
      stories.map((story, index) => {
        const after = story.dependsOn.length === 0 ? '' : `  after ${story.dependsOn.join(', ')}`;
        const passed = story.passes ? '  (has passed)' : '';
        return `  ${(index === 0 ? `stage ${stage + 1}` : '').padEnd(9)} ${story.id.padEnd(idWidth)}  ${cleanLine(story.title)}${after}${passed}`;
      }),
    ),
    ...warnings.map((warning) => `${paint(look.signs.warning, 'warn', look)} ${cleanLine(warning)}`),
  ].map((line) => inSigns(line, look.signs));
}

function validJson(prd: Prd, warnings: readonly string[]): { readonly [key: string]: unknown } {
  return {
    schema_version: 1,
    valid: true,
    project: prd.project,
    feature: prd.feature,
    branch: prdBranch(prd),
    gates: prdGates(prd),
    stages: byStage(prd.stories).map((stories) => stories.map((story) => story.id)),
    warnings,
  };
}
