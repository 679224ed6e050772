import type { Instant, RequestContext, VolumeId } from '@holdfast/contracts';
import type { Sql } from '@holdfast/event-store';
import { column, filterConditions, type SqlFilter, SqlParameters } from '@holdfast/ec2';
import type { ModificationDetails, ModificationTable, VolumeQuery } from '../../application/ports.ts';
import type { VolumeConfiguration } from '../../domain/volume-type-limits.ts';

const multiAttach = (name: string) => `coalesce(m.${name} ->> 'multiAttachEnabled', 'false')`;

const side = (name: 'original' | 'target'): Record<string, SqlFilter> => ({
  [`${name}-iops`]: column(`(m.${name} ->> 'iops')`),
  [`${name}-size`]: column(`(m.${name} ->> 'sizeGiB')`),
  [`${name}-volume-type`]: column(`(m.${name} ->> 'volumeType')`),
  // The guide writes it in one way, and EC2 takes it in the other one too.
  [`${name}MultiAttachEnabled`]: column(multiAttach(name)),
  [`${name}-multi-attach-enabled`]: column(multiAttach(name)),
});

/** @see DescribeVolumesModifications, "Filters". */
export const MODIFICATION_FILTERS: Readonly<Record<string, SqlFilter>> = {
  'modification-state': column('m.state'),
  ...side('original'),
  ...side('target'),
  'start-time': column('m.start_time'),
  'volume-id': column('m.volume_id'),
};

interface Row {
  volume_id: string;
  position: string;
  state: ModificationDetails['state'];
  status_message: string | null;
  original: VolumeConfiguration;
  target: VolumeConfiguration;
  start_time: Instant;
  end_time: Instant | null;
}

const PROGRESS = { modifying: 0, optimizing: 0, completed: 100, failed: 0 } as const;

const details = (row: Row): ModificationDetails => ({
  volumeId: row.volume_id as VolumeId,
  state: row.state,
  statusMessage: row.status_message,
  original: row.original,
  target: row.target,
  startTime: row.start_time,
  endTime: row.end_time,
  progress: PROGRESS[row.state],
});

export class PostgresModificationTable implements ModificationTable {
  constructor(private readonly sql: Sql) {}

  async describe({ filters, volumeIds, after, limit }: VolumeQuery, { accountId, region }: RequestContext) {
    const parameters = new SqlParameters();
    const conditions = [
      `m.account_id = ${parameters.add(accountId)}`,
      `m.region = ${parameters.add(region)}`,
      `NOT EXISTS (SELECT FROM volumes v WHERE v.volume_id = m.volume_id AND v.status = 'recycled')`,
    ];
    // No filter of this call is about tags.
    const filtered = filterConditions(filters, MODIFICATION_FILTERS, `'{}'::jsonb`, parameters);
    if (volumeIds.length > 0) conditions.push(`m.volume_id = ANY(${parameters.add([...new Set(volumeIds)])}::text[])`);
    if (after !== undefined) conditions.push(`m.position > ${parameters.add(after)}::bigint`);
    const rows = await this.sql.query<Row & { matches: boolean }>(
      `SELECT m.*, (${['TRUE', ...filtered].join(' AND ')}) AS matches FROM modifications m
       WHERE ${[...conditions, ...(volumeIds.length > 0 ? [] : filtered)].join(' AND ')}
       ORDER BY m.position LIMIT ${parameters.add(limit)}`,
      parameters.values,
    );
    const found = new Set(rows.map((row) => row.volume_id));
    return {
      rows: rows.filter((row) => row.matches).map((row) => ({ modification: details(row), position: row.position })),
      missing: volumeIds.filter((volumeId) => !found.has(volumeId)),
    };
  }
}
