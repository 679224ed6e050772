export { type Database, type DatabaseOptions, type MigrationClass, openDatabase } from './database.ts';
export { PostgresInbox } from './inbox.ts';
export { eventStoreMigrations, grantReadModel } from './migrations.ts';
export { PostgresEventStore, type PostgresEventStoreOptions } from './postgres-event-store.ts';
export { resetDatabase } from './reset.ts';
