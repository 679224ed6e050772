import type { MigrationInterface, QueryRunner } from 'typeorm';
import { type Database, eventStoreMigrations, grantReadModel, openDatabase } from '../postgres/index.ts';

/** A read model that counts how often each event was applied: more than once shows as a number above one. */
export class CreateEffects1700000000001 implements MigrationInterface {
  readonly name = 'CreateEffects1700000000001';
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE TABLE effects (event_id uuid PRIMARY KEY, times integer NOT NULL)');
    await runner.query(grantReadModel('effects'));
  }
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE effects');
  }
}

export const NOTE_EFFECT = `INSERT INTO effects (event_id, times) VALUES ($1, 1)
  ON CONFLICT (event_id) DO UPDATE SET times = effects.times + 1`;

export const openTestDatabase = (
  urls: { readonly ownerUrl: string; readonly serviceUrl: string },
  applicationName = 'spec',
): Promise<Database> =>
  openDatabase({
    url: urls.serviceUrl,
    migrationUrl: urls.ownerUrl,
    migrations: [...eventStoreMigrations, CreateEffects1700000000001],
    applicationName,
  });
