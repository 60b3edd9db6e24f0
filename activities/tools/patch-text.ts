/** Reads patches as people and models write them: unified diffs (git's too) and the `*** Begin Patch` envelope. Pure. */

export interface PatchLine {
  /** ` ` stays, `-` goes, `+` comes. */
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

export interface Hunk {
  /** Line of the old file, from 1, that the hunk begins at; null where the patch gives none. */
  readonly line: number | null;
  /** Text of a line above the hunk, as `@@ function parse` gives it; null when it gives none. */
  readonly below: string | null;
  readonly lines: readonly PatchLine[];
  /** Said by `\ No newline at end of file`; null: as it is in the file. */
  readonly endsWithNewline: boolean | null;
  /** The hunk's last line is the file's last one. */
  readonly isAtEnd: boolean;
}

export type FilePatch =
  | { readonly kind: 'add'; readonly path: string; readonly content: string; readonly mode: number | undefined }
  | { readonly kind: 'delete'; readonly path: string; readonly hunks: readonly Hunk[] }
  | {
      readonly kind: 'update';
      readonly path: string;
      /** Null: it stays where it is. */
      readonly newPath: string | null;
      readonly mode: number | undefined;
      readonly hunks: readonly Hunk[];
    };

export type ParsedPatch =
  | { readonly kind: 'parsed'; readonly files: readonly FilePatch[] }
  /** `line` of the patch, from 1. */
  | { readonly kind: 'malformed'; readonly line: number; readonly problem: string };

/** Never throws. A patch of no files is malformed. */
export function parsePatch(patch: string): ParsedPatch {
  const lines = patch.replaceAll('\r\n', '\n').split('\n');
  if (lines.at(-1) === '') lines.pop();
  const reader = new LineReader(withoutFence(lines));
  try {
    const isEnvelope = reader.lines.some((line) => line.startsWith('*** Begin Patch'));
    const files = isEnvelope ? readEnvelope(reader) : readUnified(reader);
    if (files.length === 0) throw new Malformed(1, 'there is no file header (--- and +++, or *** Update File:) in it');
    return { kind: 'parsed', files };
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', line: error.line, problem: error.message };
    throw error;
  }
}

class Malformed extends Error {
  readonly line: number;
  constructor(line: number, problem: string) {
    super(problem);
    this.line = line;
  }
}

/** Models like to put a patch into a fence of Markdown. */
function withoutFence(lines: readonly string[]): readonly string[] {
  const isFenced = lines[0]?.startsWith('```') === true && /^```\s*$/.test(lines.at(-1) ?? '');
  return isFenced ? lines.slice(1, -1) : lines;
}

class LineReader {
  readonly lines: readonly string[];
  at = 0;
  constructor(lines: readonly string[]) {
    this.lines = lines;
  }
  get peek(): string | undefined {
    return this.lines[this.at];
  }
  next(): string {
    this.at += 1;
    return this.lines[this.at - 1] ?? '';
  }
  fail(problem: string): never {
    throw new Malformed(this.at + 1, problem);
  }
}

// ── the envelope ─────────────────────────────────────────────────────────────

function readEnvelope(reader: LineReader): FilePatch[] {
  while (reader.peek?.startsWith('*** Begin Patch') === false) reader.next();
  reader.next();
  const files: FilePatch[] = [];
  for (;;) {
    const line = reader.peek;
    if (line === undefined) reader.fail('*** End Patch is missing: the patch may be cut off');
    if (line.startsWith('*** End Patch')) return files;
    const header = /^\*\*\* (Add|Delete|Update) File: (.+)$/.exec(line);
    if (header === null) {
      if (line.trim() !== '')
        reader.fail('expected *** Add File:, *** Delete File:, *** Update File: or *** End Patch');
      reader.next();
      continue;
    }
    reader.next();
    const path = (header[2] ?? '').trim();
    if (header[1] === 'Add') files.push(readAddedFile(reader, path));
    else if (header[1] === 'Delete') files.push({ kind: 'delete', path, hunks: [] });
    else files.push(readUpdatedFile(reader, path));
  }
}

function readAddedFile(reader: LineReader, path: string): FilePatch {
  const content: string[] = [];
  while (reader.peek !== undefined && !reader.peek.startsWith('*** ')) {
    const line = reader.peek;
    if (!line.startsWith('+')) reader.fail('each line of an added file begins with +');
    content.push(`${line.slice(1)}\n`);
    reader.next();
  }
  return { kind: 'add', path, content: content.join(''), mode: undefined };
}

function readUpdatedFile(reader: LineReader, path: string): FilePatch {
  const moved = /^\*\*\* Move to: (.+)$/.exec(reader.peek ?? '');
  if (moved !== null) reader.next();
  const hunks: Hunk[] = [];
  while (reader.peek !== undefined && !isEnvelopeHeader(reader.peek)) hunks.push(readEnvelopeHunk(reader));
  const newPath = moved?.[1]?.trim() ?? null;
  if (hunks.length === 0 && newPath === null) reader.fail(`the update of ${path} has no hunk`);
  return { kind: 'update', path, newPath, mode: undefined, hunks };
}

const isEnvelopeHeader = (line: string): boolean => /^\*\*\* (?:Add File|Delete File|Update File|End Patch)/.test(line);

function readEnvelopeHunk(reader: LineReader): Hunk {
  let below: string | null = null;
  let line: number | null = null;
  while (reader.peek?.startsWith('@@') === true) {
    const numbered = hunkHeader.exec(reader.peek);
    if (numbered === null) below = reader.peek.replace(/^@@ ?/, '').replace(/ ?@@$/, '') || below;
    else line = oldStart(numbered);
    reader.next();
  }
  const lines: PatchLine[] = [];
  let isAtEnd = false;
  while (reader.peek !== undefined && !isEnvelopeHeader(reader.peek) && !reader.peek.startsWith('@@')) {
    const text = reader.next();
    if (text.startsWith('*** End of File')) {
      isAtEnd = true;
      break;
    }
    const read = patchLine(text);
    if (read === undefined) {
      reader.at -= 1;
      reader.fail('each line of a hunk begins with a blank, - or +');
    }
    lines.push(read);
  }
  if (lines.length === 0) reader.fail('the hunk has no lines');
  return { line, below, lines, endsWithNewline: null, isAtEnd };
}

/** An empty line stands for an empty line that stays: editors and models take its one blank away. */
function patchLine(line: string): PatchLine | undefined {
  if (line === '') return { sign: ' ', text: '' };
  const sign = line[0];
  return sign === ' ' || sign === '-' || sign === '+' ? { sign, text: line.slice(1) } : undefined;
}

// ── unified diffs ────────────────────────────────────────────────────────────

const hunkHeader = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$/;

/** A hunk that takes nothing away names the line that it comes after. */
const oldStart = (header: RegExpExecArray): number => Number(header[1]) + (header[2] === '0' ? 1 : 0);

interface FileHeader {
  oldPath: string | null;
  newPath: string | null;
  mode: number | undefined;
  isNew: boolean;
  isDeleted: boolean;
}

function readUnified(reader: LineReader): FilePatch[] {
  const files: FilePatch[] = [];
  while (reader.peek !== undefined) {
    if (reader.peek.startsWith('diff --git ') || isFileHeader(reader)) files.push(readFile(reader));
    else if (reader.peek.startsWith('@@ ')) reader.fail('a hunk without the --- and +++ lines of its file before it');
    else reader.next();
  }
  return files;
}

const isFileHeader = (reader: LineReader): boolean =>
  reader.peek?.startsWith('--- ') === true && reader.lines[reader.at + 1]?.startsWith('+++ ') === true;

/** Inside of a hunk: a removed `-- x` and an added `++ y` look like a file header, but for what follows. */
const isNextFile = (reader: LineReader): boolean =>
  isFileHeader(reader) && reader.lines[reader.at + 2]?.startsWith('@@ ') === true;

function readFile(reader: LineReader): FilePatch {
  const header: FileHeader = { oldPath: null, newPath: null, mode: undefined, isNew: false, isDeleted: false };
  if (reader.peek?.startsWith('diff --git ') === true) readGitHeader(reader, header);
  if (isFileHeader(reader)) {
    const [from, to] = [pathOf(reader.next().slice(4)), pathOf(reader.next().slice(4))];
    header.isNew ||= from === null;
    header.isDeleted ||= to === null;
    header.oldPath = from === null ? null : withoutSide(from, 'a/', to, 'b/');
    header.newPath = to === null ? null : withoutSide(to, 'b/', from, 'a/');
  }
  const hunks: Hunk[] = [];
  while (reader.peek?.startsWith('@@ ') === true) hunks.push(readHunk(reader));
  const { oldPath, newPath, mode, isNew, isDeleted } = header;
  const path = isNew ? newPath : oldPath;
  if (path === null) reader.fail('the file has no name');
  if (isNew) return { kind: 'add', path, content: addedContent(hunks), mode };
  if (isDeleted) return { kind: 'delete', path, hunks };
  const moved = newPath === null || newPath === path ? null : newPath;
  if (hunks.length === 0 && moved === null && mode === undefined) reader.fail(`the change of ${path} has no hunk`);
  return { kind: 'update', path, newPath: moved, mode, hunks };
}

function readGitHeader(reader: LineReader, header: FileHeader): void {
  const names = /^diff --git (?:"?a\/(.+?)"?) (?:"?b\/(.+?)"?)$/.exec(reader.next());
  header.oldPath = names?.[1] ?? null;
  header.newPath = names?.[2] ?? null;
  for (; reader.peek !== undefined; reader.next()) {
    const line = reader.peek;
    const mode = /^(new file|deleted file|new|old) mode (\d{6})$/.exec(line);
    const named = /^(?:rename|copy) (from|to) (.+)$/.exec(line);
    if (mode !== null) {
      if (/^1[26]/.test(mode[2] ?? '')) reader.fail('links and submodules are not patched; use bash');
      header.isNew ||= mode[1] === 'new file';
      header.isDeleted ||= mode[1] === 'deleted file';
      if (mode[1]?.startsWith('new') === true) header.mode = Number.parseInt((mode[2] ?? '').slice(-3), 8);
    } else if (named !== null) {
      if (line.startsWith('copy')) reader.fail('copies are not understood; add the file with its content');
      const path = unquoted(named[2] ?? '');
      if (named[1] === 'from') header.oldPath = path;
      else header.newPath = path;
    } else if (line.startsWith('GIT binary patch') || line.startsWith('Binary files ')) {
      reader.fail('binary files are not patched');
    } else if (!/^(?:index |similarity index |dissimilarity index )/.test(line)) return;
  }
}

/** Null for `/dev/null`; without the time that `diff -u` writes behind a tab. */
function pathOf(text: string): string | null {
  const path = unquoted(text.split('\t')[0]?.trim() ?? '');
  return path === '/dev/null' ? null : path;
}

/** git quotes names with other than plain letters: `"gr\303\266\303\237e"`. */
function unquoted(name: string): string {
  if (!/^".*"$/.test(name)) return name;
  const bytes: number[] = [];
  const escapes: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, '"': 34, '\\': 92 };
  for (const [part] of name.slice(1, -1).matchAll(/\\[0-7]{3}|\\.|[^\\]/gsu)) {
    if (/^\\[0-7]{3}$/.test(part)) bytes.push(Number.parseInt(part.slice(1), 8));
    else if (part.startsWith('\\')) bytes.push(escapes[part[1] ?? ''] ?? part.charCodeAt(1));
    else bytes.push(...Buffer.from(part, 'utf8'));
  }
  return Buffer.from(bytes).toString('utf8');
}

/** git's `a/` and `b/` belong to both names or to none. */
function withoutSide(path: string, prefix: string, other: string | null, otherPrefix: string): string {
  const isMarked = path.startsWith(prefix) && (other === null || other.startsWith(otherPrefix));
  return isMarked ? path.slice(prefix.length) : path;
}

function readHunk(reader: LineReader): Hunk {
  const header = hunkHeader.exec(reader.peek ?? '');
  if (header === null) reader.fail('expected @@ -line,count +line,count @@');
  reader.next();
  let [oldLeft, newLeft] = [Number(header[2] ?? '1'), Number(header[4] ?? '1')];
  const lines: PatchLine[] = [];
  let endsWithNewline: boolean | null = null;
  while (reader.peek !== undefined) {
    const line = reader.peek;
    if (line.startsWith('\\')) {
      if (lines.at(-1)?.sign !== '-') endsWithNewline = false;
      else if (endsWithNewline === null) endsWithNewline = true;
      reader.next();
      continue;
    }
    const isCounted = oldLeft > 0 || newLeft > 0;
    // Counts of a model are often wrong: what cannot be anything else than a line of the hunk is one.
    if (!isCounted && (isFileHeader(reader) || !/^[-+ ]/.test(line) || isMailEnd(reader))) break;
    if (isCounted && (/^(?:@@ |diff --git )/.test(line) || isNextFile(reader))) break;
    const read = patchLine(line);
    if (read === undefined) reader.fail('each line of a hunk begins with a blank, - or +');
    lines.push(read);
    if (read.sign !== '+') oldLeft -= 1;
    if (read.sign !== '-') newLeft -= 1;
    reader.next();
  }
  if (lines.length === 0) reader.fail('the hunk has no lines');
  return { line: oldStart(header), below: null, lines, endsWithNewline, isAtEnd: false };
}

/** `-- ` and a version: the signature of a patch that git wrote for mail. */
const isMailEnd = (reader: LineReader): boolean => reader.peek === '-- ';

function addedContent(hunks: readonly Hunk[]): string {
  const lines = hunks.flatMap((hunk) => hunk.lines.filter(({ sign }) => sign !== '-').map(({ text }) => text));
  if (lines.length === 0) return '';
  return `${lines.join('\n')}${hunks.at(-1)?.endsWithNewline === false ? '' : '\n'}`;
}
