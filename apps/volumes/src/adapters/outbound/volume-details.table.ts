import {
  type AttachmentRecord,
  type HostAttachment,
  type InstanceId,
  instancePrincipal,
  type RequestContext,
  type SnapshotId,
  type VolumeId,
  type VolumePerformanceRecord,
  type VolumeRecord,
  type WrappedDataKey,
} from '@holdfast/contracts';
import type { Sql } from '@holdfast/event-store';
import { column, type Filter, filterConditions, type SqlFilter, SqlParameters } from '@holdfast/ec2';
import type { VolumeDetails, VolumeQuery, VolumeTable } from '../../application/ports.ts';

const attachment =
  (expression: string): SqlFilter =>
  (any) =>
    `EXISTS (SELECT 1 FROM attachments a WHERE a.volume_id = v.volume_id AND ${any(expression)})`;

/** @see DescribeVolumes, "Filters". Nothing here is managed by an operator. */
export const VOLUME_FILTERS: Readonly<Record<string, SqlFilter>> = {
  'attachment.attach-time': attachment('a.attach_time'),
  'attachment.delete-on-termination': attachment('a.delete_on_termination::text'),
  'attachment.device': attachment('a.device'),
  'attachment.instance-id': attachment('a.instance_id'),
  'attachment.status': attachment('a.state'),
  'availability-zone': column('v.availability_zone'),
  'availability-zone-id': column('v.availability_zone_id'),
  'create-time': column('v.create_time'),
  encrypted: column('v.encrypted::text'),
  'fast-restored': column('v.fast_restored::text'),
  'multi-attach-enabled': column('v.multi_attach::text'),
  'operator.managed': column(`'false'`),
  'operator.principal': column('NULL::text'),
  size: column('v.size_gib::text'),
  'snapshot-id': column('v.snapshot_id'),
  status: column('v.status'),
  'volume-id': column('v.volume_id'),
  'volume-type': column('v.volume_type'),
};

const RESTORED = `v.snapshot_id <> ''`;

/** @see DescribeVolumeStatus, "Filters". No volume here has an event or asks for an action. */
export const STATUS_FILTERS: Readonly<Record<string, SqlFilter>> = {
  'action.code': column('NULL::text'),
  'action.description': column('NULL::text'),
  'action.event-id': column('NULL::text'),
  'attachment-status.instance-id': attachment('a.instance_id'),
  'attachment-status.io-performance': attachment(`'not-applicable'`),
  'availability-zone': column('v.availability_zone'),
  'availability-zone-id': column('v.availability_zone_id'),
  'event.description': column('NULL::text'),
  'event.event-id': column('NULL::text'),
  'event.event-type': column('NULL::text'),
  'event.not-after': column('NULL::text'),
  'event.not-before': column('NULL::text'),
  'volume-status.details-name': (any) =>
    `(${any(`'io-enabled'`)} OR ${any(`'io-performance'`)} OR (${RESTORED} AND ${any(`'initialization-state'`)}))`,
  // Which of the last two it is, the volume's host knows.
  'volume-status.details-status': (any) =>
    `(${any(`'passed'`)} OR ${any(`'not-applicable'`)}
      OR (${RESTORED} AND (${any(`'initializing'`)} OR ${any(`'completed'`)})))`,
  'volume-status.status': column(`'ok'`),
};

/** @see DescribeTags, "Filters". `tag:<key>` looks at the tag itself, not at the resource's others. */
export const TAG_FILTERS: Readonly<Record<string, SqlFilter>> = {
  key: column('tag.key'),
  'resource-id': column('v.volume_id'),
  'resource-type': column(`'volume'`),
  value: column('tag.value'),
};

/** What AWS adds to the tags of what is in the Recycle Bin. */
const TAGS = `CASE WHEN v.status = 'recycled' THEN v.tags || '{"aws:recycle-bin:resource-in-bin": "true"}' ELSE v.tags END`;

interface VolumeRow {
  volume_id: string;
  account_id: string;
  region: string;
  position: string;
  status: VolumeDetails['state'];
  size_gib: number;
  volume_type: string;
  iops: number | null;
  throughput: number | null;
  multi_attach: boolean;
  initialization_rate: number | null;
  fast_restored: boolean;
  snapshot_id: string;
  availability_zone: string;
  availability_zone_id: string;
  encrypted: boolean;
  kms_key_arn: string | null;
  data_key: WrappedDataKey | null;
  create_time: string;
  tags: Record<string, string>;
}

