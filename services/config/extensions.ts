import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { CodetetherError } from '../../domain/errors.ts';
import { AgentHead, CommandHead, SkillHead, commandName, foreignLimits } from '../../domain/session/extensions.ts';
import type { CustomAgent, Extensions, Skill, SlashCommand } from '../../domain/session/extensions.ts';
import { HookSettings, joinHooks } from '../../domain/session/hooks.ts';
import type { Config } from './config.ts';
import type { Environment } from './environment.ts';
import { projectOf, userFiles } from './extension-files.ts';
import type { ExtensionFile, ExtensionFiles } from './extension-files.ts';
import { locate } from './paths.ts';
import { readProject } from './trust.ts';

/**
 * What there is for a session in a folder: the user's own and, where it is trusted, the project's, which comes first where both have
 * the same name. Read anew each time.
 * @returns a function that throws `extension-invalid` for hooks that cannot be used: a guard that is left out in silence guards nothing
 */
export function createExtensionReader(options: {
  readonly config: Pick<Config, 'dataDir'>;
  readonly environment: Environment;
}): (folder: string) => Promise<Extensions & { readonly project: string }> {
  const { dataDir } = options.config;
  const { configFile } = locate({ environment: options.environment, dataDir });
  return async (folder) => {
    const project = await projectOf(folder);
    const [own, ofProject, ownHooks] = await Promise.all([
      userFiles(dirname(configFile)),
      readProject(dataDir, project),
      readUserHooks(configFile),
    ]);
    const trusted = ofProject.trust === 'trusted' ? [parseExtensions(ofProject)] : [];
    return { project, ...merge([...trusted, parseExtensions(own)], ownHooks) };
  };
}

function merge(sources: readonly Extensions[], ownHooks: HookSettings): Extensions {
  const problems = sources.flatMap((source) => source.problems);
  return {
    skills: firstOfName(sources.flatMap(({ skills }) => skills)),
    agents: firstOfName(sources.flatMap(({ agents }) => agents)),
    commands: firstOfName(sources.flatMap(({ commands }) => commands)),
    hooks: sources.reduce((all, { hooks }) => joinHooks(all, hooks), ownHooks),
    problems,
  };
}

/** All that is in the files. @throws `extension-invalid` for settings */
export function parseExtensions({ files, problems: unread }: ExtensionFiles): Extensions {
  const problems = [...unread];
  const parsed = files.map((file) => {
    const result = parseFile(file);
    if (result.kind === 'invalid') {
      if (file.kind === 'settings') throw invalid(result.problems);
      problems.push(...result.problems);
    }
    return result;
  });
  const settings = parsed.flatMap((each) => (each.kind === 'settings' ? [each.value] : []));
  return {
    skills: firstOfName(parsed.flatMap((each) => (each.kind === 'skill' ? [each.value] : []))),
    agents: firstOfName(parsed.flatMap((each) => (each.kind === 'agent' ? [each.value] : []))),
    commands: firstOfName(parsed.flatMap((each) => (each.kind === 'command' ? [each.value] : []))),
    hooks: settings.reduce(joinHooks, noHooks),
    problems,
  };
}

export const noHooks: HookSettings = HookSettings.parse({});

/** A project can set nothing else: which models and servers are used is the user's. */
const ProjectSettings = z.strictObject({ hooks: HookSettings.default(noHooks) });
/** The rest of it is checked by `loadConfig`. */
const UserSettings = z.looseObject({ hooks: HookSettings.default(noHooks) });

async function readUserHooks(configFile: string): Promise<HookSettings> {
  // `loadConfig` says why a file cannot be read.
  const text = await readFile(configFile, 'utf8').catch(() => '');
  const parsed = parseYaml(text, UserSettings, { path: configFile, firstLine: 1 });
  if (parsed.kind === 'invalid') throw invalid(parsed.problems);
  return parsed.value.hooks;
}

