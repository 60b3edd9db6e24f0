import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { CaseResult } from '../kit.ts';
import type { Case, Step, Transport } from './cases.ts';
import { request, wireParams } from './clients.ts';
import type { ActsClient, Answer } from './clients.ts';
import { isObject, problemsOf, valuesAt } from './matches.ts';
import type { Webhook } from './webhook.ts';

type Json = { readonly [key: string]: unknown };

export interface Target {
  readonly transport: Transport;
  readonly client: ActsClient;
  /** Of the transport, as the card names it; for raw requests. */
  readonly url: string;
  /** Of the server. */
  readonly origin: string;
  readonly capabilities: Json;
  readonly webhook: Webhook;
}

/** Runs one case. Its name: `<transport>/<level>/<id>`. */
export async function runCase(test: Case, target: Target): Promise<CaseResult> {
  const name = `${target.transport}/${test.level}/${test.id}`;
  const why = reasonToSkip(test, target);
  if (why !== undefined) return { name, outcome: 'skipped', why };
  const known = new Map<string, unknown>([['webhookUrl', target.webhook.url]]);
  try {
    for (const step of test.steps) {
      const problems = await runStep(step, target, known);
      if (problems.length > 0) return { name, outcome: 'failed', why: `${step.id}: ${problems.join('; ')}` };
    }
    const problems = (await furthermore[test.id]?.(known, target)) ?? [];
    if (problems.length > 0) return { name, outcome: 'failed', why: problems.join('; ') };
  } catch (error) {
    return { name, outcome: 'failed', why: error instanceof Error ? error.message : String(error) };
  }
  return { name, outcome: 'passed' };
}

/** What cases ask of whoever runs them, in words. */
const furthermore: {
  readonly [id: string]: (known: ReadonlyMap<string, unknown>, target: Target) => Promise<readonly string[]>;
} = {
  'SEC-PUSH-001': async (known, target) =>
    await pushProblems(known.get('create-task.taskId'), target, 'Bearer test-token'),
  'PUSH-DELIV-001': async (known, target) =>
    await pushProblems(known.get('create.taskId'), target, 'Bearer test-token'),
  'PUSH-DELIV-002': async (known, target) => await pushProblems(known.get('create.taskId'), target),
  'PUSH-DELIV-003': async (known, target) => await pushProblems(known.get('create.taskId'), target),
};

async function pushProblems(taskId: unknown, { webhook }: Target, authorization?: string): Promise<readonly string[]> {
  const delivery = await webhook.firstOf(String(taskId));
  if (delivery === undefined) return ['nothing was pushed'];
  const body: unknown = JSON.parse(delivery.body);
  const kinds = ['task', 'message', 'statusUpdate', 'artifactUpdate'];
  return [
    ...problemsOf(delivery.headers.authorization, authorization, 'the header Authorization'),
    ...problemsOf(delivery.headers['content-type'], 'application/a2a+json', 'the header Content-Type'),
    ...(isObject(body) && Object.keys(body).every((key) => kinds.includes(key)) ? [] : ['what was pushed is no event']),
  ];
}

function reasonToSkip({ transport, preconditions, steps }: Case, target: Target): string | undefined {
  if (transport?.includes(target.transport) === false) return `is for ${transport.join(', ')}`;
  for (const [capability, wanted] of Object.entries(preconditions?.capabilities ?? {}))
    if ((target.capabilities[capability] === true) !== wanted)
      return `is for servers ${wanted ? 'with' : 'without'} ${capability}`;
  // Cases of streams do not say what they need.
  if (target.capabilities['streaming'] !== true && steps.some((step) => step.expect_stream !== undefined))
    return 'is for servers with streaming';
  if (steps.some((step) => step.client_response !== undefined)) return 'is for clients';
  if (JSON.stringify(steps).includes('insufficientAuthToken')) return 'asks for credentials, which nobody has here';
  return undefined;
}

async function runStep(step: Step, target: Target, known: Map<string, unknown>): Promise<readonly string[]> {
  let answer = await ask(step, target, known);
  for (let attempt = 1; step.repeat !== undefined && !holds(step.repeat.until, answer.body); attempt++) {
    if (attempt === step.repeat.max_attempts) return [`not in ${attempt} attempts: ${step.repeat.until}`];
    await delay(step.repeat.delay_ms);
    answer = await ask(step, target, known);
  }
  known.set(`${step.id}.response`, answer.body);
  const captured = Object.entries(step.capture).map(([name, path]) => [name, valuesAt(answer.body, path)[0]] as const);
  for (const [name, value] of captured) known.set(`${step.id}.${name}`, value);
  const fill = (value: unknown) => filled(value, known);
  return [
    ...(step.expect === undefined ? [] : expectProblems(answer, fill(step.expect) as Json, step)),
    ...(step.expect_error === undefined ? [] : errorProblems(answer, fill(step.expect_error) as Json)),
    ...(step.expect_stream === undefined ? [] : streamProblems(answer, fill(step.expect_stream) as Json)),
    ...step.assertions.flatMap(({ source, any }) =>
      valuesAt(fill(source), any.path).some((value) => problemsOf(value, fill(any.match)).length === 0)
        ? []
        : [`nothing at ${any.path} is ${JSON.stringify(fill(any.match))}`],
    ),
  ];
}

