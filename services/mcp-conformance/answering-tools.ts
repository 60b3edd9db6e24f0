import { setTimeout as delay } from 'node:timers/promises';
import type { CallToolResult, McpServer, ServerContext, ServerNotifier } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { audio, image, text } from './samples.ts';

interface AnsweringTool {
  readonly name: string;
  readonly description: string;
  readonly content: CallToolResult['content'];
  /** What happens before it answers. */
  readonly before?: (context: ServerContext) => Promise<void>;
}

/** Between two notices, so that they come one by one. */
const pauseMs = 50;

/** Tools that answer by themselves: one for each kind of content and of notice. */
export function registerAnsweringTools(server: McpServer, notify: ServerNotifier): void {
  const tools: readonly AnsweringTool[] = [
    { name: 'test_simple_text', description: 'Answers with a text.', content: [text('This is a simple text.')] },
    {
      name: 'test_image_content',
      description: 'Answers with an image.',
      content: [{ type: 'image', data: image, mimeType: 'image/png' }],
    },
    {
      name: 'test_audio_content',
      description: 'Answers with a sound.',
      content: [{ type: 'audio', data: audio, mimeType: 'audio/wav' }],
    },
    {
      name: 'test_embedded_resource',
      description: 'Answers with a resource.',
      content: [
        {
          type: 'resource',
          resource: { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'This is an embedded resource.' },
        },
      ],
    },
    {
      name: 'test_multiple_content_types',
      description: 'Answers with a text, an image and a resource.',
      content: [
        text('A text, an image and a resource:'),
        { type: 'image', data: image, mimeType: 'image/png' },
        {
          type: 'resource',
          resource: { uri: 'test://mixed-content-resource', mimeType: 'application/json', text: '{"value":123}' },
        },
      ],
    },
    {
      name: 'test_tool_with_logging',
      description: 'Logs three times, then answers.',
      content: [text('Logged three times.')],
      before: logThrice,
    },
    {
      name: 'test_tool_with_progress',
      description: 'Reports progress three times to whoever wants to know, then answers.',
      content: [text('Done.')],
      before: reportThrice,
    },
    {
      name: 'test_logging_tool',
      description: 'Logs to whoever has asked for a level.',
      content: [text('Logged.')],
      before: async ({ mcpReq }) => await mcpReq.log('info', 'test_logging_tool was called'),
    },
    {
      name: 'test_streaming_elicitation',
      description: 'Answers without asking anything of the client.',
      content: [text('Nothing was asked.')],
    },
    {
      name: 'test_trigger_tool_change',
      description: 'Tells subscribers that the list of tools has changed.',
      content: [text('Told.')],
      before: async () => notify.toolsChanged(),
    },
    {
      name: 'test_trigger_prompt_change',
      description: 'Tells subscribers that the list of prompts has changed.',
      content: [text('Told.')],
      before: async () => notify.promptsChanged(),
    },
  ];
  for (const { name, description, content, before } of tools) {
    server.registerTool(name, { description, inputSchema: z.object({}) }, async (_, context) => {
      await before?.(context);
      return { content };
    });
  }
  server.registerTool('test_error_handling', { description: 'Fails.', inputSchema: z.object({}) }, () => {
    throw new Error('This tool always fails.');
  });
}

async function logThrice({ mcpReq }: ServerContext): Promise<void> {
  for (const data of ['started', 'working', 'completed']) {
    await mcpReq.log('info', data);
    await delay(pauseMs);
  }
}

async function reportThrice({ mcpReq }: ServerContext): Promise<void> {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return;
  for (const progress of [0, 50, 100]) {
    await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } });
    await delay(pauseMs);
  }
}
