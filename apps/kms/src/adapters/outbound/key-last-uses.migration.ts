import { grantReadModel } from '@holdfast/event-store/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** `transaction_id` and `global_position` are those of the use: rows only go forward, so the log may be read again. */
const TABLE = `
  CREATE TABLE key_last_uses (
    key_id text NOT NULL,
    region text NOT NULL,
    operation text NOT NULL,
    used_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    request_id text NOT NULL,
    transaction_id xid8 NOT NULL,
    global_position bigint NOT NULL,
    PRIMARY KEY (key_id, region)
  )`;

export class TrackLastUses1700000200000 implements MigrationInterface {
  readonly name = 'TrackLastUses1700000200000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLE);
    await runner.query(grantReadModel('key_last_uses'));
  }

  /** Its checkpoint goes with it: the table is made from the log's beginning again. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE key_last_uses');
    await runner.query(`DELETE FROM checkpoints WHERE name = 'key-last-uses'`);
  }
}
