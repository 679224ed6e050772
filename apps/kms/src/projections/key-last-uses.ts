import type { Checkpoint, Sql, SubscribableStore } from '@holdfast/event-store';

/** Name of the projection's checkpoint. To rebuild: empty the table, and begin again under another name. */
export const KEY_LAST_USES = 'key-last-uses';

const BATCH = 10_000;

/** The last event of the next batch, below the oldest transaction that may still commit. */
const BATCH_END = `
  SELECT transaction_id, global_position FROM (
    SELECT transaction_id, global_position FROM events
    WHERE (transaction_id, global_position) > ($1::xid8, $2::bigint)
      AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY transaction_id, global_position LIMIT $3) batch
  ORDER BY transaction_id DESC, global_position DESC LIMIT 1`;

/**
 * Uses of keys are too many to be handled one by one, and only the last of each key counts: one statement a batch. Those of
 * a key that is gone are left out, and of a replica that a new one has replaced.
 */
const PROJECT = `
  INSERT INTO key_last_uses (key_id, region, operation, used_at, event_id, request_id, transaction_id, global_position)
  SELECT DISTINCT ON (k.key_id, k.region) k.key_id, k.region, e.data->>'operation', (e.data->>'at')::timestamptz, e.event_id,
    e.data->>'requestId', e.transaction_id, e.global_position
  FROM events e
  JOIN kms_keys k ON k.key_id = e.data->>'keyId' AND k.region = split_part(e.data->>'keyArn', ':', 4)
    AND k.position < e.global_position
  WHERE (e.transaction_id, e.global_position) > ($1::xid8, $2::bigint)
    AND (e.transaction_id, e.global_position) <= ($3::xid8, $4::bigint) AND e.type = 'KeyUsed'
  ORDER BY k.key_id, k.region, e.transaction_id DESC, e.global_position DESC
  ON CONFLICT (key_id, region) DO UPDATE SET operation = excluded.operation, used_at = excluded.used_at,
    event_id = excluded.event_id, request_id = excluded.request_id, transaction_id = excluded.transaction_id,
    global_position = excluded.global_position
  WHERE (key_last_uses.transaction_id, key_last_uses.global_position) < (excluded.transaction_id, excluded.global_position)`;

const START: Checkpoint = { transactionId: '0', globalPosition: 0 };

/**
 * Brings table `key_last_uses` forward by one batch of the log. Replicas may do so at once: the checkpoint lets one through.
 * @returns whether there may be more.
 */
export const projectLastUses = async (
  store: Pick<SubscribableStore, 'loadCheckpoint' | 'advance'>,
  database: Sql,
): Promise<boolean> => {
  const from = await store.loadCheckpoint(KEY_LAST_USES);
  const after = from ?? START;
  const [end] = await database.query<{ transaction_id: string; global_position: string }>(BATCH_END, [
    after.transactionId,
    after.globalPosition,
    BATCH,
  ]);
  if (end === undefined) return false;
  const to = { transactionId: end.transaction_id, globalPosition: Number(end.global_position) };
  await store.advance(KEY_LAST_USES, from, to, async (sql) => {
    await sql.query(PROJECT, [after.transactionId, after.globalPosition, to.transactionId, to.globalPosition]);
  });
  return true;
};