interface AttachmentRow {
  volume_id: string;
  instance_id: string;
  device: string;
  state: AttachmentRecord['state'];
  attach_time: string;
  delete_on_termination: boolean;
}

interface DescribedRow extends VolumeRow {
  attachments: AttachmentRow[] | null;
  matches: boolean;
}

/** Volumes with their attachments in one round trip. `matches` is a column of that name: a condition. */
const select = (matches: string) => `SELECT v.*, att.attachments, (${matches}) AS matches
  FROM volumes v LEFT JOIN LATERAL
    (SELECT jsonb_agg(a ORDER BY a.attach_time, a.instance_id) AS attachments FROM attachments a WHERE a.volume_id = v.volume_id) att ON true`;

const attachmentRecord = (row: AttachmentRow): AttachmentRecord => ({
  volumeId: row.volume_id as VolumeId,
  instanceId: row.instance_id as InstanceId,
  device: row.device,
  state: row.state,
  attachTime: row.attach_time as AttachmentRecord['attachTime'],
  deleteOnTermination: row.delete_on_termination,
});

const details = (row: DescribedRow): VolumeDetails => ({
  volumeId: row.volume_id as VolumeId,
  accountId: row.account_id,
  region: row.region,
  state: row.status,
  sizeGiB: row.size_gib,
  volumeType: row.volume_type,
  iops: row.iops,
  throughputMiBps: row.throughput,
  multiAttachEnabled: row.multi_attach,
  initializationRateMiBps: row.initialization_rate,
  fastRestored: row.fast_restored,
  snapshotId: row.snapshot_id,
  availabilityZone: row.availability_zone,
  availabilityZoneId: row.availability_zone_id,
  encrypted: row.encrypted,
  kmsKeyArn: row.kms_key_arn,
  createTime: row.create_time,
  tags: row.tags,
  attachments: (row.attachments ?? []).map(attachmentRecord),
});

const ownedBy = ({ accountId, region }: RequestContext, parameters: SqlParameters): string[] => [
  `v.account_id = ${parameters.add(accountId)}`,
  `v.region = ${parameters.add(region)}`,
];

export class PostgresVolumeTable implements VolumeTable {
  constructor(private readonly sql: Sql) {}

  async describe({ filters, volumeIds, after, limit, status }: VolumeQuery, context: RequestContext) {
    const parameters = new SqlParameters();
    const conditions = ownedBy(context, parameters);
    const filtered = filterConditions(filters, status === true ? STATUS_FILTERS : VOLUME_FILTERS, 'v.tags', parameters);
    conditions.push(`v.status <> 'recycled'`);
    if (status === true) filtered.push(`v.status IN ('available', 'in-use')`);
    if (volumeIds.length > 0) return this.describeIds(volumeIds, conditions, filtered, parameters);
    if (after !== undefined) conditions.push(`v.position > ${parameters.add(after)}::bigint`);
    const where = [...conditions, ...filtered].join(' AND ');
    const text = `${select('TRUE')} WHERE ${where} ORDER BY v.position LIMIT ${parameters.add(limit)}`;
    const rows = await this.sql.query<DescribedRow>(text, parameters.values);
    return { rows: rows.map((row) => ({ volume: details(row), position: row.position })), missing: [] };
  }

  /** Whether a volume exists is asked before the filters; one that is being deleted exists only in listings. */
  private async describeIds(
    volumeIds: readonly string[],
    own: string[],
    filtered: string[],
    parameters: SqlParameters,
  ) {
    const asked = `v.volume_id = ANY(${parameters.add([...new Set(volumeIds)])}::text[])`;
    const where = [...own, asked, `v.status <> 'deleting'`].join(' AND ');
    const matches = ['TRUE', ...filtered].join(' AND ');
    const text = `${select(matches)} WHERE ${where} ORDER BY v.position`;
    const rows = await this.sql.query<DescribedRow>(text, parameters.values);
    const found = new Set(rows.map((row) => row.volume_id));
    return {
      rows: rows.filter((row) => row.matches).map((row) => ({ volume: details(row), position: row.position })),
      missing: volumeIds.filter((volumeId) => !found.has(volumeId)),
    };
  }

