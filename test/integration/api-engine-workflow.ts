import { condition, defineUpdate, setHandler } from '@temporalio/workflow';

/** Takes `pause`, refuses `stop` and never ends: what the API needs of a run to talk to. */
export async function ralphRun(): Promise<void> {
  let isPaused = false;
  setHandler(defineUpdate('pause'), () => {
    isPaused = true;
  });
  setHandler(defineUpdate('stop'), () => undefined, {
    validator: () => {
      throw new Error(isPaused ? 'it is ending' : 'not yet');
    },
  });
  await condition(() => false);
}
