import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { CodetetherError } from '../../domain/errors.ts';
import { AgentHead, CommandHead, SkillHead, commandName } from '../../domain/session/extensions.ts';
import type { CustomAgent, Extensions, Skill, SlashCommand } from '../../domain/session/extensions.ts';
import { HookSettings, joinHooks } from '../../domain/session/hooks.ts';
import type { McpServer } from '../../domain/session/mcp-servers.ts';
import type { Config } from './config.ts';
import type { Environment } from './environment.ts';
import { projectOf, userFiles } from './extension-files.ts';
import type { ExtensionFile, ExtensionFiles } from './extension-files.ts';
import { readMcpServers } from './mcp-servers.ts';
import { parseYaml, wrong } from './parse-yaml.ts';
import type { Invalid } from './parse-yaml.ts';
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
    const [files, ofProject, settings] = await Promise.all([
      userFiles(dirname(configFile)),
      readProject(dataDir, project),
      readUserSettings(configFile),
    ]);
    const trusted = ofProject.trust === 'trusted' ? [parseExtensions(ofProject)] : [];
    const own = parseExtensions(files);
    const problems = [...settings.problems, ...own.problems];
    return { project, ...merge([...trusted, { ...own, ...settings, problems }]) };
  };
}

/** The user's own come last. */
function merge(sources: readonly Extensions[]): Extensions {
  const problems = sources.flatMap((source) => source.problems);
  return {
    skills: firstOfName(sources.flatMap(({ skills }) => skills)),
    agents: firstOfName(sources.flatMap(({ agents }) => agents)),
    commands: firstOfName(sources.flatMap(({ commands }) => commands)),
    hooks: sources.toReversed().reduce((all, { hooks }) => joinHooks(all, hooks), noHooks),
    // What the user has allowed a server by its name is not for another one of that name.
    mcpServers: firstOfName(sources.toReversed().flatMap(({ mcpServers }) => mcpServers)),
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
    if (result.kind === 'mcp') problems.push(...result.problems);
    return result;
  });
  const settings = parsed.flatMap((each) => (each.kind === 'settings' ? [each.value] : []));
  return {
    skills: firstOfName(parsed.flatMap((each) => (each.kind === 'skill' ? [each.value] : []))),
    agents: firstOfName(parsed.flatMap((each) => (each.kind === 'agent' ? [each.value] : []))),
    commands: firstOfName(parsed.flatMap((each) => (each.kind === 'command' ? [each.value] : []))),
    hooks: settings.reduce(joinHooks, noHooks),
    mcpServers: parsed.flatMap((each) => (each.kind === 'mcp' ? each.value : [])),
    problems,
  };
}

export const noHooks: HookSettings = HookSettings.parse({});

/** A project can set nothing else: which models and servers are used is the user's. */
const ProjectSettings = z.strictObject({ hooks: HookSettings.default(noHooks) });
/** The rest of it is checked by `loadConfig`. */
const UserSettings = z.looseObject({ hooks: HookSettings.default(noHooks) });

async function readUserSettings(configFile: string): Promise<Pick<Extensions, 'hooks' | 'mcpServers' | 'problems'>> {
  // `loadConfig` says why a file cannot be read.
  const text = await readFile(configFile, 'utf8').catch(() => '');
  const parsed = parseYaml(text, UserSettings, { path: configFile, firstLine: 1 });
  if (parsed.kind === 'invalid') throw invalid(parsed.problems);
  const { servers, problems } = readMcpServers(text, { path: configFile, from: 'user' });
  return { hooks: parsed.value.hooks, mcpServers: servers, problems };
}

type Parsed =
  | { readonly kind: 'skill'; readonly value: Skill }
  | { readonly kind: 'agent'; readonly value: CustomAgent }
  | { readonly kind: 'command'; readonly value: SlashCommand }
  | { readonly kind: 'settings'; readonly value: HookSettings }
  | { readonly kind: 'mcp'; readonly value: readonly McpServer[]; readonly problems: readonly string[] }
  | Invalid;

function parseFile(file: ExtensionFile): Parsed {
  switch (file.kind) {
    case 'settings': {
      const parsed = parseYaml(file.text, ProjectSettings, { path: file.path, firstLine: 1 });
      return parsed.kind === 'invalid' ? parsed : { kind: 'settings', value: parsed.value.hooks };
    }
    case 'mcp': {
      const { servers, problems } = readMcpServers(file.text, { path: file.path, from: 'project' });
      return { kind: 'mcp', value: servers, problems };
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

function firstOfName<T extends { readonly name: string }>(all: readonly T[]): readonly T[] {
  return [...new Map(all.toReversed().map((each) => [each.name, each])).values()].toReversed();
}

function invalid(problems: readonly string[]): CodetetherError {
  return new CodetetherError('extension-invalid', 'the hooks cannot be used', { problems });
}
