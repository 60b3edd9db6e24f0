import { z } from 'zod';

type Schema = z.infer<typeof Schema>;
const Schema = z.looseObject({
  $ref: z.string().exactOptional(),
  type: z.union([z.string(), z.array(z.string())]).exactOptional(),
  const: z.unknown().optional(),
  enum: z.array(z.unknown()).exactOptional(),
  get anyOf() {
    return z.array(Schema).exactOptional();
  },
  get oneOf() {
    return z.array(Schema).exactOptional();
  },
  get allOf() {
    return z.array(Schema).exactOptional();
  },
  get items() {
    return Schema.exactOptional();
  },
  get prefixItems() {
    return z.array(Schema).exactOptional();
  },
  get properties() {
    return z.record(z.string(), Schema).exactOptional();
  },
  get additionalProperties() {
    return z.union([z.boolean(), Schema]).exactOptional();
  },
  required: z.array(z.string()).exactOptional(),
});
const Content = z.record(z.string(), z.object({ schema: Schema.optional() }));
const Operation = z.object({
  summary: z.string(),
  parameters: z
    .array(
      z.object({ name: z.string(), in: z.enum(['path', 'query', 'header']), required: z.boolean(), schema: Schema }),
    )
    .default([]),
  requestBody: z.object({ required: z.boolean(), content: Content }).optional(),
  responses: z.record(z.string(), z.object({ content: Content.optional() })),
});
type Operation = z.infer<typeof Operation>;
const Document = z.object({
  paths: z.record(z.string(), z.record(z.string(), Operation)),
  components: z.object({ schemas: z.record(z.string(), Schema) }),
});

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;

/** The types of an OpenAPI document of ours, in the form that `openapi-fetch` takes: `paths` and `components`. */
export function openApiTypes(document: unknown): string {
  const { paths, components } = Document.parse(document);
  const schemas = Object.entries(components.schemas).map(([name, schema]) => `${key(name)}: ${typeOf(schema)};`);
  const routes = Object.entries(paths).map(([path, operations]) => {
    const all = methods.map((method) => {
      const operation = operations[method];
      return operation === undefined
        ? `${method}?: never;`
        : `/** ${operation.summary} */\n${method}: ${operationType(operation)};`;
    });
    return `${key(path)}: ${block(['parameters: { query?: never; header?: never; path?: never; cookie?: never };', ...all])};`;
  });
  return [
    '// Made from /openapi.json by test/integration/openapi.test.ts (vitest -u); not to be edited.',
    `export interface paths ${block(routes)}`,
    `export interface components ${block([`schemas: ${block(schemas)};`])}`,
    '',
  ].join('\n\n');
}

function operationType({ parameters, requestBody, responses }: Operation): string {
  const places = (['query', 'header', 'path'] as const).map((place) => {
    const own = parameters.filter((parameter) => parameter.in === place);
    if (own.length === 0) return `${place}?: never;`;
    const optional = own.some(({ required }) => required) ? '' : '?';
    return `${place}${optional}: ${block(own.map(({ name, required, schema }) => member(name, required, schema)))};`;
  });
  const answers = Object.entries(responses).map(
    ([status, { content }]) =>
      `${key(status)}: { headers: { [name: string]: unknown }; content${contentType(content)} };`,
  );
  return block([
    `parameters: ${block([...places, 'cookie?: never;'])};`,
    requestBody === undefined
      ? 'requestBody?: never;'
      : `requestBody${requestBody.required ? '' : '?'}: { content${contentType(requestBody.content)} };`,
    `responses: ${block(answers)};`,
  ]);
}

function contentType(content: z.infer<typeof Content> | undefined): string {
  if (content === undefined) return '?: never';
  const types = Object.entries(content).map(
    ([type, { schema }]) =>
      `${key(type)}: ${schema === undefined ? (type === 'application/json' ? 'unknown' : 'string') : typeOf(schema)};`,
  );
  return `: ${block(types)}`;
}

function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return `components['schemas']['${schema.$ref.split('/').at(-1) ?? ''}']`;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return union(schema.enum.map((each) => JSON.stringify(each)));
  const options = schema.anyOf ?? (schema.type === undefined ? schema.oneOf : undefined);
  if (options !== undefined) return union(options.map(typeOf));
  if (schema.allOf !== undefined && schema.type === undefined)
    return schema.allOf.map((each) => `(${typeOf(each)})`).join(' & ');
  if (Array.isArray(schema.type)) return union(schema.type.map((type) => typeOf({ ...schema, type })));
  switch (schema.type) {
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type;
    case 'number':
    case 'integer':
      return 'number';
    case 'array':
      if (schema.prefixItems !== undefined) return `[${schema.prefixItems.map(typeOf).join(', ')}]`;
      return schema.items === undefined ? 'unknown[]' : `(${typeOf(schema.items)})[]`;
    case 'object':
      return objectType(schema);
    case undefined:
    default:
      return 'unknown';
  }
}

function objectType({ properties = {}, required = [], additionalProperties }: Schema): string {
  const members = Object.entries(properties).map(([name, schema]) => member(name, required.includes(name), schema));
  const isOpen = typeof additionalProperties === 'object' || (additionalProperties !== false && members.length === 0);
  const more = typeof additionalProperties === 'object' ? typeOf(additionalProperties) : 'unknown';
  if (!isOpen) return block(members);
  return members.length === 0 ? `{ [key: string]: ${more} }` : `${block(members)} & { [key: string]: unknown }`;
}

function member(name: string, isRequired: boolean, schema: Schema): string {
  return `${key(name)}${isRequired ? '' : '?'}: ${typeOf(schema)};`;
}

function union(types: readonly string[]): string {
  return [...new Set(types)].join(' | ');
}

function key(name: string): string {
  return /^[A-Za-z_]\w*$|^\d+$/.test(name) ? name : `'${name}'`;
}

function block(members: readonly string[]): string {
  if (members.length === 0) return '{}';
  return `{\n${members.map((each) => each.replaceAll(/^/gm, '  ')).join('\n')}\n}`;
}
