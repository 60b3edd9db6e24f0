import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

export const transports = ['jsonrpc', 'rest', 'grpc'] as const;
export type Transport = (typeof transports)[number];

const Json = z.record(z.string(), z.unknown());

const Step = z.object({
  id: z.string(),
  operation: z.string().optional(),
  params: Json.default({}),
  raw: z
    .object({
      method: z.string(),
      path: z.string(),
      headers: z.record(z.string(), z.string()).default({}),
      body: Json.optional(),
      body_raw: z.string().optional(),
    })
    .optional(),
  client_response: z.unknown().optional(),
  expect: Json.optional(),
  expect_error: Json.optional(),
  expect_stream: Json.optional(),
  capture: z.record(z.string(), z.string()).default({}),
  assertions: z
    .array(z.object({ source: z.string(), any: z.object({ path: z.string(), match: z.unknown() }) }))
    .default([]),
  repeat: z.object({ until: z.string(), max_attempts: z.number(), delay_ms: z.number() }).optional(),
});
export type Step = z.output<typeof Step>;

const Case = z.object({
  id: z.string(),
  level: z.enum(['must', 'should', 'may']),
  transport: z.array(z.enum(transports)).optional(),
  preconditions: z.object({ capabilities: z.record(z.string(), z.boolean()) }).optional(),
  steps: z.array(Step),
});
export type Case = z.output<typeof Case>;

const Cases = z.object({ suites: z.array(z.object({ tests: z.array(Case) })) });
const Suite = z.object({ include: z.array(z.string()) });

/** All cases of the suite, in its order. */
export async function readCases(folder: string): Promise<readonly Case[]> {
  const { include } = Suite.parse(await readYaml(folder, 'suite.acts.yaml'));
  const cases: Case[] = [];
  for (const file of include)
    cases.push(...Cases.parse(await readYaml(folder, file)).suites.flatMap(({ tests }) => tests));
  return cases;
}

async function readYaml(folder: string, file: string): Promise<unknown> {
  return parse(await readFile(join(folder, file), 'utf8'));
}
