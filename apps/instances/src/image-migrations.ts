import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A name is free again once its image is deregistered, or in the Recycle Bin; `state_before` is what it was before that. */
const UP = `
  ALTER TABLE images ADD COLUMN deprecates_at text COLLATE "C", ADD COLUMN protection text NOT NULL DEFAULT 'disabled',
    ADD COLUMN protected_until text COLLATE "C", ADD COLUMN state_before text,
    ADD COLUMN recycled_at text COLLATE "C", ADD COLUMN exits_at text COLLATE "C";
  DROP INDEX images_name;
  CREATE UNIQUE INDEX images_name ON images (owner_id, region, name) WHERE state NOT IN ('deregistered', 'recycled');
  CREATE INDEX images_exit ON images (exits_at) WHERE exits_at IS NOT NULL`;

const DOWN = `
  DROP INDEX images_exit;
  DROP INDEX images_name;
  CREATE UNIQUE INDEX images_name ON images (owner_id, region, name) WHERE state <> 'deregistered';
  ALTER TABLE images DROP COLUMN deprecates_at, DROP COLUMN protection, DROP COLUMN protected_until,
    DROP COLUMN state_before, DROP COLUMN recycled_at, DROP COLUMN exits_at`;

class LiveImages1700000600000 implements MigrationInterface {
  readonly name = 'LiveImages1700000600000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(UP);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(DOWN);
  }
}

export const imageMigrations = [LiveImages1700000600000];