  async tags(filters: readonly Filter[] | undefined, context: RequestContext) {
    const parameters = new SqlParameters();
    const conditions = ownedBy(context, parameters);
    const tag = 'jsonb_build_object(tag.key, tag.value)';
    conditions.push(...filterConditions(filters, TAG_FILTERS, tag, parameters));
    return this.sql.query<{ volumeId: string; key: string; value: string }>(
      `SELECT v.volume_id AS "volumeId", tag.key, tag.value FROM volumes v, jsonb_each_text(${TAGS}) AS tag
       WHERE ${conditions.join(' AND ')} ORDER BY v.position, tag.key`,
      parameters.values,
    );
  }

  async record(volumeId: VolumeId, { accountId, region }: RequestContext): Promise<VolumeRecord | null> {
    const [row] = await this.sql.query<VolumeRow>(
      `SELECT * FROM volumes WHERE volume_id = $1 AND account_id = $2 AND region = $3 AND status <> 'recycled'`,
      [volumeId, accountId, region],
    );
    if (row === undefined) return null;
    const { status: state, size_gib: sizeGiB, volume_type: volumeType, data_key: dataKey } = row;
    return { volumeId, accountId, region, state, sizeGiB, volumeType, dataKey };
  }

  async attachments(instanceIds: readonly InstanceId[] | undefined, { accountId, region }: RequestContext) {
    const rows = await this.sql.query<AttachmentRow>(
      `SELECT * FROM attachments WHERE account_id = $1 AND region = $2
         AND ($3::text[] IS NULL OR instance_id = ANY($3)) ORDER BY instance_id, device`,
      [accountId, region, instanceIds ?? null],
    );
    return rows.map(attachmentRecord);
  }

  async hostAttachments(hostId: string): Promise<HostAttachment[]> {
    type Row = AttachmentRow &
      Pick<VolumeRow, 'account_id' | 'region' | 'data_key' | 'multi_attach'> &
      Pick<VolumeRow, 'volume_type' | 'size_gib' | 'iops' | 'throughput'> & { request_id: string };
    const rows = await this.sql.query<Row>(
      `SELECT a.*, v.data_key, v.multi_attach, v.volume_type, v.size_gib, v.iops, v.throughput FROM attachments a JOIN volumes v USING (volume_id)
       WHERE a.host_id = $1 AND a.state = 'attached' AND NOT a.suspended ORDER BY a.volume_id`,
      [hostId],
    );
    return rows.map((row) => {
      const { volumeId, instanceId, device } = attachmentRecord(row);
      const performance = {
        volumeType: row.volume_type as VolumePerformanceRecord['volumeType'],
        sizeGiB: row.size_gib,
        iops: row.iops,
        throughputMiBps: row.throughput,
      };
      const served = { volumeId, instanceId, device, ...(row.multi_attach ? { multiAttach: true } : {}), performance };
      if (row.data_key === null) return served;
      const accountId = row.account_id as RequestContext['accountId'];
      const region = row.region as RequestContext['region'];
      const principal = instancePrincipal(accountId, instanceId);
      return { ...served, dataKey: { ...row.data_key, principal, accountId, region, requestId: row.request_id } };
    });
  }

  async isSnapshotInUse(snapshotId: SnapshotId): Promise<boolean> {
    const rows = await this.sql.query(
      `SELECT true FROM volumes WHERE snapshot_id = $1 AND status = 'creating' LIMIT 1`,
      [snapshotId],
    );
    return rows.length > 0;
  }

  async usage(volumeType: string, { accountId, region }: RequestContext) {
    const [row] = await this.sql.query<{ size: string | null; iops: string | null }>(
      `SELECT sum(size_gib) AS size, sum(iops) AS iops FROM volumes
       WHERE account_id = $1 AND region = $2 AND volume_type = $3 AND status <> 'deleting'`,
      [accountId, region, volumeType],
    );
    return { storageGiB: Number(row?.size ?? 0), iops: Number(row?.iops ?? 0) };
  }

  async volumesOf(instanceId: InstanceId): Promise<VolumeId[]> {
    const rows = await this.sql.query<{ volume_id: VolumeId }>(
      'SELECT volume_id FROM attachments WHERE instance_id = $1 ORDER BY volume_id',
      [instanceId],
    );
    return rows.map((row) => row.volume_id);
  }
}
