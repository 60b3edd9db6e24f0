import { z } from 'zod';

/** What a call is answered with, before anybody knows what its result is. */
export const JsonRpcAnswer = z.looseObject({
  result: z.unknown().optional(),
  error: z.looseObject({ code: z.number(), message: z.string() }).optional(),
});
export type JsonRpcAnswer = z.infer<typeof JsonRpcAnswer>;

const PartJson = z.looseObject({ text: z.string().optional(), data: z.unknown().optional() });

/** A task in JSON, of either version. */
export const TaskJson = z.looseObject({
  id: z.string(),
  contextId: z.string(),
  status: z.looseObject({ state: z.string(), message: z.looseObject({ parts: z.array(PartJson) }).optional() }),
  artifacts: z.array(z.looseObject({ artifactId: z.string(), parts: z.array(PartJson) })).optional(),
  history: z.array(z.unknown()).optional(),
});
export type TaskJson = z.infer<typeof TaskJson>;

/** What `SendMessage` is answered with. */
export const SentJson = z.looseObject({ task: TaskJson });

/** @throws when the answer is an error, or its result is something else */
export function resultOf<T>({ result, error }: JsonRpcAnswer, schema: z.ZodType<T>): T {
  if (error !== undefined) throw new Error(`${error.code}: ${error.message}`);
  return schema.parse(result);
}

/** To the server at that address, in A2A 1.0. */
export async function callJsonRpc(
  url: string,
  method: string,
  { params, token }: { readonly params: object; readonly token?: string },
): Promise<JsonRpcAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'a2a-version': '1.0',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  return JsonRpcAnswer.parse(await response.json());
}
