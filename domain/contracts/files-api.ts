/** HTTP shapes of the files of a named workspace, see `api.ts`. Paths are relative to the workspace. */
import { z } from 'zod';

const path = z.string().min(1).max(4_000).default('.');
const wholeNumber = z.coerce.number().int();

/** GET /v1/workspaces/:name/files?path= */
export const ListFilesQuery = z.strictObject({ path });
export type ListFilesQuery = z.output<typeof ListFilesQuery>;

export const FileListView = z.object({
  path: z.string(),
  /** By name. */
  entries: z.array(z.object({ name: z.string(), kind: z.enum(['file', 'folder', 'link', 'other']) })),
  /** How many more there are. */
  more: z.number(),
});
export type FileListView = z.infer<typeof FileListView>;

/** GET /v1/workspaces/:name/file?path= : lines of a text file. */
export const ReadFileQuery = z.strictObject({
  path: z.string().min(1).max(4_000),
  /** The first line, from 1. */
  fromLine: wholeNumber.positive().default(1),
  lines: wholeNumber.positive().max(10_000).default(1_000),
});
export type ReadFileQuery = z.output<typeof ReadFileQuery>;

export const FileView = z.object({
  path: z.string(),
  bytes: z.number(),
  fromLine: z.number(),
  /** Whole lines, with at most 200,000 characters; each of them cut at 8,000. */
  text: z.string(),
  /** The line to go on with; null at the end. */
  next: z.number().nullable(),
});
export type FileView = z.infer<typeof FileView>;

/** GET /v1/workspaces/:name/search?pattern= : lines of files that git does not ignore. */
export const SearchFilesQuery = z.strictObject({
  pattern: z.string().min(1).max(1_000),
  /** Only in this file, or below this folder. */
  path,
  /** The pattern is a JavaScript regular expression, else plain text. */
  regex: z
    .stringbool({ truthy: ['true'], falsy: ['false'] })
    .meta({ enum: ['true', 'false'] })
    .default(false),
  limit: wholeNumber.positive().max(500).default(100),
});
export type SearchFilesQuery = z.output<typeof SearchFilesQuery>;

export const FileSearchView = z.object({
  /** By file, then by line; each line is cut at 300 characters. */
  matches: z.array(z.object({ path: z.string(), line: z.number(), text: z.string() })),
  /** There may be more than `limit`. */
  limited: z.boolean(),
});
export type FileSearchView = z.infer<typeof FileSearchView>;
