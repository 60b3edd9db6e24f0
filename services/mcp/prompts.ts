import { completable } from '@modelcontextprotocol/server';
import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { McpServerDeps } from './create-server.ts';
import { completions, listedRuns } from './resources.ts';

const asked = (text: string) => ({ messages: [{ role: 'user' as const, content: { type: 'text' as const, text } }] });

/** What people ask for often. `code_review` and `explain_code` are those that users of the original know. */
export function registerPrompts(server: McpServer, deps: McpServerDeps): void {
  const runId = completable(z.string().min(1).describe('Id of the run, or any unique beginning'), async (begun) =>
    completions(await listedRuns(deps), begun),
  );

  server.registerPrompt(
    'write_prd',
    {
      title: 'Write a PRD',
      description: 'A PRD that a run can work through, checked.',
      argsSchema: z.object({ feature: z.string().min(1), workspace: z.string().optional() }),
    },
    ({ feature, workspace }) =>
      asked(
        `Write a PRD for this feature: ${feature}\n\n` +
          (workspace === undefined
            ? ''
            : `The repository is the workspace ${workspace}: look at it with list_files, read_file and search_files first.\n`) +
          'Begin with create_prd, with the commands that check the repository as qualityChecks. Write small stories that can be worked on by themselves: ' +
          'each with acceptance criteria that can be checked, dependsOn where one needs another, and verification steps where the quality checks do not see it. ' +
          'Check the text with validate_prd until it is valid, then show it. Do not start a run without being told to.',
      ),
  );
  server.registerPrompt(
    'review_run',
    {
      title: 'Review a run',
      description: 'What a run has done, what it cost, what is left.',
      argsSchema: z.object({ runId }),
    },
    ({ runId: given }) =>
      asked(
        `Review the run ${given}. Look at it with get_run, at each story that did not pass, or only after several attempts, with get_story, and at logs of red checks with get_check_log. ` +
          'Say what has passed, what has not and why, what it cost, and what a person should do next: answer a question, nudge or retry a story, change the PRD and reload, or leave it alone. Change nothing yourself.',
      ),
  );
  server.registerPrompt(
    'fix_story',
    {
      title: 'Get a failed story to pass',
      description: 'Why a story failed, and a retry with a hint.',
      argsSchema: z.object({ runId, storyId: z.string().min(1) }),
    },
    ({ runId: given, storyId }) =>
      asked(
        `The story ${storyId} of the run ${given} has failed. Find out why with get_story and get_check_log, and where a check itself is wrong say so and stop. ` +
          'Otherwise write a hint of a few sentences that names the cause, and give it with retry_story; then wait_for_run and tell how it went.',
      ),
  );
  for (const [name, title, what] of [
    ['code_review', 'Review a file', 'Review this file for mistakes, unclear parts and missing tests; name lines:'],
    ['explain_code', 'Explain a file', 'Explain what this file does, for somebody who is new to the project:'],
  ] as const) {
    server.registerPrompt(
      name,
      { title, description: `${title} of a workspace.`, argsSchema: z.object({ file: z.string().min(1) }) },
      ({ file }) => asked(`${what} ${file}\n\nRead it with read_file; list_workspaces names the workspaces.`),
    );
  }
}
