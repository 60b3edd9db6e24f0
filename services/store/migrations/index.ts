import type { QueryExecutorProvider } from 'kysely';
import { initial } from './0001-initial.ts';
import { effects } from './0002-effects.ts';
import { approvals } from './0003-approvals.ts';
import { budgets } from './0004-budgets.ts';
import { evidence } from './0005-evidence.ts';
import { storyFiles } from './0006-story-files.ts';
import { leases } from './0007-leases.ts';
import { sessions } from './0008-sessions.ts';
import { sessionFolders } from './0009-session-folders.ts';
import { access } from './0011-access.ts';
import { requests } from './0012-requests.ts';
import { memories } from './0010-memories.ts';
import { tasks } from './0013-tasks.ts';
import { taskWork } from './0014-task-work.ts';
import { pushes } from './0015-pushes.ts';
import { deletedRuns } from './0016-deleted-runs.ts';

export interface Migration {
  /** From 1, without gaps. A migration that was released is never edited. */
  readonly version: number;
  readonly name: string;
  up(transaction: QueryExecutorProvider): Promise<void>;
}

export const migrations: readonly Migration[] = [
  initial,
  effects,
  approvals,
  budgets,
  evidence,
  storyFiles,
  leases,
  sessions,
  sessionFolders,
  memories,
  access,
  requests,
  tasks,
  taskWork,
  pushes,
  deletedRuns,
];
