import type { Query } from './stack-tables.ts';

/** Which uses; everything that is absent is not asked about. */
export interface UsageFilter {
  /** Of keys, in one Region each. */
  readonly arns?: readonly string[];
  /** In all Regions, deleted ones among them. */
  readonly keyId?: string;
  /** As the encryption context's `aws:ebs:id` has it. */
  readonly ebsId?: string;
  /** An ARN; `*` stands for anything. */
  readonly principal?: string;
  /** Inclusive. */
  readonly from?: Date;
  /** Exclusive. */
  readonly to?: Date;
}

/** Of one operation. Instants are ISO-8601. */
export interface OperationUses {
  readonly operation: string;
  readonly count: number;
  readonly firstAt: string;
  readonly lastAt: string;
}

/** What one principal did with one key for one volume. */
export interface KeyUses {
  readonly keyArn: string;
  /** Volume, or snapshot where the data key is a snapshot's own; null: a use outside EBS. */
  readonly ebsId: string | null;
  readonly principalArn: string;
  readonly count: number;
  readonly firstAt: string;
  readonly lastAt: string;
  /** By name. */
  readonly operations: readonly OperationUses[];
}

export interface UsageRow {
  key_arn: string;
  ebs_id: string | null;
  principal_arn: string;
  operation: string;
  count: string;
  first_at: Date;
  last_at: Date;
}

const USAGE = `
  SELECT key_arn, ebs_id, principal_arn, operation, count(*) AS count, min(at) AS first_at, max(at) AS last_at
  FROM (
    SELECT data->>'keyArn' AS key_arn, data->>'keyId' AS key_id, data->'encryptionContext'->>'aws:ebs:id' AS ebs_id,
      data->>'principalArn' AS principal_arn, data->>'operation' AS operation, (data->>'at')::timestamptz AS at
    FROM events WHERE type = 'KeyUsed') AS uses
  WHERE ($1::text[] IS NULL OR key_arn = ANY ($1)) AND ($2::text IS NULL OR key_id = $2)
    AND ($3::text IS NULL OR ebs_id = $3) AND ($4::text IS NULL OR principal_arn LIKE $4)
    AND ($5::timestamptz IS NULL OR at >= $5) AND ($6::timestamptz IS NULL OR at < $6)
  GROUP BY key_arn, ebs_id, principal_arn, operation
  ORDER BY key_arn, ebs_id NULLS LAST, principal_arn, operation`;

/** `*` as LIKE's `%`, everything else as it is. */
export const likePattern = (principal: string): string => principal.replace(/[\\%_]/g, '\\$&').replaceAll('*', '%');

const earlier = (a: string, b: string): string => (a < b ? a : b);
const later = (a: string, b: string): string => (a < b ? b : a);

/** Gathers the operations of each key, volume and principal. @param rows in the order of these three. */
export const groupUses = (rows: readonly UsageRow[]): KeyUses[] => {
  const groups: KeyUses[] = [];
  for (const row of rows) {
    const { key_arn: keyArn, ebs_id: ebsId, principal_arn: principalArn, operation } = row;
    const [count, firstAt, lastAt] = [Number(row.count), row.first_at.toISOString(), row.last_at.toISOString()];
    const own = { operation, count, firstAt, lastAt };
    const group = groups.at(-1);
    if (group?.keyArn !== keyArn || group.ebsId !== ebsId || group.principalArn !== principalArn) {
      groups.push({ keyArn, ebsId, principalArn, count, firstAt, lastAt, operations: [own] });
      continue;
    }
    groups[groups.length - 1] = {
      ...group,
      count: group.count + count,
      firstAt: earlier(group.firstAt, firstAt),
      lastAt: later(group.lastAt, lastAt),
      operations: [...group.operations, own],
    };
  }
  return groups;
};

/** Successful uses of keys, counted from the log of `kms`: each was committed there before its result left. */
export const readKeyUses = async (kms: Query, filter: UsageFilter): Promise<KeyUses[]> => {
  const { arns, keyId, ebsId, principal, from, to } = filter;
  const pattern = principal === undefined ? null : likePattern(principal);
  return groupUses(
    await kms<UsageRow>(USAGE, [arns ?? null, keyId ?? null, ebsId ?? null, pattern, from ?? null, to ?? null]),
  );
};
