import { grantReadModel } from '@holdfast/event-store/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

class CreateInstances1700000000001 implements MigrationInterface {
  readonly name = 'CreateInstances1700000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE instances (
        instance_id text COLLATE "C" PRIMARY KEY,
        reservation_id text COLLATE "C" NOT NULL,
        launch_index integer NOT NULL,
        account_id text COLLATE "C" NOT NULL,
        region text COLLATE "C" NOT NULL,
        image_id text NOT NULL,
        instance_type text NOT NULL,
        availability_zone text NOT NULL,
        private_ip_address text NOT NULL,
        host_id text NOT NULL,
        state text NOT NULL,
        launch_time text COLLATE "C" NOT NULL,
        termination_time text COLLATE "C",
        tags jsonb NOT NULL
      )`);
    await runner.query('CREATE INDEX instances_by_page ON instances (account_id, region, launch_time, instance_id)');
    await runner.query(grantReadModel('instances'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE instances');
  }
}

class StopInstances1700000200000 implements MigrationInterface {
  readonly name = 'StopInstances1700000200000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE instances ADD COLUMN root_device_name text, ADD COLUMN state_reason jsonb,
        ADD COLUMN transition_reason text NOT NULL DEFAULT '',
        ADD COLUMN disable_api_termination boolean NOT NULL DEFAULT false`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE instances DROP COLUMN root_device_name, DROP COLUMN state_reason, DROP COLUMN transition_reason,
        DROP COLUMN disable_api_termination`);
  }
}

/**
 * `position` is that of the image's first event: what pages are cut by. `tags` are by the account that set and sees them.
 * A name is free again once its image is deregistered.
 */
const IMAGES = `
  CREATE TABLE images (
    image_id text COLLATE "C" PRIMARY KEY,
    owner_id text COLLATE "C" NOT NULL,
    region text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    state text NOT NULL,
    state_message text,
    creation_date text COLLATE "C" NOT NULL,
    root_device_name text NOT NULL,
    devices jsonb NOT NULL,
    snapshot_ids text[] NOT NULL,
    traits jsonb NOT NULL,
    source_instance_id text,
    source_image_id text,
    source_image_region text,
    shared_with text[] NOT NULL DEFAULT '{}',
    is_public boolean NOT NULL DEFAULT false,
    tags jsonb NOT NULL
  );
  CREATE UNIQUE INDEX images_name ON images (owner_id, region, name) WHERE state <> 'deregistered';
  CREATE INDEX images_page ON images (region, position);
  CREATE INDEX images_snapshots ON images USING gin (snapshot_ids)`;

class CreateImages1700000300000 implements MigrationInterface {
  readonly name = 'CreateImages1700000300000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(IMAGES);
    await runner.query(grantReadModel('images'));
    await runner.query(`ALTER TABLE instances ADD COLUMN architecture text NOT NULL DEFAULT 'x86_64'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE images');
    await runner.query('ALTER TABLE instances DROP COLUMN architecture');
  }
}

class KeepSettings1700000400000 implements MigrationInterface {
  readonly name = 'KeepSettings1700000400000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE instances ADD COLUMN settings jsonb NOT NULL DEFAULT '{}'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE instances DROP COLUMN settings');
  }
}

/** A name is free again once its key pair is deleted, which is when the row goes. */
const KEY_PAIRS = `
  CREATE TABLE key_pairs (
    key_pair_id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL,
    region text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    key_type text NOT NULL,
    fingerprint text NOT NULL,
    public_key text NOT NULL,
    create_time text COLLATE "C" NOT NULL,
    tags jsonb NOT NULL
  );
  CREATE UNIQUE INDEX key_pairs_name ON key_pairs (account_id, region, name)`;

class KeepKeyPairs1700000500000 implements MigrationInterface {
  readonly name = 'KeepKeyPairs1700000500000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(KEY_PAIRS);
    await runner.query(grantReadModel('key_pairs'));
    await runner.query('ALTER TABLE instances ADD COLUMN key_name text, ADD COLUMN instance_profile jsonb');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE key_pairs');
    await runner.query('ALTER TABLE instances DROP COLUMN key_name, DROP COLUMN instance_profile');
  }
}

class TellClientTokens1700000700000 implements MigrationInterface {
  readonly name = 'TellClientTokens1700000700000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE instances ADD COLUMN client_token text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE instances DROP COLUMN client_token');
  }
}

export const migrations = [
  CreateInstances1700000000001,
  StopInstances1700000200000,
  CreateImages1700000300000,
  KeepSettings1700000400000,
  KeepKeyPairs1700000500000,
  TellClientTokens1700000700000,
];
