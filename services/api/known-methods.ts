import type { FastifyInstance } from 'fastify';
import { CodetetherError } from '../../domain/errors.ts';

/** What stands for a part of an address in a route: a literal colon, a parameter, the rest, any other character. */
const parts = /::|:\w+(?:\([^)]*\))?|\*|\W/g;

/** A path of the routes that are registered from now on is, with another method than it has, not missing: `method-not-allowed`. */
export function refuseOtherMethods(app: FastifyInstance): void {
  const paths = new Map<string, { readonly form: RegExp; readonly methods: Set<string> }>();
  app.addHook('onRoute', ({ url, method }) => {
    const path = paths.get(url) ?? { form: formOf(url), methods: new Set() };
    paths.set(url, path);
    for (const one of [method].flat()) path.methods.add(one);
  });
  app.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return;
    const [asked = ''] = request.url.split('?');
    const fitting = [...paths.values()].filter(({ form }) => form.test(asked));
    if (fitting.length === 0) return;
    const allow = [...new Set(fitting.flatMap(({ methods }) => [...methods]))].toSorted().join(', ');
    reply.header('allow', allow);
    throw new CodetetherError('method-not-allowed', `${asked} takes ${allow}, not ${request.method}`);
  });
}

function formOf(url: string): RegExp {
  const form = url.replaceAll(parts, (part) => {
    if (part === '*') return '.*';
    if (part === '::') return ':';
    return part.startsWith(':') && part.length > 1 ? '[^/]+' : `\\${part}`;
  });
  return new RegExp(`^${form}$`);
}
