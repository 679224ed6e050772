import type { DomainEvent, InlineProjection, Sql, StoredEvent } from '@holdfast/event-store';
import { projectFeature } from './snapshot-features.ts';
import type {
  AmazonSnapshotProvided,
  SnapshotCopyStarted,
  SnapshotEvent,
  SnapshotStarted,
} from '../domain/snapshot.events.ts';

/** Copies have no volume of their own; EC2 shows this one for all of them. */
const NO_VOLUME = 'vol-ffffffff';

const insert = (event: SnapshotStarted | SnapshotCopyStarted, position: number, sql: Sql) => {
  const isCopy = event.type === 'SnapshotCopyStarted';
  const dataKey = isCopy ? null : event.dataKey;
  const keyArn = isCopy ? event.keyArn : (event.dataKey?.keyArn ?? null);
  return sql.query(
    `INSERT INTO snapshots (snapshot_id, owner_id, region, position, volume_id, is_copy, source_id, source_volume_id, state,
       volume_size_gib, description, encrypted, key_arn, data_key, start_time, progress, tags)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $10, $11, $12, $13, $14, 0, $15)`,
    [
      event.snapshotId,
      event.ownerId,
      event.region,
      position,
      isCopy ? NO_VOLUME : event.volumeId,
      isCopy,
      isCopy ? event.source.snapshotId : null,
      isCopy ? (event.source.volumeId ?? null) : null,
      event.volumeSizeGiB,
      event.description,
      keyArn !== null,
      keyArn,
      dataKey === null ? null : JSON.stringify(dataKey),
      event.at,
      JSON.stringify(event.tags),
    ],
  );
};

const insertAmazons = (event: AmazonSnapshotProvided, position: number, sql: Sql) =>
  sql.query(
    `INSERT INTO snapshots (snapshot_id, owner_id, region, position, volume_id, is_copy, state, volume_size_gib, description,
       encrypted, start_time, completion_time, progress, tags, is_public)
     VALUES ($1, $2, $3, $4, $5, false, 'completed', $6, $7, false, $8, $8, 100, '{}', true)`,
    [
      event.snapshotId,
      event.ownerId,
      event.region,
      position,
      NO_VOLUME,
      event.volumeSizeGiB,
      event.description,
      event.at,
    ],
  );

const set = (snapshotId: string, assignments: string, values: readonly unknown[], sql: Sql) =>
  sql.query(`UPDATE snapshots SET ${assignments} WHERE snapshot_id = $1`, [snapshotId, ...values]);

const project = async ({ data: event, globalPosition }: StoredEvent<SnapshotEvent>, sql: Sql): Promise<unknown> => {
  const { snapshotId } = event;
  switch (event.type) {
    case 'SnapshotStarted':
    case 'SnapshotCopyStarted':
      return insert(event, globalPosition, sql);
    case 'AmazonSnapshotProvided':
      return insertAmazons(event, globalPosition, sql);
    case 'CopyDataKeyObtained':
      return set(snapshotId, 'data_key = $2', [JSON.stringify(event.dataKey)], sql);
    case 'SnapshotProgressed':
      return set(snapshotId, 'progress = $2', [event.progress], sql);
    case 'SnapshotCompleted':
      return set(snapshotId, `state = 'completed', progress = 100, completion_time = $2`, [event.at], sql);
    case 'SnapshotFailed':
      return set(snapshotId, `state = 'error', state_message = $2`, [event.message], sql);
    case 'SnapshotDeletionStarted':
      await sql.query('DELETE FROM snapshot_viewer_tags WHERE snapshot_id = $1', [snapshotId]);
      await sql.query('DELETE FROM fast_restores WHERE snapshot_id = $1', [snapshotId]);
      return sql.query('DELETE FROM snapshots WHERE snapshot_id = $1', [snapshotId]);
    case 'SnapshotTagged':
      return set(snapshotId, 'tags = tags || $2::jsonb', [JSON.stringify(event.tags)], sql);
    case 'SnapshotUntagged':
      return set(snapshotId, 'tags = tags - $2::text[]', [event.keys], sql);
    case 'SnapshotTaggedByViewer':
      return sql.query(
        `INSERT INTO snapshot_viewer_tags AS known (snapshot_id, account_id, tags) VALUES ($1, $2, $3)
         ON CONFLICT (snapshot_id, account_id) DO UPDATE SET tags = known.tags || EXCLUDED.tags`,
        [snapshotId, event.viewer, JSON.stringify(event.tags)],
      );
    case 'SnapshotUntaggedByViewer':
      return sql.query(
        'UPDATE snapshot_viewer_tags SET tags = tags - $3::text[] WHERE snapshot_id = $1 AND account_id = $2',
        [snapshotId, event.viewer, event.keys],
      );
    case 'SnapshotShared':
      return set(snapshotId, 'shared_with = shared_with || $2::text[], is_public = is_public OR $3', [event.accounts, event.public], sql); // prettier-ignore
    case 'SnapshotUnshared':
      return set(
        snapshotId,
        `shared_with = ARRAY(SELECT account FROM unnest(shared_with) AS account WHERE account <> ALL($2::text[])),
         is_public = is_public AND NOT $3`,
        [event.accounts, event.public],
        sql,
      );
    case 'PreviousCopyChosen':
    case 'CopyGrantCreated':
    case 'SnapshotDeletionRequested':
    case 'SnapshotDeleted':
      return undefined; // Nothing that a reader may see.
    case 'SnapshotRecycled':
      return set(snapshotId, 'recycled_at = $2, exits_at = $3', [event.at, event.exitsAt], sql);
    case 'SnapshotRestoredFromBin':
      return set(snapshotId, 'recycled_at = NULL, exits_at = NULL', [], sql);
    default:
      return projectFeature(event, sql);
  }
};

/** Rows that DescribeSnapshots and the other services' questions are answered from. */
export const snapshotDetails: InlineProjection = {
  name: 'snapshot-details',
  project: async (event: StoredEvent<DomainEvent>, sql: Sql) => {
    if (!event.streamId.startsWith('snapshot-')) return;
    await project(event as StoredEvent<SnapshotEvent>, sql);
  },
};
