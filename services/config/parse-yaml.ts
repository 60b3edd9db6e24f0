import type { z } from 'zod';
import { yaml } from '../../activities/yaml.ts';
import { foreignLimits } from '../../domain/session/extensions.ts';

export interface Invalid {
  readonly kind: 'invalid';
  /** `file:line: what is wrong`. */
  readonly problems: readonly string[];
}

export interface YamlPlace {
  readonly path: string;
  /** Of the YAML in its file. */
  readonly firstLine: number;
  /** Of another program, whose own keys are not ours to check. */
  readonly isForeign?: boolean;
}

type Checked<T> = { readonly kind: 'parsed'; readonly value: T } | Invalid;

/** A text that is YAML. */
export interface OpenYaml {
  readonly kind: 'open';
  /** The value when it is what the schema expects, else each problem with its line. */
  readonly check: <T>(schema: z.ZodType<T>) => Checked<T>;
}

/** See {@link OpenYaml}; for one check only. */
export function parseYaml<T>(text: string, schema: z.ZodType<T>, place: YamlPlace): Checked<T> {
  const opened = openYaml(text, place);
  return opened.kind === 'invalid' ? opened : opened.check(schema);
}

/** Reads the text once, for any number of checks. */
export function openYaml(text: string, { path, firstLine, isForeign = false }: YamlPlace): OpenYaml | Invalid {
  const { LineCounter, parseDocument } = yaml();
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const lineAt = (offset: number | undefined) =>
    firstLine - 1 + (offset === undefined ? 1 : lines.linePos(offset).line);
  const [broken] = document.errors;
  if (broken !== undefined) {
    const [what] = broken.message.split(/ at line |\n/);
    return wrong(path, lineAt(broken.pos[0]), what ?? broken.code);
  }
  const lineOf = (keys: readonly PropertyKey[]): number => {
    for (let length = keys.length; length > 0; length--) {
      const node: unknown = document.getIn(keys.slice(0, length), true);
      if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range))
        return lineAt(Number(node.range[0]));
    }
    return firstLine;
  };
  let value: unknown;
  try {
    value = document.toJS() ?? {};
  } catch (error) {
    return wrong(path, firstLine, error instanceof Error ? error.message : String(error));
  }
  return { kind: 'open', check };

  function check<T>(schema: z.ZodType<T>): Checked<T> {
    const parsed = schema.safeParse(value);
    if (parsed.success) return { kind: 'parsed', value: parsed.data };
    const unknown = parsed.error.issues.filter((issue) => issue.code === 'unrecognized_keys');
    const isOnlyForeign = isForeign && unknown.length === parsed.error.issues.length;
    const foreign = unknown.flatMap(({ keys }) => keys);
    if (
      isOnlyForeign &&
      !foreign.some((key) => foreignLimits.includes(key)) &&
      typeof value === 'object' &&
      value !== null
    ) {
      const known = Object.fromEntries(Object.entries(value).filter(([key]) => !foreign.includes(key)));
      return { kind: 'parsed', value: schema.parse(known) };
    }
    const problems = parsed.error.issues.flatMap((issue) => {
      if (issue.code !== 'unrecognized_keys')
        return [`${path}:${lineOf(issue.path)}: ${[issue.path.join('.'), issue.message].filter(Boolean).join(': ')}`];
      return issue.keys
        .filter((key) => !isForeign || foreignLimits.includes(key))
        .map((key) => `${path}:${lineOf([...issue.path, key])}: ${[...issue.path, key].join('.')}: is not known here`);
    });
    return { kind: 'invalid', problems };
  }
}

export function wrong(path: string, line: number, problem: string): Invalid {
  return { kind: 'invalid', problems: [`${path}:${line}: ${problem}`] };
}
