import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { createExampleRepository, program } from '../support/test-stack.ts';
import type { KitWorld } from './kit.ts';

/** How often a real id is asked for; else one that is made up. */
const probability = 0.6;

const Runs = z.object({ runs: z.tuple([z.object({ runId: z.string() })]) });
const Run = z.object({ stories: z.array(z.object({ storyId: z.string() })).min(1) });
const Sessions = z.object({ sessions: z.array(z.object({ sessionId: z.string() })).length(1) });
const Workspace = z.object({ name: z.string() });
const Token = z.object({ tokenId: z.string() });

/**
 * Has a run and a session done in a workspace, so that requests reach what is behind "not found".
 * @returns a configuration of schemathesis that names their ids
 */
export async function makeData(world: KitWorld, url: string): Promise<string> {
  const { path, model } = await createExampleRepository({ delayMs: 0 });
  const script = join(path, '..', 'look.json');
  const turns = [{ text: 'I look.', tools: [{ name: 'bash', args: { command: 'ls' } }] }, { text: 'Looked.' }];
  await writeFile(script, JSON.stringify({ version: 1, stories: { main: { attempts: [{ turns }] } } }));
  for (const args of [
    ['ralph', 'run', '--model', model],
    ['run', 'look', '--model', `scripted/${script}`],
  ]) {
    const { code, output } = await world.command([program, ...args], { cwd: path });
    if (code !== 0) throw new Error(`codetether ${args.join(' ')}: ${output.slice(-2_000)}`);
  }
  const headers = { authorization: `Bearer ${await world.token()}`, 'content-type': 'application/json' };
  const ask = async (address: string, body?: object): Promise<unknown> => {
    const request = body === undefined ? { headers } : { headers, method: 'POST', body: JSON.stringify(body) };
    return await (await fetch(`${url}${address}`, request)).json();
  };
  const [{ runId }] = Runs.parse(await ask('/v1/runs')).runs;
  const { stories } = Run.parse(await ask(`/v1/runs/${encodeURIComponent(runId)}`));
  const { sessions } = Sessions.parse(await ask('/v1/sessions'));
  const { name } = Workspace.parse(await ask('/v1/workspaces', { name: 'todo', folder: path }));
  // Tokens are rotated and revoked: not the one that all this is asked with.
  const { tokenId } = Token.parse(await ask('/v1/tokens', { name: 'spare', permissions: ['runs:read'] }));
  const known = {
    runId: [runId],
    storyId: stories.map(({ storyId }) => storyId),
    sessionId: sessions.map(({ sessionId }) => sessionId),
    name: [name],
    tokenId: [tokenId],
  };
  const dictionaries = Object.entries(known).map(
    ([parameter, values]) => `[dictionaries.${parameter}]\nvalues = ${JSON.stringify(values)}`,
  );
  const parameters = Object.keys(known).map(
    (parameter) =>
      `"path.${parameter}" = { dictionary = "${parameter}", probability = ${parameter === 'tokenId' ? 1 : probability} }`,
  );
  const hooks = fileURLToPath(new URL('schemathesis-hooks.py', import.meta.url));
  return [`hooks = ${JSON.stringify(hooks)}`, ...dictionaries, '[parameters]', ...parameters, ''].join('\n');
}
