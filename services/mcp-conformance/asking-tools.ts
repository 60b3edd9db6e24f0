import { acceptedContent, inputRequired, inputResponse } from '@modelcontextprotocol/server';
import type { InputRequests, McpServer, RequestStateCodec } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { text } from './samples.ts';

/** Unchecked, as the client sent them. */
type Responses = Readonly<Record<string, unknown>>;

/** What an unfinished call brings back with its answers. */
export interface CallState {
  readonly round: number;
}

interface AskingTool {
  readonly name: string;
  readonly description: string;
  readonly requests: InputRequests;
  /** Undefined: what was answered is not enough, so it asks again. */
  readonly tell: (responses: Responses) => string | undefined;
  /** It answers only a call that brings its state back. */
  readonly keepsState?: boolean;
}

const Name = z.object({ name: z.string() });
const Confirmation = z.object({ ok: z.boolean() });
const askName = inputRequired.elicit({ message: 'What is your name?', requestedSchema: Name });
const confirm = inputRequired.elicit({ message: 'Please confirm.', requestedSchema: Confirmation });
const askModel = (prompt: string, maxTokens = 100) =>
  inputRequired.createMessage({ messages: [{ role: 'user', content: text(prompt) }], maxTokens });

const tools: readonly AskingTool[] = [
  {
    name: 'test_elicitation_sep1034_defaults',
    description: 'Asks a person with a default for each kind of field.',
    requests: { form: inputRequired.elicit({ message: 'Review the defaults.', requestedSchema: defaultsForm() }) },
    tell: (responses) => toldForm(responses, 'form'),
  },
  {
    name: 'test_elicitation_sep1330_enums',
    description: 'Asks a person to choose, in each way that a choice can be written.',
    requests: { form: inputRequired.elicit({ message: 'Choose.', requestedSchema: choicesForm() }) },
    tell: (responses) => toldForm(responses, 'form'),
  },
  {
    name: 'test_missing_capability',
    description: 'Asks for the model of a client that has said that it has none.',
    requests: { answer: askModel('Say pong.') },
    tell: (responses) => toldModel(responses, 'answer'),
  },
  {
    name: 'test_input_required_result_elicitation',
    description: 'Asks for a name.',
    requests: { user_name: askName },
    tell: (responses) => greeting(responses),
  },
  {
    name: 'test_input_required_result_sampling',
    description: 'Asks a model.',
    requests: { capital_question: askModel('What is the capital of France?') },
    tell: (responses) => toldModel(responses, 'capital_question'),
  },
  {
    name: 'test_input_required_result_list_roots',
    description: 'Asks for the roots.',
    requests: { client_roots: inputRequired.listRoots() },
    tell: (responses) => toldRoots(responses, 'client_roots'),
  },
  {
    name: 'test_input_required_result_request_state',
    description: 'Asks for a confirmation, and wants its state back.',
    requests: { confirm },
    tell: (responses) => (isConfirmed(responses) ? 'state-ok' : undefined),
    keepsState: true,
  },
  {
    name: 'test_input_required_result_tampered_state',
    description: 'Asks for a confirmation, and refuses a state that was changed.',
    requests: { confirm },
    tell: (responses) => (isConfirmed(responses) ? 'integrity-ok' : undefined),
    keepsState: true,
  },
  {
    name: 'test_input_required_result_multiple_inputs',
    description: 'Asks for a name, a model and the roots at once.',
    requests: {
      user_name: askName,
      greeting: askModel('Write a greeting.', 50),
      client_roots: inputRequired.listRoots(),
    },
    tell: (responses) => {
      const told = [greeting(responses), toldModel(responses, 'greeting'), toldRoots(responses, 'client_roots')];
      return told.includes(undefined) ? undefined : told.join(' ');
    },
    keepsState: true,
  },
];

/**
 * Tools that ask something of the client before they answer. They are written once: clients of 2026-07-28 get the questions as
 * the result of their call and call again, older ones are asked while they wait.
 */
