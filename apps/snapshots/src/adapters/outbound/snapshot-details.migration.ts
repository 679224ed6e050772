import { PAGE_TOKEN_KEY_TABLE } from '@holdfast/ec2';
import { grantReadModel } from '@holdfast/event-store/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** `position` is that of the snapshot's first event: what pages are cut by. Times are kept as EC2 writes them. */
const TABLES = `
  CREATE TABLE snapshots (
    snapshot_id text COLLATE "C" PRIMARY KEY,
    owner_id text COLLATE "C" NOT NULL,
    region text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    volume_id text COLLATE "C" NOT NULL,
    is_copy boolean NOT NULL,
    source_id text COLLATE "C",
    state text NOT NULL,
    state_message text,
    volume_size_gib integer NOT NULL,
    description text NOT NULL,
    encrypted boolean NOT NULL,
    key_arn text,
    data_key jsonb,
    start_time text NOT NULL,
    completion_time text,
    progress integer NOT NULL,
    tags jsonb NOT NULL
  );
  CREATE UNIQUE INDEX snapshots_page ON snapshots (owner_id, region, position);
  CREATE INDEX snapshots_copying_from ON snapshots (source_id) WHERE state = 'pending';
  CREATE INDEX snapshots_volume ON snapshots (volume_id);
  ${PAGE_TOKEN_KEY_TABLE}`;

class CreateSnapshotDetails1700000100000 implements MigrationInterface {
  readonly name = 'CreateSnapshotDetails1700000100000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    for (const table of ['snapshots', 'page_token_key']) await runner.query(grantReadModel(table));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE page_token_key, snapshots');
  }
}

const SHARING = `
  ALTER TABLE snapshots ADD COLUMN is_public boolean NOT NULL DEFAULT false;
  ALTER TABLE snapshots ADD COLUMN shared_with text[] NOT NULL DEFAULT '{}';
  CREATE INDEX snapshots_shared ON snapshots USING gin (shared_with);
  CREATE INDEX snapshots_public ON snapshots (region, owner_id) WHERE is_public;
  CREATE TABLE snapshot_viewer_tags (
    snapshot_id text COLLATE "C" NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    tags jsonb NOT NULL,
    PRIMARY KEY (snapshot_id, account_id)
  )`;

class ShareSnapshots1700000200000 implements MigrationInterface {
  readonly name = 'ShareSnapshots1700000200000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SHARING);
    await runner.query(grantReadModel('snapshot_viewer_tags'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE snapshot_viewer_tags');
    await runner.query('DROP INDEX snapshots_shared, snapshots_public');
    await runner.query('ALTER TABLE snapshots DROP COLUMN is_public, DROP COLUMN shared_with');
  }
}

/** `lock` and `tier` as the domain keeps them; instants as ISO-8601, which sort as text. */
const FEATURES = `
  ALTER TABLE snapshots ADD COLUMN lock jsonb;
  ALTER TABLE snapshots ADD COLUMN tier jsonb;
  ALTER TABLE snapshots ADD COLUMN recycled_at text;
  ALTER TABLE snapshots ADD COLUMN exits_at text;
  ALTER TABLE snapshots ADD COLUMN source_volume_id text COLLATE "C";
  CREATE INDEX snapshots_copies_of ON snapshots (owner_id, region, source_volume_id, position) WHERE is_copy;
  CREATE INDEX snapshots_locked ON snapshots (owner_id, region, position) WHERE lock IS NOT NULL;
  CREATE INDEX snapshots_tiered ON snapshots (owner_id, region, position) WHERE tier IS NOT NULL;
  CREATE INDEX snapshots_recycled ON snapshots (exits_at) WHERE exits_at IS NOT NULL;
  CREATE INDEX snapshots_restored ON snapshots ((tier ->> 'restoreExpiresAt')) WHERE tier ->> 'restoreExpiresAt' IS NOT NULL;
  CREATE TABLE fast_restores (
    snapshot_id text COLLATE "C" NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    zone text NOT NULL,
    zone_id text NOT NULL,
    region text NOT NULL,
    enabling_time text NOT NULL,
    disabling_time text,
    PRIMARY KEY (snapshot_id, account_id, zone)
  );
  CREATE INDEX fast_restores_account ON fast_restores (account_id, region);
  CREATE TABLE recycle_rules (
    rule_id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL,
    region text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    rule jsonb NOT NULL
  );
  CREATE INDEX recycle_rules_account ON recycle_rules (account_id, region, position)`;

class KeepSnapshots1700000300000 implements MigrationInterface {
  readonly name = 'KeepSnapshots1700000300000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(FEATURES);
    for (const table of ['fast_restores', 'recycle_rules']) await runner.query(grantReadModel(table));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE fast_restores, recycle_rules');
    await runner.query(
      'DROP INDEX snapshots_locked, snapshots_tiered, snapshots_recycled, snapshots_restored, snapshots_copies_of',
    );
    await runner.query(
      'ALTER TABLE snapshots DROP COLUMN lock, DROP COLUMN tier, DROP COLUMN recycled_at, DROP COLUMN exits_at, DROP COLUMN source_volume_id',
    );
  }
}

export const snapshotMigrations = [
  CreateSnapshotDetails1700000100000,
  ShareSnapshots1700000200000,
  KeepSnapshots1700000300000,
];
