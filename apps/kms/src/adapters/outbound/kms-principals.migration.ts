import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Whom policies and grants name, by unique id; what is there already goes on by the names that it has. Null names of a grant:
 * the same as its principals.
 */
const CHANGES = `
  ALTER TABLE kms_keys ADD COLUMN principal_ids jsonb NOT NULL DEFAULT '{}';
  ALTER TABLE grants ADD COLUMN grantee_name text, ADD COLUMN retiring_name text`;

const BACK = `
  UPDATE grants SET grantee_principal = coalesce(grantee_name, grantee_principal),
    retiring_principal = coalesce(retiring_name, retiring_principal);
  ALTER TABLE grants DROP COLUMN grantee_name, DROP COLUMN retiring_name;
  ALTER TABLE kms_keys DROP COLUMN principal_ids`;

export class NamePrincipalsById1700000100010 implements MigrationInterface {
  readonly name = 'NamePrincipalsById1700000100010';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(CHANGES);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(BACK);
  }
}
