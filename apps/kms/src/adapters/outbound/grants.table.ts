import { type AccountId, instant, type KeyArn, type Region } from '@holdfast/contracts';
import type { Sql } from '@holdfast/event-store';
import type { GrantDirectory, GrantRecord, KeyName } from '../../application/ports.ts';
import type { ActiveGrant } from '../../domain/access.ts';
import { leadPairsOf } from '../../domain/grant-search.ts';
import type { GrantConstraints, GrantOperation } from '../../domain/grant.events.ts';

interface GrantRow {
  grant_id: string;
  key_id: string;
  key_arn: KeyArn;
  issuing_account: AccountId;
  name: string;
  grantee_principal: string;
  retiring_principal: string | null;
  operations: GrantOperation[];
  constraints: GrantConstraints | null;
  grantee_name: string | null;
  retiring_name: string | null;
  created_at: Date;
  position: string;
}

const COLUMNS = `grant_id, key_id, key_arn, issuing_account, name, grantee_principal, retiring_principal, operations,
  constraints, grantee_name, retiring_name, created_at, position`;

const grantRecord = (row: GrantRow): GrantRecord => ({
  grantId: row.grant_id,
  keyId: row.key_id,
  keyArn: row.key_arn,
  issuingAccount: row.issuing_account,
  name: row.name,
  granteePrincipal: row.grantee_principal,
  retiringPrincipal: row.retiring_principal,
  named: {
    granteePrincipal: row.grantee_name ?? row.grantee_principal,
    retiringPrincipal: row.retiring_name ?? row.retiring_principal,
  },
  operations: row.operations,
  constraints: row.constraints,
  createdAt: instant(row.created_at),
  position: Number(row.position),
});

/** Grants of one principal that hold for one context; more than this many are as good as the first. */
const MAX_APPLICABLE = 200;

export class GrantsTable implements GrantDirectory {
  constructor(private readonly sql: Sql) {}

  async find(grantId: string): Promise<GrantRecord | null> {
    const [row] = await this.sql.query<GrantRow>(`SELECT ${COLUMNS} FROM grants WHERE grant_id = $1`, [grantId]);
    return row === undefined ? null : grantRecord(row);
  }

  async applicable(
    { keyId, region }: KeyName,
    grantees: readonly string[],
    operation: string,
    context: Readonly<Record<string, string>> | null,
  ): Promise<ActiveGrant[]> {
    // Constraints are held against the context here too, so that the limit never cuts off the one grant that holds.
    const pairs = context === null ? '' : 'AND lead_pair = ANY ($5)';
    const holds = `AND coalesce(constraints->'EncryptionContextSubset' <@ $6::jsonb, true)
      AND coalesce(constraints->'EncryptionContextEquals' = $6::jsonb, true)`;
    const rows = await this.sql.query<GrantRow>(
      `SELECT ${COLUMNS} FROM grants WHERE key_id = $1 AND grantee_principal = ANY ($2) AND $3 = ANY (operations) AND region = $4
       ${pairs} ${context === null ? '' : holds} ORDER BY position LIMIT ${String(MAX_APPLICABLE)}`,
      [
        keyId,
        grantees,
        operation,
        region,
        ...(context === null ? [] : [leadPairsOf(context), JSON.stringify(context)]),
      ],
    );
    return rows.map(grantRecord);
  }

  async findNamed({ keyId, region }: KeyName, name: string, termsHash: string): Promise<string | null> {
    const [row] = await this.sql.query<{ grant_id: string }>(
      `SELECT grant_id FROM grants WHERE key_id = $1 AND region = $4 AND name = $2 AND terms_hash = $3 AND name <> ''`,
      [keyId, name, termsHash, region],
    );
    return row?.grant_id ?? null;
  }

  async list(
    filter:
      | { key: KeyName; grantId?: string | undefined; grantees?: readonly string[] | undefined }
      | { retiringPrincipals: readonly string[]; region: Region },
    afterPosition: number,
    limit: number,
  ): Promise<GrantRecord[]> {
    const [condition, values] =
      'key' in filter
        ? [
            `key_id = $1 AND region = $2 AND ($3::text IS NULL OR grant_id = $3)
             AND ($4::text[] IS NULL OR grantee_principal = ANY ($4))`,
            [filter.key.keyId, filter.key.region, filter.grantId ?? null, filter.grantees ?? null],
          ]
        : [
            'retiring_principal = ANY ($1) AND region = $2 AND $3::text IS NULL AND $4::text IS NULL',
            [filter.retiringPrincipals, filter.region, null, null],
          ];
    const rows = await this.sql.query<GrantRow>(
      `SELECT ${COLUMNS} FROM grants WHERE ${condition} AND position > $5 ORDER BY position LIMIT $6`,
      [...values, afterPosition, limit],
    );
    return rows.map(grantRecord);
  }

  async hasAtLeast({ keyId, region }: KeyName, count: number): Promise<boolean> {
    const text = 'SELECT FROM grants WHERE key_id = $1 AND region = $2 OFFSET $3 LIMIT 1';
    const rows = await this.sql.query(text, [keyId, region, count - 1]);
    return rows.length > 0;
  }
}
