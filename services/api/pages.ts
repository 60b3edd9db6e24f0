import { createHash } from 'node:crypto';
import { z } from 'zod';
import { CodetetherError } from '../../domain/errors.ts';

/** Query of a list that is read page by page. */
export const pageQuery = {
  limit: z.coerce.number().int().positive().max(500).default(50),
  /** `nextCursor` of the page before. */
  cursor: z.string().min(1).max(2_000).optional(),
} as const;

/** A time in a cursor, in milliseconds. */
export const placeTime = z.number().int().nonnegative().max(8.64e15);

/** An id in a cursor. */
export const placeName = z.string().regex(/^[^\0]{1,500}$/);

export interface PageRequest {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** What a cursor stands for: the keys by which its list is sorted, of the last item that was given. */
type Position = (string | number)[];

/**
 * The cursors of one list, as one tenant reads it with one filter. They name a place between items, not a number of them, so that what comes or
 * goes meanwhile moves nothing.
 */
export interface Cursors<P extends Position> {
  /** Undefined for the first page. @throws `request-invalid` for a cursor that is none of this list */
  read(cursor: string | undefined): P | undefined;
  write(position: P): string;
}

/** @param of all that makes it another list: tenant, route, filters */
export function cursorsOf<P extends Position>(of: readonly unknown[], position: z.ZodType<P>): Cursors<P> {
  const list = createHash('sha256').update(JSON.stringify(of)).digest('base64url').slice(0, 10);
  const Cursor = z.tuple([z.literal(list), position]);
  return {
    read: (cursor) => {
      if (cursor === undefined) return undefined;
      const parsed = Cursor.safeParse(parsedJson(Buffer.from(cursor, 'base64url').toString()));
      if (parsed.success) return parsed.data[1];
      throw new CodetetherError('request-invalid', undefined, {
        problems: ['cursor: expected the nextCursor of a page of this list'],
      });
    },
    write: (at) => Buffer.from(JSON.stringify([list, at])).toString('base64url'),
  };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * One page of items that were read with one more than `limit`, and the cursor of the next.
 * @param at an item's place in the list
 */
export function pageOf<T, P extends Position>(
  read: readonly T[],
  { limit, cursors, at }: { readonly limit: number; readonly cursors: Cursors<P>; readonly at: (item: T) => P },
): { readonly items: readonly T[]; readonly nextCursor: string | null } {
  const items = read.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: read.length > limit && last !== undefined ? cursors.write(at(last)) : null };
}

/**
 * The same of a short list, which is read whole.
 * @param key sorts it; no two items have the same
 */
export function pageOfAll<T>(
  all: readonly T[],
  { page, of, key }: { readonly page: PageRequest; readonly of: readonly unknown[]; readonly key: (item: T) => string },
): { readonly items: readonly T[]; readonly nextCursor: string | null } {
  const cursors = cursorsOf(of, z.tuple([z.string()]));
  const [after] = cursors.read(page.cursor) ?? [];
  const sorted = all
    .map((item) => ({ item, place: key(item) }))
    .filter(({ place }) => after === undefined || place > after)
    .toSorted((a, b) => (a.place < b.place ? -1 : 1));
  const { items, nextCursor } = pageOf(sorted, { limit: page.limit, cursors, at: ({ place }) => [place] as [string] });
  return { items: items.map(({ item }) => item), nextCursor };
}
