import type { Instant } from '@holdfast/contracts';
import type { DomainEvent, InlineProjection, Sql, StoredEvent } from '@holdfast/event-store';
import { wholeSeconds } from '../application/whole-seconds.ts';
import type { ModificationStarted, VolumeEvent } from '../domain/volume.events.ts';

const begin = (event: ModificationStarted, position: number, sql: Sql) =>
  sql.query(
    `INSERT INTO modifications (volume_id, account_id, region, position, state, original, target, start_time)
     SELECT volume_id, account_id, region, $2, 'modifying', $3, $4, $5 FROM volumes WHERE volume_id = $1
     ON CONFLICT (volume_id) DO UPDATE SET position = $2, state = 'modifying', status_message = NULL, original = $3,
       target = $4, start_time = $5, end_time = NULL`,
    [event.volumeId, position, JSON.stringify(event.original), JSON.stringify(event.target), wholeSeconds(event.at)],
  );

/** Before its details change: the target is what the volume becomes. */
const takeEffect = async (volumeId: string, sql: Sql) => {
  await sql.query(`UPDATE modifications SET state = 'optimizing' WHERE volume_id = $1`, [volumeId]);
  await sql.query(
    `UPDATE volumes v SET size_gib = (m.target ->> 'sizeGiB')::integer, volume_type = m.target ->> 'volumeType',
       iops = (m.target ->> 'iops')::integer, throughput = (m.target ->> 'throughputMiBps')::integer,
       multi_attach = coalesce((m.target ->> 'multiAttachEnabled')::boolean, false)
     FROM modifications m WHERE m.volume_id = v.volume_id AND v.volume_id = $1`,
    [volumeId],
  );
};

const end = (volumeId: string, state: string, message: string | null, at: Instant, sql: Sql) =>
  sql.query('UPDATE modifications SET state = $2, status_message = $3, end_time = $4 WHERE volume_id = $1', [
    volumeId,
    state,
    message,
    wholeSeconds(at),
  ]);

const project = async ({ data: event, globalPosition }: StoredEvent<VolumeEvent>, sql: Sql): Promise<unknown> => {
  const { volumeId } = event;
  switch (event.type) {
    case 'ModificationStarted':
      return begin(event, globalPosition, sql);
    case 'ModificationTookEffect':
      return takeEffect(volumeId, sql);
    case 'ModificationCompleted':
      return end(volumeId, 'completed', null, event.at, sql);
    case 'ModificationFailed':
      return end(volumeId, 'failed', event.cause, event.at, sql);
    case 'VolumeDeleted':
      return sql.query('DELETE FROM modifications WHERE volume_id = $1', [volumeId]);
    default:
      return undefined; // The other events are about something else.
  }
};

/** Rows that DescribeVolumesModifications is answered from, and what a modification changes in the volume's own. */
export const volumeModifications: InlineProjection = {
  name: 'volume-modifications',
  project: async (event: StoredEvent<DomainEvent>, sql: Sql) => {
    await project(event as StoredEvent<VolumeEvent>, sql);
  },
};
