import { grantReadModel } from '@holdfast/event-store/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Specs, rotation, import, policies and replicas; what the first release stored is filled in as what it was. */
const CHANGES = `
  ALTER TABLE kms_keys
    ALTER COLUMN material_id DROP NOT NULL,
    ADD COLUMN key_spec text NOT NULL DEFAULT 'SYMMETRIC_DEFAULT',
    ADD COLUMN key_usage text NOT NULL DEFAULT 'ENCRYPT_DECRYPT',
    ADD COLUMN origin text NOT NULL DEFAULT 'AWS_KMS',
    ADD COLUMN public_key bytea,
    ADD COLUMN multi_region boolean NOT NULL DEFAULT false,
    ADD COLUMN primary_region text NOT NULL DEFAULT '',
    ADD COLUMN pending_window_days integer,
    ADD COLUMN policy text,
    ADD COLUMN rotation_period_days integer,
    ADD COLUMN next_rotation_at timestamptz,
    ADD COLUMN valid_to timestamptz;
  UPDATE kms_keys SET primary_region = region;
  ALTER TABLE kms_keys DROP CONSTRAINT kms_keys_pkey, ADD PRIMARY KEY (key_id, region);
  CREATE INDEX kms_keys_rotating ON kms_keys (next_rotation_at)
    WHERE next_rotation_at IS NOT NULL AND region = primary_region;

  DROP INDEX grants_named;
  CREATE UNIQUE INDEX grants_named ON grants (key_id, region, name, terms_hash) WHERE name <> '';

  -- Rows that no version of a key came to name are swept; so each says how old it is.
  ALTER TABLE key_material ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();

  -- Every material that a key has had, in order; a row stays when the bytes are gone, for they may be imported again.
  CREATE TABLE key_versions (
    key_id text NOT NULL,
    material_id text NOT NULL,
    position bigint NOT NULL,
    rotated_at timestamptz,
    rotation_type text,
    description text,
    PRIMARY KEY (key_id, material_id)
  );
  INSERT INTO key_versions (key_id, material_id, position) SELECT key_id, material_id, position FROM kms_keys;

  -- Imported material that is here now, and until when.
  CREATE TABLE imported_materials (
    key_id text NOT NULL,
    region text NOT NULL,
    material_id text NOT NULL,
    valid_to timestamptz,
    PRIMARY KEY (key_id, region, material_id)
  );
  CREATE INDEX imported_materials_due ON imported_materials (valid_to) WHERE valid_to IS NOT NULL`;

/** Possible while no key uses what this brought. */
const BACK = `
  DROP TABLE key_versions, imported_materials;
  ALTER TABLE key_material DROP COLUMN created_at;
  DROP INDEX grants_named, kms_keys_rotating;
  CREATE UNIQUE INDEX grants_named ON grants (key_id, name, terms_hash) WHERE name <> '';
  ALTER TABLE kms_keys
    DROP CONSTRAINT kms_keys_pkey,
    ADD PRIMARY KEY (key_id),
    ALTER COLUMN material_id SET NOT NULL,
    DROP COLUMN key_spec, DROP COLUMN key_usage, DROP COLUMN origin, DROP COLUMN public_key, DROP COLUMN multi_region,
    DROP COLUMN primary_region, DROP COLUMN pending_window_days, DROP COLUMN policy, DROP COLUMN rotation_period_days,
    DROP COLUMN next_rotation_at, DROP COLUMN valid_to`;

export class BroadenKms1700000100001 implements MigrationInterface {
  readonly name = 'BroadenKms1700000100001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(CHANGES);
    for (const table of ['key_versions', 'imported_materials']) await runner.query(grantReadModel(table));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(BACK);
  }
}
