import { grantReadModel } from '@holdfast/event-store/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** `position` is the order in which decisions came, and what their number is limited by. */
const TABLES = `
  CREATE TABLE decisions (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decision_id uuid NOT NULL UNIQUE,
    request_id text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    resources text[] NOT NULL,
    record text NOT NULL
  );
  CREATE INDEX decisions_by_request ON decisions (request_id);
  CREATE INDEX decisions_by_resource ON decisions USING gin (resources);
  CREATE INDEX decisions_by_time ON decisions (at);
  CREATE TABLE ebs_resources (
    stream_id text COLLATE "C" PRIMARY KEY,
    resource jsonb NOT NULL
  )`;

class CreateAudit1700000200000 implements MigrationInterface {
  readonly name = 'CreateAudit1700000200000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    for (const table of ['decisions', 'ebs_resources']) await runner.query(grantReadModel(table));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE decisions, ebs_resources');
  }
}

/** A planned notification is text, since its members have an order. */
const PLANS = `
  CREATE TABLE snapshot_sets (
    set_id text COLLATE "C" PRIMARY KEY,
    ended jsonb NOT NULL
  );
  CREATE TABLE planned_notifications (
    notification_id text COLLATE "C" PRIMARY KEY,
    topic text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    notification text NOT NULL
  );
  CREATE INDEX planned_notifications_by_time ON planned_notifications (at);
  CREATE INDEX planned_notifications_by_topic ON planned_notifications (topic)`;

class PlanNotifications1700000300000 implements MigrationInterface {
  readonly name = 'PlanNotifications1700000300000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(PLANS);
    for (const table of ['snapshot_sets', 'planned_notifications']) await runner.query(grantReadModel(table));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE snapshot_sets, planned_notifications');
  }
}

export const auditMigrations = [CreateAudit1700000200000, PlanNotifications1700000300000];