export function registerAskingTools(server: McpServer, states: RequestStateCodec<CallState>): void {
  const noInput = z.object({});
  for (const { name, description, requests, tell, keepsState = false } of tools) {
    server.registerTool(name, { description, inputSchema: noInput }, async (_, { mcpReq }) => {
      const { inputResponses = {} } = mcpReq;
      const isComplete = !keepsState || mcpReq.requestState<CallState>() !== undefined;
      const told = isComplete ? tell(inputResponses) : undefined;
      if (told !== undefined) return { content: [text(told)] };
      return inputRequired({
        inputRequests: requests,
        ...(keepsState ? { requestState: await states.mint({ round: 1 }) } : {}),
      });
    });
  }
  server.registerTool(
    'test_sampling',
    { description: 'Asks a model what it is given.', inputSchema: z.object({ prompt: z.string() }) },
    ({ prompt }, { mcpReq }) => {
      const told = toldModel(mcpReq.inputResponses ?? {}, 'answer');
      if (told !== undefined) return { content: [text(`LLM response: ${told}`)] };
      return inputRequired({ inputRequests: { answer: askModel(prompt) } });
    },
  );
  server.registerTool(
    'test_elicitation',
    { description: 'Asks a person what it is given.', inputSchema: z.object({ message: z.string() }) },
    ({ message }, { mcpReq }) => {
      const told = toldForm(mcpReq.inputResponses ?? {}, 'answer');
      if (told !== undefined) return { content: [text(`User response: ${told}`)] };
      const requestedSchema = z.object({ username: z.string(), email: z.string() });
      return inputRequired({ inputRequests: { answer: inputRequired.elicit({ message, requestedSchema }) } });
    },
  );
  server.registerTool(
    'test_input_required_result_multi_round',
    { description: 'Asks for a name, then for a color.', inputSchema: noInput },
    async (_, { mcpReq }) => {
      const round = mcpReq.requestState<CallState>()?.round ?? 0;
      if (round === 2) {
        const color = acceptedContent(mcpReq.inputResponses, 'color', z.object({ color: z.string() }))?.color;
        return { content: [text(`The color is ${color ?? 'none'}.`)] };
      }
      const color = inputRequired.elicit({ message: 'Which color?', requestedSchema: z.object({ color: z.string() }) });
      return inputRequired({
        inputRequests: round === 0 ? { user_name: askName } : { color },
        requestState: await states.mint({ round: round + 1 }),
      });
    },
  );
  server.registerTool(
    'test_input_required_result_capabilities',
    { description: 'Asks only for what the client says that it can do.', inputSchema: noInput },
    (_, { mcpReq }) => {
      const can = server.server.getClientCapabilities();
      const inputRequests: InputRequests = {
        ...(can?.elicitation === undefined ? {} : { user_name: askName }),
        ...(can?.sampling === undefined ? {} : { greeting: askModel('Write a greeting.', 50) }),
        ...(can?.roots === undefined ? {} : { client_roots: inputRequired.listRoots() }),
      };
      const isAnswered = mcpReq.inputResponses !== undefined || Object.keys(inputRequests).length === 0;
      return isAnswered ? { content: [text('Nothing more is asked.')] } : inputRequired({ inputRequests });
    },
  );
}

function greeting(responses: Responses): string | undefined {
  const given = acceptedContent(responses, 'user_name', Name);
  return given === undefined ? undefined : `Hello, ${given.name}!`;
}

function isConfirmed(responses: Responses): boolean {
  return acceptedContent(responses, 'confirm', Confirmation) !== undefined;
}

function toldForm(responses: Responses, key: string): string | undefined {
  const view = inputResponse(responses, key);
  return view.kind === 'elicit' ? `action=${view.action}, content=${JSON.stringify(view.content ?? {})}` : undefined;
}

function toldModel(responses: Responses, key: string): string | undefined {
  const view = inputResponse(responses, key);
  return view.kind === 'sampling' ? JSON.stringify(view.result.content) : undefined;
}

function toldRoots(responses: Responses, key: string): string | undefined {
  const view = inputResponse(responses, key);
  return view.kind === 'roots' ? view.roots.map(({ uri }) => uri).join(' ') : undefined;
}

function defaultsForm() {
  return {
    type: 'object' as const,
    properties: {
      name: { type: 'string' as const, default: 'John Doe' },
      age: { type: 'integer' as const, default: 30 },
      score: { type: 'number' as const, default: 95.5 },
      status: { type: 'string' as const, enum: ['active', 'inactive', 'pending'], default: 'active' },
      verified: { type: 'boolean' as const, default: true },
    },
  };
}

function choicesForm() {
  const untitled = ['option1', 'option2', 'option3'];
  const titled = [
    { const: 'value1', title: 'First' },
    { const: 'value2', title: 'Second' },
    { const: 'value3', title: 'Third' },
  ];
  return {
    type: 'object' as const,
    properties: {
      untitledSingle: { type: 'string' as const, enum: untitled },
      titledSingle: { type: 'string' as const, oneOf: titled },
      legacyEnum: { type: 'string' as const, enum: ['opt1', 'opt2', 'opt3'], enumNames: ['One', 'Two', 'Three'] },
      untitledMulti: { type: 'array' as const, items: { type: 'string' as const, enum: untitled } },
      titledMulti: { type: 'array' as const, items: { anyOf: titled } },
    },
  };
}
