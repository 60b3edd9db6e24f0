import type { FastifyInstance } from 'fastify';
import { CodetetherError } from '../../domain/errors.ts';

const deepest = 64;

/**
 * Bodies are JSON, with no more than 64 levels, so that whatever goes through one by recursion ends; one that names a prototype is
 * refused. Throws `request-invalid`.
 */
export function takeJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body: string, done) => {
    if (isDeeper(body)) done(new CodetetherError('request-invalid', `the body has more than ${deepest} levels`));
    else void parse(request, body, done);
  });
}

/** Whether JSON has more levels than are taken. Looks at the text: what is deep is not parsed at all. */
export function isDeeper(text: string): boolean {
  let level = 0;
  let inText = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (inText) {
      if (character === '\\') index++;
      else if (character === '"') inText = false;
    } else if (character === '"') inText = true;
    else if (character === '{' || character === '[') {
      if (++level > deepest) return true;
    } else if (character === '}' || character === ']') level--;
  }
  return false;
}
