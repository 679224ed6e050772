import { grantReadModel } from '@holdfast/event-store/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

const TABLES = `
  -- Which version of the root key wraps what is new ('current'), which ones did ('former'), and which are gone for good
  -- ('retired'). Whoever stores a wrapped key locks the current row until it has: see RootKeys.
  CREATE TABLE root_key_versions (
    version_id text COLLATE "C" PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('current', 'former', 'retired')),
    current_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz
  );
  CREATE UNIQUE INDEX root_key_current ON root_key_versions (state) WHERE state = 'current';

  -- Secrets of the service itself, wrapped by its root key. The newest of a purpose is used, the others are still known.
  CREATE TABLE service_secrets (
    purpose text COLLATE "C" NOT NULL,
    ordinal integer NOT NULL,
    root_key_id text COLLATE "C" NOT NULL,
    wrapped bytea NOT NULL,
    PRIMARY KEY (purpose, ordinal)
  )`;

const NAMES = ['root_key_versions', 'service_secrets'];

/** The tables of RootKeys; a service that has one lists it among its migrations. */
export class CreateRootKeys1700000900000 implements MigrationInterface {
  readonly name = 'CreateRootKeys1700000900000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    for (const name of NAMES) await runner.query(grantReadModel(name));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE ${NAMES.join(', ')}`);
  }
}