async function ask({ operation, params, raw }: Step, target: Target, known: Map<string, unknown>): Promise<Answer> {
  if (raw !== undefined) {
    // JSON-RPC is at the server's root as well.
    const base = target.transport === 'rest' ? target.url : target.origin;
    const body = raw.body_raw ?? (raw.body === undefined ? undefined : withMessageId(filled(raw.body, known) as Json));
    return await request(`${base}${raw.path}`, { method: raw.method, headers: raw.headers, body });
  }
  const given = filled(params, known) as Json;
  if (operation === 'get_agent_card' && given['extended'] !== true)
    return await request(`${target.origin}/.well-known/agent-card.json`, { method: 'GET' });
  if (operation === 'get_agent_card') return await target.client({ operation: 'get_extended_agent_card', params: {} });
  return await target.client({ operation: operation ?? '', params: wireParams(given) });
}

function withMessageId(body: Json): Json {
  const { params } = body;
  if (!isObject(params) || !isObject(params['message'])) return body;
  const { taskId, message, ...others } = params;
  const ids = { messageId: randomUUID(), ...(taskId === undefined ? {} : { taskId }) };
  return { ...body, params: { ...others, message: { ...ids, ...message } } };
}

/** `{{step.name}}` alone is the value itself. */
function filled(value: unknown, known: ReadonlyMap<string, unknown>): unknown {
  if (typeof value === 'string') {
    const [, alone] = /^\{\{([^{}]+)\}\}$/.exec(value) ?? [];
    if (alone !== undefined) return known.get(alone);
    return value.replaceAll(/\{\{([^{}]+)\}\}/g, (_whole, name: string) => String(known.get(name)));
  }
  if (Array.isArray(value)) return value.map((item: unknown) => filled(item, known));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, filled(one, known)]));
}

/** `status.state in [A, B]` or `status.state == A`. */
function holds(condition: string, body: unknown): boolean {
  const [, path = '', wanted = ''] = /^(\S+) (?:in|==) \[?([^\]]*)\]?$/.exec(condition) ?? [];
  return wanted.split(',').some((one) => valuesAt(body, path)[0] === one.trim());
}

function expectProblems(answer: Answer, expected: Json, { raw }: Step): readonly string[] {
  const { status, body, ...direct } = expected;
  if (status === 'error' || 'error' in direct) return answer.error === undefined ? ['there is no error'] : [];
  if (raw === undefined && answer.error !== undefined) return [`${answer.error.code}: ${answer.error.message}`];
  const wrongStatus =
    raw === undefined || status === undefined ? [] : problemsOf(answer.status, status, 'the HTTP status');
  return [...wrongStatus, ...problemsOf(answer.body, body ?? {}), ...problemsOf(answer.body, direct)];
}

function errorProblems({ error }: Answer, expected: Json): readonly string[] {
  if (error === undefined) return ['there is no error'];
  const { error_type: type, ...others } = expected;
  return problemsOf(error, type === undefined ? others : { ...others, code: type });
}

/** In which order the states of a stream may come. */
const places: { readonly [state: string]: number } = { TASK_STATE_SUBMITTED: 0, TASK_STATE_WORKING: 1 };

function streamProblems({ events: came, error }: Answer, expected: Json): readonly string[] {
  if (error !== undefined) return [`${error.code}: ${error.message}`];
  if (came === undefined) return ['it is no stream'];
  const events = came.map(viewOf);
  const { min_count: least = 1, ordering, final_event: last, each_event: each, events: wanted = [] } = expected;
  const states = events.flatMap(({ status }) => (isObject(status) ? [places[String(status['state'])] ?? 2] : []));
  return [
    ...(events.length >= Number(least) ? [] : [`it has ${events.length} events`]),
    ...(ordering === undefined || states.every((state, index) => state >= (states[index - 1] ?? 0))
      ? []
      : ['states go back']),
    ...(last === undefined ? [] : problemsOf(events.at(-1), last, 'the last event')),
    ...(each === undefined ? [] : came.flatMap((event) => problemsOf(event, each, 'an event'))),
    ...(wanted as readonly Json[]).flatMap(({ description, match: _anywhere, index, ...event }) => {
      const among = index === undefined ? events : [events[Number(index)]];
      return among.some((one) => problemsOf(one, event).length === 0) ? [] : [String(description)];
    }),
  ];
}

/** An event with what cases look for in any kind of it. */
function viewOf(event: unknown): Json {
  if (!isObject(event)) return {};
  const { task, statusUpdate, artifactUpdate } = event;
  const { status } = isObject(statusUpdate) ? statusUpdate : isObject(task) ? task : {};
  const { artifact } = isObject(artifactUpdate) ? artifactUpdate : {};
  return {
    ...event,
    ...(statusUpdate === undefined ? {} : { status_update: statusUpdate }),
    ...(status === undefined ? {} : { status }),
    ...(artifact === undefined ? {} : { artifact }),
  };
}
