/** A model behind the HTTP API of OpenAI that is a function of the conversation alone, and knows what it was asked twice. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { PlannedStory, PlannedTurn } from './story-plan.ts';

interface Message {
  readonly role: string;
  readonly content?: unknown;
  readonly tool_calls?: readonly unknown[];
}

export interface PlanModel {
  readonly url: string;
  /** How often each conversation was sent, by its hash; one that was answered and stored is sent once. */
  asked(): ReadonlyMap<string, { readonly storyId: string; readonly times: number }>;
  /** Requests that cannot come from a conversation with this model. */
  problems(): readonly string[];
  stop(): Promise<void>;
}

export async function startPlanModel(
  stories: readonly PlannedStory[],
  options: { readonly delayMs: number },
): Promise<PlanModel> {
  const asked = new Map<string, { storyId: string; times: number }>();
  const problems: string[] = [];
  const byId = new Map(stories.map((story) => [story.id, story]));

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { messages, model } = JSON.parse(await readText(request)) as {
      readonly messages: readonly Message[];
      readonly model: string;
    };
    const prompt = messages.find(({ role }) => role === 'user');
    const storyId = /Implement story (\S+) now\./.exec(JSON.stringify(prompt?.content ?? ''))?.[1] ?? '';
    const story = byId.get(storyId);
    if (story === undefined) {
      problems.push(`a conversation about no story: ${JSON.stringify(prompt).slice(0, 200)}`);
      response.writeHead(400).end('{}');
      return;
    }
    const hash = createHash('sha256').update(JSON.stringify(messages)).digest('hex').slice(0, 16);
    const entry = asked.get(hash) ?? { storyId, times: 0 };
    entry.times += 1;
    asked.set(hash, entry);
    // Between a half and one and a half of the delay, always the same for the same conversation.
    await delay(options.delayMs * (0.5 + Number.parseInt(hash.slice(0, 4), 16) / 0xffff));
    const place = placeIn(story, messages);
    if (place.problem !== undefined) problems.push(`${storyId}: ${place.problem}`);
    writeAnswer(response, { model, id: hash, turn: place.turn });
  };

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      problems.push(`the model failed: ${String(error)}`);
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    asked: () => asked,
    problems: () => problems,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Follows the conversation through the plan: a turn whose call was interrupted is asked for again. */
function placeIn(
  story: PlannedStory,
  messages: readonly Message[],
): { readonly turn: PlannedTurn | undefined; readonly problem: string | undefined } {
  let next = 0;
  let problem: string | undefined;
  let isInterrupted = false;
  let hasCalls = false;
  const close = (): void => {
    if (hasCalls && !isInterrupted) next += 1;
    [hasCalls, isInterrupted] = [false, false];
  };
  for (const message of messages) {
    if (message.role === 'assistant') {
      close();
      hasCalls = (message.tool_calls?.length ?? 0) > 0;
    }
    if (message.role !== 'tool') continue;
    const output = JSON.stringify(message.content ?? '');
    if (output.includes('error: interrupted')) isInterrupted = true;
    else if (output.includes('error:')) problem = `turn ${next + 1}: ${output.slice(0, 200)}`;
  }
  close();
  return { turn: story.turns[next], problem };
}

/** Without a turn: asks for completion. */
function writeAnswer(
  response: ServerResponse,
  answer: { readonly model: string; readonly id: string; readonly turn: PlannedTurn | undefined },
): void {
  const calls = answer.turn?.map((call, index) => ({
    index,
    id: `call_${answer.id}_${index}`,
    type: 'function',
    function: { name: call.name, arguments: JSON.stringify(call.args) },
  }));
  const chunk = (delta: object, finish: string | null): object => ({
    id: `chatcmpl-${answer.id}`,
    object: 'chat.completion.chunk',
    created: 0,
    model: answer.model,
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
  const events = [
    chunk({ role: 'assistant', content: calls === undefined ? 'Done.' : 'I go on.' }, null),
    ...(calls === undefined ? [] : [chunk({ tool_calls: calls }, null)]),
    {
      ...chunk({}, calls === undefined ? 'stop' : 'tool_calls'),
      usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 },
    },
  ];
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of events) response.write(`data: ${JSON.stringify(event)}\n\n`);
  response.end('data: [DONE]\n\n');
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
