import { grantReadModel } from '@holdfast/event-store/postgres';
import { CreateRootKeys1700000900000 } from '@holdfast/root-keys';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { TrackLastUses1700000200000 } from './key-last-uses.migration.ts';
import { BroadenKms1700000100001 } from './kms-breadth.migration.ts';
import { RotateEbsKeys1700000200010 } from './kms-ebs-rotation.migration.ts';
import { NamePrincipalsById1700000100010 } from './kms-principals.migration.ts';

const TABLES = `
  CREATE TABLE kms_keys (
    key_id text PRIMARY KEY,
    account_id text NOT NULL,
    region text NOT NULL,
    key_manager text NOT NULL,
    description text NOT NULL,
    state text NOT NULL,
    created_at timestamptz NOT NULL,
    deletion_at timestamptz,
    material_id text NOT NULL,
    tags jsonb NOT NULL,
    position bigint NOT NULL
  );
  CREATE INDEX kms_keys_listed ON kms_keys (account_id, region, position);
  CREATE INDEX kms_keys_due ON kms_keys (deletion_at) WHERE state = 'PendingDeletion';

  CREATE TABLE aliases (
    account_id text NOT NULL,
    region text NOT NULL,
    alias_name text COLLATE "C" NOT NULL,
    target_key_id text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, region, alias_name)
  );
  CREATE INDEX aliases_of_key ON aliases (target_key_id);

  -- Active grants. lead_pair: digest of one pair of the encryption context that the constraints ask for, '' for none: a
  -- key may have 50,000 grants to one grantee, and this finds the few that a given context can satisfy.
  CREATE TABLE grants (
    grant_id text PRIMARY KEY,
    key_id text NOT NULL,
    key_arn text NOT NULL,
    region text NOT NULL,
    issuing_account text NOT NULL,
    name text NOT NULL,
    terms_hash text NOT NULL,
    grantee_principal text NOT NULL,
    retiring_principal text,
    operations text[] NOT NULL,
    constraints jsonb,
    lead_pair text NOT NULL,
    created_at timestamptz NOT NULL,
    position bigint NOT NULL
  );
  CREATE INDEX grants_to_principal ON grants (key_id, grantee_principal, lead_pair);
  CREATE UNIQUE INDEX grants_named ON grants (key_id, name, terms_hash) WHERE name <> '';
  CREATE INDEX grants_listed ON grants (key_id, position);
  CREATE INDEX grants_retirable ON grants (retiring_principal, region, position);

  -- Not made from events, and not replaceable: the only copy of every key's material, under a root key.
  CREATE TABLE key_material (
    key_id text NOT NULL,
    material_id text NOT NULL,
    root_key_id text NOT NULL,
    wrapped bytea NOT NULL,
    PRIMARY KEY (key_id, material_id)
  )`;

export class CreateKms1700000100000 implements MigrationInterface {
  readonly name = 'CreateKms1700000100000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    for (const table of ['kms_keys', 'aliases', 'grants', 'key_material']) await runner.query(grantReadModel(table));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE kms_keys, aliases, grants, key_material');
  }
}

export const kmsMigrations = [
  CreateKms1700000100000,
  BroadenKms1700000100001,
  NamePrincipalsById1700000100010,
  TrackLastUses1700000200000,
  RotateEbsKeys1700000200010,
  CreateRootKeys1700000900000,
];
