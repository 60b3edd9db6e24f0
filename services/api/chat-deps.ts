import { join } from 'node:path';
import type { ChatMeans } from '../../activities/model/chat.ts';
import type { Config } from '../config/config.ts';
import type { Environment } from '../config/environment.ts';
import { modelSettings, modelTimeouts } from '../config/model-settings.ts';
import { locate } from '../config/paths.ts';
import { createPriceReader } from '../config/prices.ts';
import type { ApiDeps, ChatDeps } from './deps.ts';

/** Chats with the models of this host's user; what they need is loaded with the first question. */
export function createChatDeps({
  config,
  environment,
  store,
}: {
  readonly config: Config;
  readonly environment: Environment;
  readonly store: ChatMeans['store'];
}): ApiDeps['chat'] {
  let loading: Promise<ChatDeps> | undefined;
  return async () => await (loading ??= load());

  async function load(): Promise<ChatDeps> {
    const [{ createChat }, { createModelList }, { createAnswerSpool }] = await Promise.all([
      import('../../activities/model/chat.ts'),
      import('../../activities/model/list-models.ts'),
      import('../../activities/model/answer-spool.ts'),
    ]);
    const settings = modelSettings(config);
    return {
      chat: createChat({
        store,
        spool: createAnswerSpool(join(config.dataDir, 'api', 'answers')),
        settings,
        ownPrices: createPriceReader(locate({ environment }).pricesFile),
        timeouts: modelTimeouts(config),
      }),
      models: createModelList(settings),
      maxCostUsd: config.maxChatCostUsd ?? null,
    };
  }
}
