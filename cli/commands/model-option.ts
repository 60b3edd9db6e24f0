import { resolve } from 'node:path';
import { CodetetherError } from '../../domain/errors.ts';
import { parseModelReference } from '../../domain/model/reference.ts';
import { loadConfig } from '../../services/config/config.ts';
import type { Environment } from '../../services/config/environment.ts';
import { cleanLine } from '../output/text.ts';

/** The model that the settings name. @param command whose `--model` is missing. @throws `usage` */
export function defaultModel({ environment }: { readonly environment: Environment }, command: string): string {
  const model = knownDefaultModel({ environment });
  if (model !== undefined) return model;
  throw new CodetetherError('usage', 'no model is named', {
    next:
      `Name one: codetether ${command} --model anthropic/NAME (or openai/, google/, openai-compatible/, scripted/FILE), ` +
      'or once for all: export CODETETHER_DEFAULT_MODEL=anthropic/NAME',
  });
}

/** Undefined where the settings name none. */
export function knownDefaultModel({ environment }: { readonly environment: Environment }): string | undefined {
  return loadConfig({ environment }).defaultModel;
}

/** `scripted/<file>` is resolved here: the API does not know this command's folder. @throws `model-unknown` */
export function absoluteModel(text: string, cwd: string): string {
  const reference = parseModelReference(text);
  if (reference === null) {
    throw new CodetetherError('model-unknown', `"${cleanLine(text)}" is not a model`);
  }
  if (reference.provider !== 'scripted') return text;
  const file = resolve(cwd, reference.model);
  return `scripted/${file}${reference.effort === null ? '' : `:${reference.effort}`}`;
}
