import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Environment } from '../config/environment.ts';
import { modelSettings } from '../config/model-settings.ts';
import { createExtensionReader } from '../config/extensions.ts';
import { locate } from '../config/paths.ts';
import { createPriceReader } from '../config/prices.ts';
import { defaultTenant } from '../../domain/run/ids.ts';
import { currentTenant } from '../store/current-tenant.ts';
import type { ApiDeps } from './deps.ts';

/** The checks before a run follows its edited PRD. */
export function createEditedPrdReader(environment: Environment): ApiDeps['readEditedPrd'] {
  return async (run, { stories, allowUnchecked }) => {
    const { preflightReload } = await import('../../activities/ralph/preflight.ts');
    const known = { ...run, stories: stories.map(({ story }) => story) };
    return await preflightReload(known, { allowUnchecked, searchPath: environment['PATH'] ?? '' });
  };
}

/** The checks before a run, with what they need of this host. They are loaded with the first run that is asked for. */
export function createPreflight(options: {
  readonly config: Config;
  readonly environment: Environment;
  readonly hostId: string;
}): Pick<ApiDeps, 'preflight' | 'repositoryGates' | 'checkModel' | 'contextWindow' | 'extensions' | 'hostId' | 'git'> {
  const { config, environment, hostId } = options;
  const settings = modelSettings(config);
  const ownPrices = createPriceReader(locate({ environment }).pricesFile);
  const checkedModel = async (model: string): Promise<void> => {
    const { checkModel } = await import('../../activities/model/check-model.ts');
    await Promise.all([checkModel(model, { settings }), ownPrices()]);
  };
  const git: ApiDeps['git'] = async () => {
    const { createGit } = await import('../../activities/workspace/git.ts');
    return createGit({ env: environment, processDir: join(config.dataDir, 'processes', 'api') });
  };
  const preflight: ApiDeps['preflight'] = async (request) => {
    const { preflightRalph } = await import('../../activities/ralph/preflight.ts');
    return await preflightRalph(request, {
      tenant: currentTenant() ?? defaultTenant,
      hostId,
      git: await git(),
      searchPath: environment['PATH'] ?? '',
      maxDiskBytes: config.maxDisk,
      checkModel: checkedModel,
    });
  };
  let toolBytes: number | undefined;
  const contextWindow: ApiDeps['contextWindow'] = async (model) => {
    const [{ readWindow }, { createScriptReader }, { createToolRegistry }] = await Promise.all([
      import('../../activities/model/context-window.ts'),
      import('../../activities/model/script-file.ts'),
      import('../../activities/tools/registry.ts'),
    ]);
    toolBytes ??= Buffer.byteLength(JSON.stringify(createToolRegistry().definitions(config.toolProfile ?? 'full')));
    return await readWindow(model, { ownPrices, scripts: createScriptReader(), toolBytes });
  };
  return {
    preflight,
    repositoryGates: async (folder) => {
      const { repositoryGates } = await import('../../activities/ralph/repository-gates.ts');
      return repositoryGates(folder, environment['PATH'] ?? '');
    },
    checkModel: checkedModel,
    contextWindow,
    extensions: createExtensionReader({ config, environment }),
    hostId,
    git,
  };
}
