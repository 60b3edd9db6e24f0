import { proxyActivities } from '@temporalio/workflow';

const { removeWorkspace } = proxyActivities<{ removeWorkspace(input: object): Promise<void> }>({
  startToCloseTimeout: '1m',
});

/** A ralphStory that does something else first: its histories must not replay. */
export async function ralphStory(): Promise<void> {
  await removeWorkspace({});
}
