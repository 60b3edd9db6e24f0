import type { FastifyContextConfig, FastifyInstance, RouteOptions } from 'fastify';
import { z } from 'zod';
import { errorCatalogue } from '../../domain/errors.ts';
import type { Json } from '../../domain/errors.ts';
import { hasETag } from './etags.ts';

type JsonObject = { readonly [key: string]: Json };
/** Of a route's place in the request; `header`: of those that it reads. */
type Place = 'path' | 'query' | 'header';

/** What this document is about; what speaks a protocol of its own (A2A, MCP) is described there. */
const described = /^\/(?:v1\/|health$|ready$|metrics$|openapi\.json$)/;
const bearer = 'token';
const apiKey = 'apiKey';
const problemReference = { $ref: '#/components/schemas/Problem' };

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'A request that comes again with the same key within 24 hours is done once, and gets the first answer.',
  schema: { type: 'string', pattern: '^[!-~]{1,255}$' },
};

const ifNoneMatch = {
  name: 'If-None-Match',
  in: 'header',
  required: false,
  description: 'The ETag of an earlier answer: 304 while nothing has changed.',
  schema: { type: 'string' },
};

const Problem = z.object({
  code: z.enum(Object.keys(errorCatalogue) as [string]).describe('What programs branch on; texts may change.'),
  title: z.string(),
  status: z.number().int(),
  problems: z.array(z.string()),
  next: z.string().describe('What to do next.'),
  details: z.record(z.string(), z.unknown()),
});

/**
 * Adds `GET /openapi.json`: the OpenAPI 3.1 document of the routes that are registered from now on, made from the schemas that
 * requests and answers are held to.
 */
export function describeRoutes(app: FastifyInstance, version: string): void {
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => {
    if (described.test(route.url) && route.config?.protocol === undefined) routes.push(route);
  });
  let text: string | undefined;
  app.get(
    '/openapi.json',
    { config: { summary: 'This document', answers: { 200: ['application/json'] } } },
    async (_request, reply) => {
      text ??= JSON.stringify(openApiDocument(routes, version));
      return await reply.type('application/json; charset=utf-8').send(text);
    },
  );
}

function openApiDocument(routes: readonly RouteOptions[], version: string): JsonObject {
  const paths: Record<string, Record<string, JsonObject>> = {};
  for (const route of routes) {
    const path = route.url.replaceAll(/:(\w+)/g, '{$1}');
    for (const method of [route.method].flat()) {
      if (method !== 'HEAD') (paths[path] ??= {})[method.toLowerCase()] = operation(route, method, path);
    }
  }
  return {
    openapi: '3.1.1',
    info: { title: 'codetether', version, description: 'A durable orchestrator for AI coding agents.' },
    paths,
    components: {
      schemas: { Problem: jsonSchema(Problem, 'output') },
      securitySchemes: {
        [bearer]: { type: 'http', scheme: 'bearer', description: 'Of codetether token create, or of the issuer.' },
        [apiKey]: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      },
    },
  };
}

function operation({ config, schema }: RouteOptions, method: string, path: string): JsonObject {
  const permission = config?.permission;
  const isTagged = method === 'GET' && config?.answers === undefined && hasETag(path, config ?? {});
  const parameters = [
    ...parametersOf(schema?.params, 'path'),
    ...parametersOf(schema?.querystring, 'query'),
    ...parametersOf(schema?.headers, 'header'),
    ...(method === 'POST' ? [idempotencyKey] : []),
    ...(isTagged ? [ifNoneMatch] : []),
  ];
  return {
    operationId: [method.toLowerCase(), ...path.split('/').filter((part) => part !== '')]
      .map((part) => part.replaceAll(/\W/g, ''))
      .join('_'),
    tags: [path.startsWith('/v1/') ? (path.split('/')[2] ?? '') : 'process'],
    summary: config?.summary ?? '',
    ...(permission === undefined ? {} : { description: `Needs \`${permission}\`.`, 'x-permission': permission }),
    security: permission === undefined ? [] : [{ [bearer]: [] }, { [apiKey]: [] }],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(schema?.body === undefined ? {} : { requestBody: requestBody(schema.body) }),
    responses: {
      ...responsesOf(config, schema?.response),
      ...(isTagged ? { 304: { description: 'As it was when it had this ETag.' } } : {}),
    },
  };
}

function parametersOf(schema: unknown, place: Place): readonly JsonObject[] {
  if (!(schema instanceof z.ZodObject)) return [];
  const { properties, required } = ObjectSchema.parse(jsonSchema(schema, 'input'));
  return Object.entries(properties)
    .filter(([name]) => !(place === 'header' && name === 'accept'))
    .map(([name, property]) => {
      const { description, ...rest } = property;
      const isRequired = place === 'path' || required.includes(name);
      return {
        name,
        in: place,
        required: isRequired,
        ...(description === undefined ? {} : { description }),
        schema: rest,
      };
    });
}

const ObjectSchema = z.object({
  properties: z.record(z.string(), z.record(z.string(), z.json())).default({}),
  required: z.array(z.string()).default([]),
});

function requestBody(schema: unknown): JsonObject {
  const isOptional = schema instanceof z.ZodType && schema.isOptional();
  return { required: !isOptional, content: { 'application/json': { schema: jsonSchema(schema, 'input') } } };
}

function responsesOf(
  { answers = {}, errors }: Pick<FastifyContextConfig, 'answers' | 'errors'> = {},
  schemas: unknown,
): { readonly [status: string]: JsonObject } {
  const documents = new Map<string, unknown>(Object.entries(schemas ?? {}));
  const statuses = [...new Set([...documents.keys(), ...Object.keys(answers)])];
  const done = statuses.map((status) => {
    const types = answers[Number(status)] ?? [];
    const content = {
      ...Object.fromEntries(types.map((type) => [type, {}])),
      ...(documents.has(status) ? { 'application/json': { schema: jsonSchema(documents.get(status), 'output') } } : {}),
    };
    const isEmpty = Object.keys(content).length === 0;
    return [status, isEmpty ? { description: 'Nothing more comes.' } : { description: 'Done.', content }];
  });
  const problem = {
    description: 'A problem of RFC 9457 with a code of the catalogue.',
    content: { 'application/problem+json': { schema: problemReference } },
  };
  const failure =
    errors === undefined
      ? problem
      : {
          description: 'What went wrong; a problem where the request was not read as far as its route.',
          content: { 'application/json': { schema: jsonSchema(errors, 'output') }, ...problem.content },
        };
  return { ...Object.fromEntries(done), '4XX': failure, '5XX': failure };
}

function jsonSchema(schema: unknown, io: 'input' | 'output'): JsonObject {
  if (!(schema instanceof z.ZodType)) return {};
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' });
  return JSON.parse(JSON.stringify(rest));
}
