import { createInterface } from 'node:readline/promises';
import { relative, resolve } from 'node:path';
import { CodetetherError, exitCodes } from '../../../domain/errors.ts';
import { hookEvents } from '../../../domain/session/hook-points.ts';
import type { McpServer } from '../../../domain/session/mcp-servers.ts';
import { projectOf } from '../../../services/config/extension-files.ts';
import { parseExtensions } from '../../../services/config/extensions.ts';
import { keepTrust, listTrust, readProject, removeTrust } from '../../../services/config/trust.ts';
import type { Project } from '../../../services/config/trust.ts';
import { snakeKeys } from '../../output/stream-json.ts';
import { listTable } from '../../output/table.ts';
import { cleanLine, counted } from '../../output/text.ts';
import { openContext, print, stdoutLook } from '../ralph/context.ts';
import type { Context } from '../ralph/context.ts';

export interface TrustOptions {
  readonly list?: boolean;
  readonly remove?: boolean;
  readonly json?: boolean;
}

export async function trust(folder: string | undefined, options: TrustOptions): Promise<number> {
  const context = openContext();
  const { dataDir, stderr } = context;
  if (options.list === true) return await list(context, options);
  const project = await projectOf(resolve(context.cwd, folder ?? '.'));
  if (options.remove === true) {
    const isRemoved = await removeTrust(dataDir, project);
    print(stderr, [isRemoved ? `${project} is not trusted any more` : `nothing was known about ${project}`]);
    return exitCodes.completed;
  }
  const found = await readProject(dataDir, project);
  if (found.digest === null) {
    throw new CodetetherError('usage', `${project} brings no agents, commands, skills, hooks or servers`, {
      next: 'Nothing has to be trusted: docs/extensions.md says what would be.',
    });
  }
  print(context.stdout, contents(found));
  await keepTrust(dataDir, { project, digest: found.digest, answer: 'trusted' });
  print(stderr, [`${project} is trusted as it is now      take it back  codetether trust --remove ${project}`]);
  return exitCodes.completed;
}

async function list(context: Context, { json = false }: TrustOptions): Promise<number> {
  const records = await listTrust(context.dataDir);
  const projects = await Promise.all(
    records.map(async ({ project, at }) => ({
      project,
      state: (await readProject(context.dataDir, project)).trust,
      at,
    })),
  );
  if (json) print(context.stdout, [JSON.stringify(snakeKeys({ schemaVersion: 1, projects }))]);
  else if (projects.length === 0) print(context.stderr, ['no project was answered for yet']);
  else {
    const columns = [
      { title: 'state', cells: projects.map(({ state }) => state) },
      { title: 'project', cells: projects.map(({ project }) => project) },
      { title: 'answered', cells: projects.map(({ at }) => at.slice(0, 10)) },
    ];
    print(context.stdout, listTable(columns, stdoutLook(context), context.stdout.isTTY));
  }
  return exitCodes.completed;
}

/**
 * Settles whether the project's own configuration is obeyed, before a message is sent: asks once on a terminal, and says in
 * one line what is ignored.
 */
export async function settleTrust(context: Context, project: string, note: (line: string) => void): Promise<void> {
  const { dataDir, stdin, stderr } = context;
  const found = await readProject(dataDir, project);
  const { trust, digest } = found;
  if (digest === null || trust === 'trusted') return;
  const broken = problemsOf(found);
  for (const problem of broken) note(`ignored: ${cleanLine(problem)}`);
  if (broken.length === 0 && trust !== 'refused' && stdin.isTTY && stderr.isTTY) {
    const answer = (await isTrusted(context, found)) ? 'trusted' : 'refused';
    await keepTrust(dataDir, { project, digest, answer });
    if (answer === 'trusted') return;
  }
  const why = trust === 'changed' ? 'it has changed since it was trusted' : 'the project is not trusted';
  note(
    `ignored: ${summary(found)} of ${project}: ${why}      trust it  codetether trust ${relative(context.cwd, project) || '.'}`,
  );
}

/** Why its hooks cannot be used, which is no reason not to work in a project that is not trusted. */
function problemsOf(found: Project): readonly string[] {
  try {
    parseExtensions(found);
    return [];
  } catch (error) {
    if (error instanceof CodetetherError) return error.problems;
    throw error;
  }
}

async function isTrusted(context: Context, found: Project): Promise<boolean> {
  const { stdin, stderr } = context;
  const changed = found.trust === 'changed' ? ', and has changed since it was trusted' : '';
  print(stderr, [`${found.project} brings configuration of its own${changed}:`, ...contents(found)]);
  const question = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await question.question(
      'hooks and servers run commands on this machine; the rest steers the agent. Trust it as it is now? [y/N] ',
    );
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    // Ctrl-C at the question is Ctrl-C: readline takes it for itself.
    if (error instanceof Error && error.name === 'AbortError') process.kill(process.pid, 'SIGINT');
    throw error;
  } finally {
    question.close();
  }
}

const kinds = { agent: 'agent', command: 'command', skill: 'skill' } as const;

function summary({ files }: Project): string {
  const parts = Object.values(kinds).flatMap((kind) => {
    const count = files.filter((file) => file.kind === kind).length;
    return count === 0 ? [] : [counted(count, kind)];
  });
  const others = { settings: 'settings', mcp: '.mcp.json' } as const;
  const all = [
    ...parts,
    ...(['settings', 'mcp'] as const).flatMap((kind) =>
      files.some((file) => file.kind === kind) ? [others[kind]] : [],
    ),
  ];
  return all.length === 0 ? 'hook files' : all.join(', ');
}

/** What is asked about: commands of hooks and servers in full, with the names of variables that they are given. @throws `extension-invalid` */
function contents(found: Project): string[] {
  const { agents, commands, hooks, mcpServers, problems, skills } = parseExtensions(found);
  const line = (what: string, text: string) => `  ${what.padEnd(14)} ${cleanLine(text)}`;
  return [
    ...hookEvents.flatMap((event) => hooks[event].map(({ command }) => line('hook', `${event}: ${command}`))),
    ...mcpServers.map((server) => line('server', serverText(server))),
    ...agents.map(({ name, description, readsOnly }) =>
      line('agent', `${name}${readsOnly === true ? ' (only reads)' : ''}: ${description}`),
    ),
    ...commands.map(({ name, description }) =>
      line('command', `/${name}${description === '' ? '' : `: ${description}`}`),
    ),
    ...skills.map(({ name, description }) => line('skill', `${name}: ${description}`)),
    ...problems.map((problem) => line('left out', problem)),
  ];
}

function serverText(server: McpServer): string {
  const given = Object.entries(server.kind === 'local' ? server.env : server.headers);
  const what = server.kind === 'local' ? [server.command, ...server.args].join(' ') : server.url;
  const names = given.map(([name, text]) => [name, ...(text.match(/\$\{\w+/g) ?? []).map((each) => each.slice(2))]);
  const extra = names.length === 0 ? '' : `, with ${names.map((each) => each.join('=$')).join(', ')}`;
  return `${server.name}: ${what}${extra}`;
}
