import { type AccountId, instant, type Region } from '@holdfast/contracts';
import type { Sql } from '@holdfast/event-store';
import type { AliasDirectory, AliasRecord, KeyName } from '../../application/ports.ts';
import { EBS_ALIAS, type Place } from '../../domain/names.ts';

interface AliasRow {
  account_id: AccountId;
  region: Region;
  alias_name: string;
  target_key_id: string | null;
  created_at: Date | null;
  updated_at: Date | null;
}

const aliasRecord = (row: AliasRow): AliasRecord => ({
  accountId: row.account_id,
  region: row.region,
  aliasName: row.alias_name,
  targetKeyId: row.target_key_id,
  createdAt: row.created_at && instant(row.created_at),
  updatedAt: row.updated_at && instant(row.updated_at),
});

/** An alias whose key is not there yet (`alias/aws/ebs`, half made) shows no target. */
const OF_PLACE = `
  SELECT account_id, region, alias_name, target_key_id, created_at, updated_at FROM (
    SELECT a.account_id, a.region, a.alias_name, k.key_id AS target_key_id, a.created_at, a.updated_at
    FROM aliases a LEFT JOIN kms_keys k ON k.key_id = a.target_key_id AND k.region = a.region
    WHERE a.account_id = $1 AND a.region = $2
    UNION ALL
    SELECT $1, $2, $5, NULL, NULL, NULL WHERE NOT EXISTS (
      SELECT FROM aliases WHERE account_id = $1 AND region = $2 AND alias_name = $5)
  ) listed WHERE alias_name > $3 COLLATE "C" ORDER BY alias_name COLLATE "C" LIMIT $4`;

const OF_KEY = 'SELECT * FROM aliases WHERE target_key_id = $1 AND region = $2 ORDER BY alias_name';

export class AliasesTable implements AliasDirectory {
  constructor(private readonly sql: Sql) {}

  async list(
    { accountId, region }: Place,
    key: KeyName | null,
    afterName: string,
    limit: number,
  ): Promise<AliasRecord[]> {
    if (key !== null) {
      const ofKey = await this.ofKey(key); // At most 50, by KMS's quota.
      return ofKey.filter(({ aliasName }) => aliasName > afterName).slice(0, limit);
    }
    const values = [accountId, region, afterName, limit, EBS_ALIAS];
    return (await this.sql.query<AliasRow>(OF_PLACE, values)).map(aliasRecord);
  }

  async ofKey({ keyId, region }: KeyName): Promise<AliasRecord[]> {
    return (await this.sql.query<AliasRow>(OF_KEY, [keyId, region])).map(aliasRecord);
  }
}
