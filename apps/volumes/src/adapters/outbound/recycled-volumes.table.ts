import type { AccountId, Instant, Region, RequestContext, VolumeId } from '@holdfast/contracts';
import { SqlParameters } from '@holdfast/ec2';
import type { Sql } from '@holdfast/event-store';
import type { DueVolume, RecycledVolume, RecycledVolumes } from '../../application/ports.ts';

const COLUMNS = `volume_id AS "volumeId", position::text AS position, volume_type AS "volumeType", size_gib AS "sizeGiB",
  iops, throughput AS "throughputMiBps", snapshot_id AS "snapshotId", availability_zone AS "availabilityZone",
  availability_zone_id AS "availabilityZoneId", create_time AS "createTime", recycled_at AS "recycledAt",
  exits_at AS "exitsAt"`;

export class PostgresRecycledVolumes implements RecycledVolumes {
  constructor(private readonly sql: Sql) {}

  list(
    { volumeIds, after, limit }: { volumeIds: readonly string[]; after?: string; limit: number },
    { accountId, region }: RequestContext,
  ): Promise<RecycledVolume[]> {
    const parameters = new SqlParameters();
    const conditions = [
      `status = 'recycled'`,
      `account_id = ${parameters.add(accountId)}`,
      `region = ${parameters.add(region)}`,
      ...(volumeIds.length > 0 ? [`volume_id = ANY(${parameters.add(volumeIds)}::text[])`] : []),
      ...(after === undefined ? [] : [`position > ${parameters.add(after)}::bigint`]),
    ];
    return this.sql.query<RecycledVolume>(
      `SELECT ${COLUMNS} FROM volumes WHERE ${conditions.join(' AND ')}
       ORDER BY volumes.position LIMIT ${parameters.add(limit)}`,
      parameters.values,
    );
  }

  due(now: Instant, limit: number): Promise<DueVolume[]> {
    return this.sql.query<{ volumeId: VolumeId; accountId: AccountId; region: Region }>(
      `SELECT volume_id AS "volumeId", account_id AS "accountId", region FROM volumes
       WHERE exits_at <= $1 ORDER BY exits_at LIMIT $2`,
      [now, limit],
    );
  }
}
