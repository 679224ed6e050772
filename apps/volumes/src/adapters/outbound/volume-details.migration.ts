import { grantReadModel } from '@holdfast/event-store/postgres';
import { PAGE_TOKEN_KEY_TABLE } from '@holdfast/ec2';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** An instance has one volume at a device name. */
export const DEVICE_KEY = 'attachments_device';

/** `position` is that of the volume's first event: what pages are cut by. Times are kept as EC2 writes them. */
const TABLES = `
  CREATE TABLE volumes (
    volume_id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL,
    region text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    status text NOT NULL,
    size_gib integer NOT NULL,
    volume_type text NOT NULL,
    iops integer,
    throughput integer,
    snapshot_id text COLLATE "C" NOT NULL,
    availability_zone text NOT NULL,
    availability_zone_id text NOT NULL,
    encrypted boolean NOT NULL,
    kms_key_arn text,
    data_key jsonb,
    create_time text NOT NULL,
    tags jsonb NOT NULL
  );
  CREATE UNIQUE INDEX volumes_page ON volumes (account_id, region, position);
  CREATE INDEX volumes_creating_from ON volumes (snapshot_id) WHERE status = 'creating';
  CREATE TABLE attachments (
    volume_id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL,
    region text COLLATE "C" NOT NULL,
    instance_id text COLLATE "C" NOT NULL,
    host_id text COLLATE "C" NOT NULL,
    device text COLLATE "C" NOT NULL,
    state text NOT NULL,
    attach_time text NOT NULL,
    delete_on_termination boolean NOT NULL,
    request_id text NOT NULL,
    CONSTRAINT ${DEVICE_KEY} UNIQUE (instance_id, device)
  );
  CREATE INDEX attachments_account ON attachments (account_id, region);
  CREATE INDEX attachments_host ON attachments (host_id);
  ${PAGE_TOKEN_KEY_TABLE}`;

class CreateVolumeDetails1700000100000 implements MigrationInterface {
  readonly name = 'CreateVolumeDetails1700000100000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    for (const table of ['volumes', 'attachments', 'page_token_key']) await runner.query(grantReadModel(table));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE page_token_key, attachments, volumes');
  }
}

/** The latest modification of each volume; `position` is that of its first event. */
const MODIFICATIONS = `
  CREATE TABLE modifications (
    volume_id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL,
    region text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    state text NOT NULL,
    status_message text,
    original jsonb NOT NULL,
    target jsonb NOT NULL,
    start_time text NOT NULL,
    end_time text
  );
  CREATE UNIQUE INDEX modifications_page ON modifications (account_id, region, position)`;

class ModifyVolumes1700000200000 implements MigrationInterface {
  readonly name = 'ModifyVolumes1700000200000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(MODIFICATIONS);
    await runner.query(grantReadModel('modifications'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE modifications');
  }
}

class SuspendAttachments1700000300000 implements MigrationInterface {
  readonly name = 'SuspendAttachments1700000300000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE attachments ADD COLUMN suspended boolean NOT NULL DEFAULT false');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE attachments DROP COLUMN suspended');
  }
}

/** One volume, several attachments; at most one for each instance. */
const SHARED = `
  ALTER TABLE attachments DROP CONSTRAINT attachments_pkey, ADD PRIMARY KEY (volume_id, instance_id);
  ALTER TABLE volumes ADD COLUMN multi_attach boolean NOT NULL DEFAULT false, ADD COLUMN initialization_rate integer`;

class ShareVolumes1700000400000 implements MigrationInterface {
  readonly name = 'ShareVolumes1700000400000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SHARED);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE volumes DROP COLUMN multi_attach, DROP COLUMN initialization_rate');
    await runner.query('ALTER TABLE attachments DROP CONSTRAINT attachments_pkey, ADD PRIMARY KEY (volume_id)');
  }
}

class RestoreVolumesFast1700000500000 implements MigrationInterface {
  readonly name = 'RestoreVolumesFast1700000500000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE volumes ADD COLUMN fast_restored boolean NOT NULL DEFAULT false');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE volumes DROP COLUMN fast_restored');
  }
}

class RecycleVolumes1700000600000 implements MigrationInterface {
  readonly name = 'RecycleVolumes1700000600000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'ALTER TABLE volumes ADD COLUMN recycled_at text COLLATE "C", ADD COLUMN exits_at text COLLATE "C"',
    );
    await runner.query('CREATE INDEX volumes_exit ON volumes (exits_at) WHERE exits_at IS NOT NULL');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX volumes_exit');
    await runner.query('ALTER TABLE volumes DROP COLUMN recycled_at, DROP COLUMN exits_at');
  }
}

export const volumeMigrations = [
  CreateVolumeDetails1700000100000,
  ModifyVolumes1700000200000,
  SuspendAttachments1700000300000,
  ShareVolumes1700000400000,
  RestoreVolumesFast1700000500000,
  RecycleVolumes1700000600000,
];
