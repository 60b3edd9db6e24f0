import type { ToolContext } from '../../activities/tools/tool.ts';
import { memoryToolSession } from './tool-session.ts';

const notExpected = () => Promise.reject(new Error('not expected'));

/** Of tools that need no files and no processes. */
export function toolContext(change: Partial<ToolContext> = {}): ToolContext {
  return {
    workspace: { root: '/nowhere', mainCheckout: null },
    workspaceId: 'run:US-1',
    session: memoryToolSession(),
    runCommand: notExpected,
    listFiles: notExpected,
    git: notExpected,
    branch: 'story',
    signal: new AbortController().signal,
    onLine: () => undefined,
    ...change,
  };
}
