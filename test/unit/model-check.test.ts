import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkModel } from '../../activities/model/check-model.ts';
import type { ModelSettings } from '../../activities/model/settings.ts';
import { CodetetherError } from '../../domain/errors.ts';

const nothing: ModelSettings = { anthropic: {}, openai: {}, google: {}, openaiCompatible: {} };

async function problem(model: string, settings = nothing) {
  try {
    await checkModel(model, { settings });
  } catch (error) {
    if (error instanceof CodetetherError)
      return { code: error.code, message: error.message, problems: error.problems, next: error.next };
    throw error;
  }
  throw new Error(`${model} is fine`);
}

describe('names', () => {
  it.each([
    ['antropic/claude-x', 'did you mean anthropic/claude-x?'],
    ['claude/opus', 'did you mean anthropic/opus?'],
    ['ollama/qwen3', 'did you mean openai-compatible/qwen3?'],
    ['gpt-5', 'did you mean openai/gpt-5?'],
    ['claude-sonnet-5-5', 'did you mean anthropic/claude-sonnet-5-5?'],
    ['OpenAI/gpt-5', 'did you mean openai/gpt-5?'],
    ['anthropic/', 'names no model after "anthropic/"'],
  ])('%s is not known: %s', async (model, hint) => {
    const { code, problems, next } = await problem(model);
    expect(code).toBe('model-unknown');
    expect(problems.join()).toContain(hint);
    expect(next).toContain('anthropic/claude-sonnet-5-5');
  });

  it('a word that is like no provider gets examples only', async () => {
    expect((await problem('xyzzy/x')).problems).toEqual(['"xyzzy" is not a provider']);
  });
});

describe('keys and addresses', () => {
  it('a missing key is named, with the way to set it and a way to go on without', async () => {
    const missing = await problem('anthropic/claude-x');
    expect(missing).toEqual({
      code: 'provider-key-missing',
      message: 'no key for anthropic',
      problems: ['looked in ANTHROPIC_API_KEY: not set'],
      next: 'Set it: export ANTHROPIC_API_KEY=…   or try without a key: --model scripted/examples/todo-cli/script.yaml',
    });
    expect((await problem('google/gemini-x')).problems).toHaveLength(2);
  });

  it('a blank key is a missing key', async () => {
    const settings = { ...nothing, openai: { apiKey: { reveal: () => ' \n' } } };
    expect((await problem('openai/gpt-5', settings)).code).toBe('provider-key-missing');
  });

  it('openai-compatible needs an address but no key', async () => {
    expect(await problem('openai-compatible/x')).toMatchObject({
      code: 'config-invalid',
      problems: ['looked in OPENAI_COMPATIBLE_BASE_URL: not set'],
    });
    const settings = { ...nothing, openaiCompatible: { baseUrl: 'http://localhost:11434' } };
    await expect(checkModel('openai-compatible/qwen/qwen3:low', { settings })).resolves.toEqual({
      provider: 'openai-compatible',
      model: 'qwen/qwen3',
      effort: 'low',
    });
  });

  it('an address that is none is refused', async () => {
    const settings = { ...nothing, openaiCompatible: { baseUrl: 'localhost:11434' } };
    expect((await problem('openai-compatible/x', settings)).problems).toEqual([
      'OPENAI_COMPATIBLE_BASE_URL: expected an http or https URL',
    ]);
  });
});

describe('scripts', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'codetether-model-check-'));
  });
  afterAll(async () => await rm(folder, { recursive: true }));

  const write = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return `scripted/${join(folder, name)}`;
  };

  it('a script that fits is fine', async () => {
    const model = await write('fine.yaml', 'version: 1\ndefault: { attempts: [{ turns: [{ text: Done. }] }] }\n');
    await expect(checkModel(model, { settings: nothing })).resolves.toMatchObject({ provider: 'scripted' });
  });

  it('each wrong place is named', async () => {
    const model = await write(
      'wrong.yaml',
      'version: 1\nstories:\n  US-001:\n    attempts:\n      - turns: [{ text: 1 }, { txt: a }]\n',
    );
    expect(await problem(model)).toMatchObject({
      code: 'script-invalid',
      problems: [
        'stories.US-001.attempts[0].turns[0].text: expected string, received number',
        'stories.US-001.attempts[0].turns[1]: Unrecognized key: "txt"',
      ],
    });
  });

  it('a mistake of YAML is told with its line', async () => {
    const model = await write('broken.yaml', 'version: 1\nstories: [a\n');
    expect((await problem(model)).problems.join()).toMatch(/line \d+, column \d+/);
  });

  it('an empty script, a missing one, a folder and a relative path are refused', async () => {
    expect((await problem(await write('empty.json', '{"version":1}'))).problems).toEqual([
      'stories: there is none, and no default either',
    ]);
    expect((await problem(`scripted/${folder}/none.yaml`)).problems).toEqual(['there is no such file']);
    expect((await problem(`scripted/${folder}`)).problems).toEqual(['it is not a file']);
    expect((await problem('scripted/script.yaml')).problems).toEqual(['its path is not absolute']);
  });
});
