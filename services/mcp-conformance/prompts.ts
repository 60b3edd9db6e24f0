import { acceptedContent, completable, inputRequired } from '@modelcontextprotocol/server';
import type { GetPromptResult, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { image, text } from './samples.ts';

const asked = (...content: readonly GetPromptResult['messages'][number]['content'][]): GetPromptResult => ({
  messages: content.map((one) => ({ role: 'user', content: one })),
});
const completions = ['paris', 'park', 'party'];

export function registerFixturePrompts(server: McpServer): void {
  server.registerPrompt('test_simple_prompt', { description: 'A prompt without arguments.' }, () =>
    asked(text('This is a simple prompt.')),
  );
  const begun = (value: string | undefined) => completions.filter((one) => one.startsWith(value ?? ''));
  server.registerPrompt(
    'test_prompt_with_arguments',
    {
      description: 'A prompt that repeats its arguments; the first is completed.',
      argsSchema: z.object({ arg1: completable(z.string(), begun), arg2: z.string() }),
    },
    ({ arg1, arg2 }) => asked(text(`arg1='${arg1}', arg2='${arg2}'`)),
  );
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'A prompt with a resource.', argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri: uri }) =>
      asked(
        { type: 'resource', resource: { uri, mimeType: 'text/plain', text: 'This is an embedded resource.' } },
        text('Look at the resource above.'),
      ),
  );
  server.registerPrompt('test_prompt_with_image', { description: 'A prompt with an image.' }, () =>
    asked({ type: 'image', data: image, mimeType: 'image/png' }, text('Look at the image above.')),
  );
  const Context = z.object({ context: z.string() });
  server.registerPrompt(
    'test_input_required_result_prompt',
    { description: 'A prompt that asks for its context first.', argsSchema: z.object({}) },
    (_, { mcpReq }) => {
      const given = acceptedContent(mcpReq.inputResponses, 'user_context', Context);
      if (given !== undefined) return asked(text(`Use this context: ${given.context}`));
      const question = inputRequired.elicit({ message: 'Which context?', requestedSchema: Context });
      return inputRequired({ inputRequests: { user_context: question } });
    },
  );
}
