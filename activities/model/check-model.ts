import { isAbsolute } from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';
import { providerInfo } from '../../domain/model/providers.ts';
import { modelProviders, parseModelReference } from '../../domain/model/reference.ts';
import type { ModelReference } from '../../domain/model/reference.ts';
import { nearest } from '../../domain/text/nearest.ts';
import { createScriptReader } from './script-file.ts';
import { providerAccess } from './settings.ts';
import type { ModelSettings } from './settings.ts';

/**
 * Checks that a model can be asked, without asking it: nothing goes over the network. Throws `model-unknown`,
 * `provider-key-missing`, `config-invalid` (address), `script-invalid`.
 * @param reference `provider/model[:effort]`; the path of a script is absolute
 */
export async function checkModel(
  reference: string,
  { settings }: { readonly settings: ModelSettings },
): Promise<ModelReference> {
  const parsed = requireModelReference(reference);
  if (parsed.provider !== 'scripted') {
    providerAccess(parsed.provider, settings);
    return parsed;
  }
  if (!isAbsolute(parsed.model))
    throw new CodetetherError('script-invalid', `the model script ${parsed.model} is not usable (1 problem)`, {
      problems: ['its path is not absolute'],
      details: { path: parsed.model },
    });
  await createScriptReader().read(parsed.model);
  return parsed;
}

/** Throws `model-unknown` with the nearest provider and examples. */
export function requireModelReference(reference: string): ModelReference {
  const parsed = parseModelReference(reference);
  if (parsed !== null) return parsed;
  const slash = reference.indexOf('/');
  const provider = slash === -1 ? reference : reference.slice(0, slash);
  const known = modelProviders.find((name) => name === provider);
  const guess = known ?? nearestProvider(provider) ?? providerOf(reference);
  const problem =
    known === undefined ? `"${provider}" is not a provider` : `"${reference}" names no model after "${known}/"`;
  throw new CodetetherError('model-unknown', `the model ${JSON.stringify(reference)} is not known`, {
    problems: [
      known === undefined && guess !== undefined
        ? `${problem}; did you mean ${suggestion(guess, reference)}?`
        : problem,
    ],
    next: `Name it provider/model[:effort], for example ${examples().join(', ')}.`,
    details: { model: reference, providers: modelProviders },
  });
}

function examples(): string[] {
  return [...Object.values(providerInfo).map((info) => info.example), 'scripted/examples/todo-cli/script.yaml'];
}

function suggestion(provider: string, reference: string): string {
  const slash = reference.indexOf('/');
  const model = slash === -1 ? (providerOf(reference) === undefined ? '' : reference) : reference.slice(slash + 1);
  return model === '' ? `${provider}/…` : `${provider}/${model}`;
}

/** Whose model a bare name is. */
function providerOf(model: string): 'anthropic' | 'openai' | 'google' | undefined {
  if (/^(claude|opus|sonnet|haiku)/i.test(model)) return 'anthropic';
  if (/^(gpt|o\d|chatgpt|codex)/i.test(model)) return 'openai';
  return /^gemini/i.test(model) ? 'google' : undefined;
}

const otherNames: { readonly [name: string]: string } = {
  claude: 'anthropic',
  gemini: 'google',
  gpt: 'openai',
  chatgpt: 'openai',
  ollama: 'openai-compatible',
  vllm: 'openai-compatible',
  lmstudio: 'openai-compatible',
  openrouter: 'openai-compatible',
  script: 'scripted',
};

function nearestProvider(name: string): string | undefined {
  return otherNames[name.toLowerCase()] ?? nearest(name, modelProviders);
}
