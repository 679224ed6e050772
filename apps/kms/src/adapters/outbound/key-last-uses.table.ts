import { instant } from '@holdfast/contracts';
import type { Sql } from '@holdfast/event-store';
import type { KeyLastUses, KeyRecord } from '../../application/ports.ts';
import type { LastUse } from '../../domain/key-last-use.ts';
import type { CryptographicOperation } from '../../domain/key-specs.ts';
import { KEY_LAST_USES } from '../../projections/key-last-uses.ts';

/**
 * The projected row, and the end of the log that is not projected yet, in one snapshot: exact at any time. $1 key, $2 its
 * Region, $3 its ARN, $4 the position it begins at: a replica's uses are not those of a former one.
 */
const LAST_USE = `
  WITH done AS (SELECT transaction_id, global_position FROM checkpoints WHERE name = $5),
  projected AS (
    SELECT operation, used_at, event_id, request_id, transaction_id, global_position FROM key_last_uses
    WHERE key_id = $1 AND region = $2 AND global_position > $4),
  latest AS (
    SELECT data->>'operation', (data->>'at')::timestamptz, event_id, data->>'requestId', transaction_id, global_position
    FROM events
    WHERE (transaction_id, global_position) >
        (coalesce((SELECT transaction_id FROM done), '0'::xid8), coalesce((SELECT global_position FROM done), 0))
      AND type = 'KeyUsed' AND data->>'keyArn' = $3 AND global_position > $4
    ORDER BY transaction_id DESC, global_position DESC LIMIT 1)
  SELECT operation, used_at, event_id, request_id FROM (SELECT * FROM projected UNION ALL SELECT * FROM latest) AS uses
  ORDER BY transaction_id DESC, global_position DESC LIMIT 1`;

export class KeyLastUsesTable implements KeyLastUses {
  constructor(private readonly sql: Sql) {}

  async of({ keyId, region, arn, position }: KeyRecord): Promise<LastUse | null> {
    const [row] = await this.sql.query<{
      operation: CryptographicOperation;
      used_at: Date;
      event_id: string;
      request_id: string;
    }>(LAST_USE, [keyId, region, arn, position, KEY_LAST_USES]);
    if (row === undefined) return null;
    const { operation, used_at: at, event_id: eventId, request_id: requestId } = row;
    return { operation, at: instant(at), eventId, requestId };
  }
}
