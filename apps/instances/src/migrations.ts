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

export const migrations = [CreateInstances1700000000001, StopInstances1700000200000];
