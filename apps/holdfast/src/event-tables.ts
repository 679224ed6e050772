import pg from 'pg';
import type { TimelineEvent } from './timeline.ts';

interface Row {
  transaction_id: string;
  global_position: string;
  stream_id: string;
  version: number;
  type: string;
  data: Record<string, unknown>;
  metadata: { caller?: { requestId?: string; principal?: { arn?: string } } };
  time: Date;
}

/** The order of a service's log, below the oldest transaction that may still commit: see libs/event-store. */
const NEXT_EVENTS = `
  SELECT transaction_id, global_position, stream_id, version, type, data, metadata, time
  FROM events
  WHERE (transaction_id, global_position) > ($1::xid8, $2::bigint)
    AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
    AND time >= $3
  ORDER BY transaction_id, global_position
  LIMIT $4`;
const BATCH = 1000;

/** Reads one service's log from where the last call ended. */
export class EventTable {
  private position = { transactionId: '0', globalPosition: '0' };
  private readonly pool: pg.Pool;

  constructor(
    private readonly service: string,
    url: string,
    private readonly since: Date,
  ) {
    this.pool = new pg.Pool({ connectionString: url, max: 1, application_name: 'holdfast events' });
    this.pool.on('error', () => undefined); // A connection that broke while idle; the next read opens another.
  }

  /** Up to 1,000 events that were not returned before, oldest first; none when the service has no table yet. */
  async next(): Promise<TimelineEvent[]> {
    const { transactionId, globalPosition } = this.position;
    let rows: Row[];
    try {
      ({ rows } = await this.pool.query<Row>(NEXT_EVENTS, [transactionId, globalPosition, this.since, BATCH]));
    } catch (error) {
      if ((error as { code?: string }).code === '42P01') return []; // undefined_table
      throw error;
    }
    const last = rows.at(-1);
    if (last !== undefined)
      this.position = { transactionId: last.transaction_id, globalPosition: last.global_position };
    return rows.map((row) => ({
      service: this.service,
      time: row.time,
      streamId: row.stream_id,
      version: row.version,
      type: row.type,
      data: row.data,
      principal: row.metadata.caller?.principal?.arn,
      requestId: row.metadata.caller?.requestId,
    }));
  }

  close(): Promise<void> {
    return this.pool.end();
  }
}
