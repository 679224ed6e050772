import { assertNever } from '@holdfast/decider';
import type { DomainEvent, InlineProjection, Sql, StoredEvent } from '@holdfast/event-store';
import { wholeSeconds } from '../application/whole-seconds.ts';
import type { AttachmentStarted, VolumeCreated, VolumeEvent } from '../domain/volume.events.ts';

/** Known at once when the key was named by its ARN; a bare id or an alias is known once KMS resolved it. */
const keyArnOf = ({ encryption }: VolumeCreated): string | null =>
  encryption !== null && /^arn:[^:]+:kms:[^:]+:\d{12}:key\//.test(encryption.kmsKeyId) ? encryption.kmsKeyId : null;

const insertVolume = (event: VolumeCreated, position: number, sql: Sql) =>
  sql.query(
    `INSERT INTO volumes (volume_id, account_id, region, position, status, size_gib, volume_type, iops, throughput,
       snapshot_id, availability_zone, availability_zone_id, encrypted, kms_key_arn, create_time, tags, multi_attach,
       initialization_rate, fast_restored)
     VALUES ($1, $2, $3, $4, 'creating', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
    [
      event.volumeId,
      event.accountId,
      event.region,
      position,
      event.sizeGiB,
      event.volumeType,
      event.iops,
      event.throughputMiBps,
      event.source?.snapshotId ?? '',
      event.availabilityZone,
      event.availabilityZoneId,
      event.encryption !== null,
      keyArnOf(event),
      wholeSeconds(event.at),
      JSON.stringify(event.tags),
      event.multiAttachEnabled ?? false,
      event.initializationRateMiBps ?? null,
      event.fastRestored ?? false,
    ],
  );

const setStatus = (volumeId: string, status: string, sql: Sql) =>
  sql.query('UPDATE volumes SET status = $2 WHERE volume_id = $1', [volumeId, status]);

const setBin = (volumeId: string, status: string, bin: { recycledAt: string; exitsAt: string } | null, sql: Sql) =>
  sql.query('UPDATE volumes SET status = $2, recycled_at = $3, exits_at = $4 WHERE volume_id = $1', [
    volumeId,
    status,
    bin?.recycledAt ?? null,
    bin?.exitsAt ?? null,
  ]);

const insertAttachment = async (event: AttachmentStarted, requestId: string, sql: Sql) => {
  await sql.query(
    `INSERT INTO attachments (volume_id, account_id, region, instance_id, host_id, device, state, attach_time,
       delete_on_termination, request_id)
     SELECT volume_id, account_id, region, $2, $3, $4, 'attaching', $5, $6, $7 FROM volumes WHERE volume_id = $1`,
    [
      event.volumeId,
      event.instanceId,
      event.hostId,
      event.device,
      wholeSeconds(event.at),
      event.deleteOnTermination,
      requestId,
    ],
  );
  await setStatus(event.volumeId, 'in-use', sql);
};

interface OfInstance {
  volumeId: string;
  instanceId: string;
}

const setAttachment = ({ volumeId, instanceId }: OfInstance, column: AttachmentColumn, value: unknown, sql: Sql) =>
  sql.query(`UPDATE attachments SET ${column} = $3 WHERE volume_id = $1 AND instance_id = $2`, [
    volumeId,
    instanceId,
    value,
  ]);
type AttachmentColumn = 'state' | 'suspended' | 'delete_on_termination';

const removeAttachment = async ({ volumeId, instanceId }: OfInstance, sql: Sql) => {
  await sql.query('DELETE FROM attachments WHERE volume_id = $1 AND instance_id = $2', [volumeId, instanceId]);
  await sql.query(
    `UPDATE volumes v SET status = 'available' WHERE volume_id = $1
       AND NOT EXISTS (SELECT FROM attachments a WHERE a.volume_id = v.volume_id)`,
    [volumeId],
  );
};

const project = async (
  { data: event, globalPosition, metadata }: StoredEvent<VolumeEvent>,
  sql: Sql,
): Promise<unknown> => {
  const { volumeId } = event;
  switch (event.type) {
    case 'VolumeCreated':
      return insertVolume(event, globalPosition, sql);
    case 'VolumeDataKeyObtained':
      return sql.query('UPDATE volumes SET kms_key_arn = $2, data_key = $3 WHERE volume_id = $1', [
        volumeId,
        event.dataKey.keyArn,
        JSON.stringify(event.dataKey),
      ]);
    case 'VolumeProvisioned':
      return setStatus(volumeId, 'available', sql);
    case 'VolumeRecycled':
      return setBin(volumeId, 'recycled', { recycledAt: event.at, exitsAt: event.exitsAt }, sql);
    case 'VolumeRestoredFromBin':
      return setBin(volumeId, 'available', null, sql);
    case 'VolumeDeletionStarted':
      return setBin(volumeId, 'deleting', null, sql);
    case 'VolumeCreationFailed':
    case 'VolumeDeleted':
      return sql.query('DELETE FROM volumes WHERE volume_id = $1', [volumeId]);
    case 'AttachmentStarted':
      return insertAttachment(event, metadata.caller.requestId, sql);
    case 'AttachmentCompleted':
      await setAttachment(event, 'state', 'attached', sql);
      return event.suspended === true ? setAttachment(event, 'suspended', true, sql) : undefined;
    case 'AttachmentSuspended':
      return setAttachment(event, 'suspended', true, sql);
    case 'AttachmentResumed':
      return setAttachment(event, 'suspended', false, sql);
    case 'ReattachmentFailed':
      return undefined;
    case 'DeleteOnTerminationChanged':
      return setAttachment(event, 'delete_on_termination', event.deleteOnTermination, sql);
    case 'DetachmentStarted':
      return setAttachment(event, 'state', 'detaching', sql);
    case 'AttachmentFailed':
    case 'VolumeDetached':
      return removeAttachment(event, sql);
    case 'VolumeTagged':
      return sql.query('UPDATE volumes SET tags = tags || $2::jsonb WHERE volume_id = $1', [
        volumeId,
        JSON.stringify(event.tags),
      ]);
    case 'VolumeUntagged':
      return sql.query('UPDATE volumes SET tags = tags - $2::text[] WHERE volume_id = $1', [volumeId, event.keys]);
    case 'VolumeGrantCreated':
    case 'VolumeGrantRetired':
    case 'VolumeRetentionWaived':
    case 'VolumeInitialized':
    case 'AttachmentGrantCreated':
    case 'AutoEnableIoChanged':
    case 'ModificationStarted':
    case 'ModificationTookEffect':
    case 'ModificationCompleted':
    case 'ModificationFailed':
      return undefined; // Nothing that a reader of these rows may see, or kept up by another projection.
    default:
      return assertNever(event);
  }
};

/** Rows that DescribeVolumes and the other services' questions are answered from. */
export const volumeDetails: InlineProjection = {
  name: 'volume-details',
  project: async (event: StoredEvent<DomainEvent>, sql: Sql) => {
    await project(event as StoredEvent<VolumeEvent>, sql);
  },
};
