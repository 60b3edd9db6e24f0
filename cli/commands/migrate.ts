import { Command } from 'commander';
import { withStackHelp } from './help-end.ts';

/** `codetether migrate`: the schema of a database that is not the local stack's. */
export function command(): Command {
  const migrate = new Command('migrate')
    .summary("bring a database's schema up to date")
    .description(
      'Makes the tables that this release needs in the database of DATABASE_URL, as the role of DATABASE_OWNER_URL, and lets the role of DATABASE_URL work with their rows. Twice is once; any number of these at a time wait for each other. Worker and API do it by themselves where they have DATABASE_OWNER_URL, and the local stack does.',
    );
  return withStackHelp(migrate, {
    examples: [
      ['codetether migrate', 'before a new release of worker and API is started'],
      ['DATABASE_OWNER_URL=… codetether migrate', 'where those may not change tables themselves'],
    ],
    exitCodes: [
      [0, 'the schema is up to date'],
      [1, 'it could not be changed'],
      [2, 'a setting is missing or wrong'],
      [75, 'the database does not answer'],
    ],
  }).action(async () => {
    const { migrateDatabase } = await import('../../services/store/migrate-database.ts');
    await migrateDatabase();
    process.stderr.write('the schema is up to date\n');
  });
}
