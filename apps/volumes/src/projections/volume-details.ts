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
       snapshot_id, availability_zone, availability_zone_id, encrypted, kms_key_arn, create_time, tags)
     VALUES ($1, $2, $3, $4, 'creating', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
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
    ],
  );

const setStatus = (volumeId: string, status: string, sql: Sql) =>
  sql.query('UPDATE volumes SET status = $2 WHERE volume_id = $1', [volumeId, status]);

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

const setAttachment = (volumeId: string, state: string, sql: Sql) =>
  sql.query('UPDATE attachments SET state = $2 WHERE volume_id = $1', [volumeId, state]);

const setSuspended = (volumeId: string, suspended: boolean, sql: Sql) =>
  sql.query('UPDATE attachments SET suspended = $2 WHERE volume_id = $1', [volumeId, suspended]);

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
    case 'VolumeDeletionStarted':
      return setStatus(volumeId, 'deleting', sql);
    case 'VolumeCreationFailed':
    case 'VolumeDeleted':
      return sql.query('DELETE FROM volumes WHERE volume_id = $1', [volumeId]);
    case 'AttachmentStarted':
      return insertAttachment(event, metadata.caller.requestId, sql);
    case 'AttachmentCompleted':
      await setAttachment(volumeId, 'attached', sql);
      return event.suspended === true ? setSuspended(volumeId, true, sql) : undefined;
    case 'AttachmentSuspended':
      return setSuspended(volumeId, true, sql);
    case 'AttachmentResumed':
      return setSuspended(volumeId, false, sql);
    case 'DeleteOnTerminationChanged':
      return sql.query('UPDATE attachments SET delete_on_termination = $2 WHERE volume_id = $1', [
        volumeId,
        event.deleteOnTermination,
      ]);
    case 'DetachmentStarted':
      return setAttachment(volumeId, 'detaching', sql);
    case 'AttachmentFailed':
    case 'VolumeDetached':
      await sql.query('DELETE FROM attachments WHERE volume_id = $1', [volumeId]);
      return setStatus(volumeId, 'available', sql);
    case 'VolumeTagged':
      return sql.query('UPDATE volumes SET tags = tags || $2::jsonb WHERE volume_id = $1', [
        volumeId,
        JSON.stringify(event.tags),
      ]);
    case 'VolumeUntagged':
      return sql.query('UPDATE volumes SET tags = tags - $2::text[] WHERE volume_id = $1', [volumeId, event.keys]);
    case 'VolumeGrantCreated':
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
