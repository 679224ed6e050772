import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Session setting through which `openDatabase` tells migrations the service's role. */
export const SERVICE_ROLE_SETTING = 'holdfast.service_role';

const IDENTIFIER = /^[a-z_][a-z0-9_]{0,62}$/;

const grant = (privileges: string, table: string): string => {
  if (!IDENTIFIER.test(table)) throw new TypeError(`not a table name: ${JSON.stringify(table)}`);
  return `DO $$ BEGIN
    EXECUTE format('REVOKE ALL ON ${table} FROM PUBLIC');
    EXECUTE format('REVOKE ALL ON ${table} FROM %I', current_setting('${SERVICE_ROLE_SETTING}'));
    EXECUTE format('GRANT ${privileges} ON ${table} TO %I', current_setting('${SERVICE_ROLE_SETTING}'));
  END $$`;
};

/**
 * SQL for a migration: lets the service's role read and write `table`, a read model that can be rebuilt from events.
 * @example await runner.query(grantReadModel('volume_details'));
 */
export const grantReadModel = (table: string): string => grant('SELECT, INSERT, UPDATE, DELETE', table);

/**
 * `transaction_id` and `global_position` give the order that readers see (see readLog). Writers of one stream are
 * serialized by the unique (stream_id, version).
 */
const TABLES = `
  CREATE TABLE events (
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    global_position bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    stream_id text COLLATE "C" NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    event_id uuid NOT NULL,
    type text COLLATE "C" NOT NULL,
    schema_version integer NOT NULL CHECK (schema_version > 0),
    data jsonb NOT NULL,
    metadata jsonb NOT NULL,
    time timestamptz NOT NULL,
    PRIMARY KEY (transaction_id, global_position),
    CONSTRAINT events_stream_version UNIQUE (stream_id, version)
  );
  CREATE TABLE client_tokens (
    scope text COLLATE "C" NOT NULL,
    token text COLLATE "C" NOT NULL,
    parameters_hash text NOT NULL,
    result jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT client_tokens_key PRIMARY KEY (scope, token)
  );
  CREATE TABLE checkpoints (
    name text COLLATE "C" PRIMARY KEY,
    transaction_id xid8 NOT NULL,
    global_position bigint NOT NULL
  );
  CREATE TABLE relay_checkpoint (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    transaction_id xid8 NOT NULL,
    global_position bigint NOT NULL,
    stream_sequence bigint NOT NULL
  );
  CREATE TABLE inbox (
    consumer text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
  )`;

class CreateEventStore1700000000000 implements MigrationInterface {
  readonly name = 'CreateEventStore1700000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    await runner.query(grant('SELECT, INSERT', 'events'));
    await runner.query(grant('SELECT, INSERT', 'client_tokens'));
    await runner.query(grant('SELECT, INSERT, UPDATE', 'checkpoints'));
    await runner.query(grant('SELECT, INSERT, UPDATE', 'relay_checkpoint'));
    await runner.query(grant('SELECT, INSERT', 'inbox'));
    await runner.query(grant('SELECT', 'migrations')); // So that a service can tell that its schema is not ready.
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE inbox, relay_checkpoint, checkpoints, client_tokens, events');
  }
}

/** Goes first in every service's list of migrations. */
export const eventStoreMigrations = [CreateEventStore1700000000000];
