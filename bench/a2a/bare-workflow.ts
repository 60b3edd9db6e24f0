import { proxyLocalActivities } from '@temporalio/workflow';

const { work } = proxyLocalActivities<{ work(): Promise<void> }>({ startToCloseTimeout: '10s' });

/** As little as a durable task can be. */
export async function bare(): Promise<void> {
  await work();
}
