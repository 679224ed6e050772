import { inject } from 'vitest';
import { createTestDatabase } from '@holdfast/embedded/testing';
import { describeEventStore } from '../testing/event-store-suite.ts';
import { openDatabase } from './database.ts';
import { PostgresInbox } from './inbox.ts';
import { eventStoreMigrations } from './migrations.ts';
import { PostgresEventStore } from './postgres-event-store.ts';

describeEventStore('PostgresEventStore', async () => {
  const testDatabase = await createTestDatabase(inject('postgresAdminUrl'));
  const database = await openDatabase({
    url: testDatabase.serviceUrl,
    migrationUrl: testDatabase.ownerUrl,
    migrations: eventStoreMigrations,
    applicationName: 'spec',
  });
  const opened: PostgresEventStore[] = [];
  return {
    open: (options) => {
      const store = new PostgresEventStore({ ...options, database, service: 'spec' });
      opened.push(store);
      return store;
    },
    inbox: new PostgresInbox(database),
    close: async () => {
      await Promise.all(opened.map((store) => store.close()));
      await database.close();
      await testDatabase.drop();
    },
  };
});
