import { createTestDatabase, type TestDatabase } from '@holdfast/embedded/testing';
import { type Database, eventStoreMigrations, openDatabase } from '@holdfast/event-store/postgres';
import pg from 'pg';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { DatabaseEraser } from './empty-database.ts';

let test: TestDatabase;
let database: Database;
let owner: pg.Client;
let eraser: DatabaseEraser;

beforeEach(async () => {
  test = await createTestDatabase(inject('postgresAdminUrl'));
  const { ownerUrl: migrationUrl, serviceUrl: url } = test;
  database = await openDatabase({ url, migrationUrl, migrations: eventStoreMigrations, applicationName: 'test' });
  owner = new pg.Client({ connectionString: migrationUrl });
  owner.on('error', () => undefined);
  await owner.connect();
  eraser = new DatabaseEraser(database);
});
afterEach(async () => {
  await eraser.close();
  await owner.end();
  await database.close();
  await test.drop();
});

const counts = async (...tables: string[]) =>
  Promise.all(tables.map(async (table) => Number((await owner.query(`SELECT count(*) AS n FROM ${table}`)).rows[0].n)));
const fillInbox = (rows: number) =>
  owner.query(`INSERT INTO inbox SELECT 'c', gen_random_uuid() FROM generate_series(1, $1)`, [rows]);

it('empties every table, and keeps the list of migrations', async () => {
  await owner.query('CREATE TABLE "Odd ""name" (n int); INSERT INTO "Odd ""name" VALUES (1)');
  await fillInbox(10);
  await eraser.empty();
  expect(await counts('inbox', '"Odd ""name"')).toEqual([0, 0]);
  expect(await counts('migrations')).not.toEqual([0]);
});

it('empties large tables', async () => {
  await fillInbox(100_000);
  await eraser.empty();
  expect(await counts('inbox')).toEqual([0]);
});

it('empties tables that reference each other', async () => {
  await owner.query('CREATE TABLE parent (n int PRIMARY KEY); CREATE TABLE child (n int REFERENCES parent)');
  await owner.query('INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1)');
  await eraser.empty();
  expect(await counts('parent', 'child')).toEqual([0, 0]);
});

it('says that it needs the owner of the schema', async () => {
  const plain = await openDatabase({ ...database.options, migrationUrl: undefined });
  const other = new DatabaseEraser(plain);
  other.warmUp();
  await expect(other.empty()).rejects.toThrow('migration URL');
  await plain.close();
});