type Parsed =
  | { readonly kind: 'skill'; readonly value: Skill }
  | { readonly kind: 'agent'; readonly value: CustomAgent }
  | { readonly kind: 'command'; readonly value: SlashCommand }
  | { readonly kind: 'settings'; readonly value: HookSettings }
  | Invalid;

interface Invalid {
  readonly kind: 'invalid';
  readonly problems: readonly string[];
}

function parseFile(file: ExtensionFile): Parsed {
  switch (file.kind) {
    case 'settings': {
      const parsed = parseYaml(file.text, ProjectSettings, { path: file.path, firstLine: 1 });
      return parsed.kind === 'invalid' ? parsed : { kind: 'settings', value: parsed.value.hooks };
    }
    case 'agent': {
      const parsed = parseMarkdown(file, AgentHead);
      if (parsed.kind === 'invalid') return parsed;
      const { name, description, model, tools } = parsed.head;
      const value = {
        name,
        description,
        ...(model === undefined ? {} : { model }),
        ...(tools === undefined ? {} : { tools }),
        readsOnly: parsed.head['reads-only'],
        maxSteps: parsed.head['max-steps'],
        prompt: parsed.body,
      };
      return { kind: 'agent', value };
    }
    case 'command': {
      const parsed = parseMarkdown(file, CommandHead);
      if (parsed.kind === 'invalid') return parsed;
      if (!commandName.test(file.name))
        return wrong(
          file.path,
          1,
          'the name of the file is that of the command: expected letters, digits, dash and underscore',
        );
      const { description, agent, model } = parsed.head;
      const named = { ...(agent === undefined ? {} : { agent }), ...(model === undefined ? {} : { model }) };
      return { kind: 'command', value: { name: file.name, description, ...named, text: parsed.body } };
    }
    case 'skill': {
      const parsed = parseMarkdown(file, SkillHead);
      if (parsed.kind === 'invalid') return parsed;
      const { name, description } = parsed.head;
      const folder = dirname(file.path);
      return { kind: 'skill', value: { name, description, folder, body: parsed.body, files: file.beside } };
    }
  }
}

/** `---`, YAML, `---`, and the body. A file without a head has an empty one. */
function parseMarkdown<Head>(
  file: ExtensionFile,
  schema: z.ZodType<Head>,
): { readonly kind: 'parsed'; readonly head: Head; readonly body: string } | Invalid {
  const text = file.text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
  const match = /^---[ \t]*\n([^]*?)^---[ \t]*(?:\n|$)([^]*)$/m.exec(text);
  if (text.startsWith('---\n') && match?.index !== 0)
    return wrong(file.path, 1, 'there is no --- at the end of what it begins with');
  const body = (match?.[2] ?? text).trim();
  const head = parseYaml(match?.[1] ?? '', schema, { path: file.path, firstLine: 2, isForeign: file.isForeign });
  if (head.kind === 'invalid') return head;
  if (body === '') return wrong(file.path, text.split('\n').length, 'there is no text');
  return { kind: 'parsed', head: head.value, body };
}

interface YamlPlace {
  readonly path: string;
  /** Of the YAML in its file. */
  readonly firstLine: number;
  /** Of another program, whose own keys are not ours to check. */
  readonly isForeign?: boolean;
}

function parseYaml<T>(
  text: string,
  schema: z.ZodType<T>,
  { path, firstLine, isForeign = false }: YamlPlace,
): { readonly kind: 'parsed'; readonly value: T } | Invalid {
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

function wrong(path: string, line: number, problem: string): Invalid {
  return { kind: 'invalid', problems: [`${path}:${line}: ${problem}`] };
}

function firstOfName<T extends { readonly name: string }>(all: readonly T[]): readonly T[] {
  return [...new Map(all.toReversed().map((each) => [each.name, each])).values()].toReversed();
}

function invalid(problems: readonly string[]): CodetetherError {
  return new CodetetherError('extension-invalid', 'the hooks cannot be used', { problems });
}
