import { grantReadModel } from '@holdfast/event-store/postgres';
import { CreateRootKeys1700000900000 } from '@holdfast/root-keys';
import type { MigrationInterface, QueryRunner } from 'typeorm';

const TABLES = [
  `CREATE TABLE account_versions (account_id text COLLATE "C" PRIMARY KEY, version text NOT NULL)`,
  `CREATE TABLE identities (
    identity_id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    lower_name text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    arn text COLLATE "C" NOT NULL,
    tags jsonb NOT NULL,
    permissions_boundary text,
    description text,
    trust_policy text,
    principal_ids jsonb NOT NULL,
    max_session_seconds integer,
    created_at text COLLATE "C" NOT NULL,
    UNIQUE (account_id, kind, lower_name)
  )`,
  `CREATE TABLE managed_policies (
    arn text COLLATE "C" PRIMARY KEY,
    policy_id text NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    lower_name text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    description text,
    default_version text NOT NULL,
    tags jsonb NOT NULL,
    created_at text NOT NULL,
    updated_at text NOT NULL
  )`,
  `CREATE TABLE policy_versions (
    arn text COLLATE "C",
    version_id text COLLATE "C",
    document text NOT NULL,
    created_at text NOT NULL,
    PRIMARY KEY (arn, version_id)
  )`,
  `CREATE TABLE inline_policies (
    identity_id text COLLATE "C",
    policy_name text COLLATE "C",
    document text NOT NULL,
    PRIMARY KEY (identity_id, policy_name)
  )`,
  `CREATE TABLE attached_policies (
    identity_id text COLLATE "C",
    arn text COLLATE "C",
    account_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (identity_id, arn)
  )`,
  `CREATE TABLE group_members (
    group_id text COLLATE "C",
    user_id text COLLATE "C",
    PRIMARY KEY (group_id, user_id)
  )`,
  `CREATE TABLE instance_profile_roles (
    instance_profile_id text COLLATE "C",
    role_id text COLLATE "C",
    PRIMARY KEY (instance_profile_id, role_id)
  )`,
  `CREATE TABLE access_keys (
    access_key_id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    is_active boolean NOT NULL,
    created_at text NOT NULL
  )`,
  // No read model: what is deleted here is gone. Events say that a key was made, never what its secret is.
  `CREATE TABLE access_key_secrets (
    access_key_id text COLLATE "C" PRIMARY KEY,
    secrets_key_id text NOT NULL,
    wrapped bytea NOT NULL
  )`,
  `CREATE TABLE sessions (
    access_key_id text COLLATE "C" PRIMARY KEY,
    account_id text COLLATE "C" NOT NULL,
    identity_id text COLLATE "C",
    principal jsonb NOT NULL,
    secrets_key_id text NOT NULL,
    session_policies jsonb,
    transitive_tag_keys jsonb NOT NULL,
    expires_at timestamptz NOT NULL
  )`,
];

const INDEXES = [
  'CREATE INDEX identities_by_arn ON identities (arn)',
  'CREATE INDEX managed_policies_by_name ON managed_policies (account_id, lower_name)',
  'CREATE INDEX attached_policies_by_arn ON attached_policies (arn, account_id)',
  'CREATE INDEX group_members_by_user ON group_members (user_id)',
  'CREATE INDEX instance_profile_roles_by_role ON instance_profile_roles (role_id)',
  'CREATE INDEX access_keys_by_user ON access_keys (user_id)',
  'CREATE INDEX sessions_by_expiry ON sessions (expires_at)',
];

const tableNames = TABLES.map((sql) => /CREATE TABLE (\w+)/.exec(sql)?.[1] ?? '');

class CreateIam1700000000001 implements MigrationInterface {
  readonly name = 'CreateIam1700000000001';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [...TABLES, ...INDEXES, ...tableNames.map(grantReadModel)]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE ${tableNames.join(', ')}`);
  }
}

const ACCOUNT_TABLES = [
  `CREATE TABLE account_aliases (
    account_id text COLLATE "C" PRIMARY KEY,
    alias text COLLATE "C" NOT NULL UNIQUE
  )`,
  // No read model: uses are no events, and a crash may lose the last seconds' of them.
  `CREATE TABLE access_key_uses (
    access_key_id text COLLATE "C" PRIMARY KEY,
    used_at timestamptz NOT NULL,
    region text NOT NULL,
    service text NOT NULL
  )`,
];

class AddAccountTables1700000000010 implements MigrationInterface {
  readonly name = 'AddAccountTables1700000000010';

  async up(runner: QueryRunner): Promise<void> {
    const grants = ['account_aliases', 'access_key_uses'].map(grantReadModel);
    for (const statement of [...ACCOUNT_TABLES, ...grants]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE account_aliases, access_key_uses');
  }
}

export const migrations = [CreateIam1700000000001, AddAccountTables1700000000010, CreateRootKeys1700000900000];
