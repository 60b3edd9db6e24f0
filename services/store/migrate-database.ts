import { CodetetherError } from '../../domain/errors.ts';
import { loadConfig } from '../config/config.ts';
import { createStore } from './store.ts';

const answerMs = 10_000;

/** Brings the configured database's schema up to date. @throws `config-invalid`, `database-unreachable` */
export async function migrateDatabase(): Promise<void> {
  const { databaseUrl, databaseOwnerUrl } = loadConfig();
  if (databaseUrl === undefined) {
    throw new CodetetherError('config-invalid', undefined, {
      problems: ['DATABASE_URL: is not set; the local stack migrates its own database'],
    });
  }
  const store = createStore({
    databaseUrl: databaseUrl.reveal(),
    ownerUrl: databaseOwnerUrl?.reveal(),
    applicationName: 'codetether migrate',
  });
  try {
    await store.prepare({ timeoutMs: answerMs });
  } finally {
    await store.close();
  }
}
