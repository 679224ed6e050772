import type { DecisionRecord } from '@holdfast/iam';
import pg from 'pg';
import type { StackFile } from '../stack-file.ts';
import type { TimelineEvent } from '../timeline.ts';

/** What an explanation is made from. */
export interface Sources {
  /** Oldest first, at most a hundred: those of the request, or those that name the resource. */
  decisions(of: { requestId: string } | { resource: string }): Promise<DecisionRecord[]>;
  /** Of one stream, in order. */
  stream(service: string, streamId: string): Promise<TimelineEvent[]>;
  /** Of all services, by time. */
  eventsOf(requestId: string): Promise<TimelineEvent[]>;
}

interface EventRow {
  stream_id: string;
  version: number;
  type: string;
  data: Record<string, unknown>;
  metadata: { caller?: { requestId?: string; principal?: { arn?: string } } };
  time: Date;
}

const EVENTS = 'SELECT stream_id, version, type, data, metadata, time FROM events';
const MAX_DECISIONS = 100;
const MAX_EVENTS = 200;
const UNDEFINED_TABLE = '42P01';

/** Reads the databases of the running stack. */
export class StackSources implements Sources {
  private readonly pools: ReadonlyMap<string, pg.Pool>;

  constructor({ databases }: Pick<StackFile, 'databases'>) {
    this.pools = new Map(
      Object.entries(databases).map(([service, { serviceUrl }]) => {
        const pool = new pg.Pool({ connectionString: serviceUrl, max: 1, application_name: 'holdfast explain' });
        pool.on('error', () => undefined); // Idle; the next query opens another.
        return [service, pool];
      }),
    );
  }

  async decisions(of: { requestId: string } | { resource: string }): Promise<DecisionRecord[]> {
    const [condition, value] =
      'requestId' in of ? ['request_id = $1', of.requestId] : ['resources @> ARRAY[$1]', of.resource];
    const newest = `SELECT position, at, record FROM decisions WHERE ${condition} ORDER BY position DESC LIMIT $2`;
    const rows = await this.query<{ record: string }>('audit', newest, [value, MAX_DECISIONS]);
    const records = rows.map(({ record }) => JSON.parse(record) as DecisionRecord);
    return records.reverse().sort((a, b) => a.at.localeCompare(b.at));
  }

  async stream(service: string, streamId: string): Promise<TimelineEvent[]> {
    const rows = await this.query<EventRow>(service, `${EVENTS} WHERE stream_id = $1 ORDER BY version`, [streamId]);
    return rows.map((row) => asEvent(service, row));
  }

  async eventsOf(requestId: string): Promise<TimelineEvent[]> {
    const condition = `WHERE metadata->'caller'->>'requestId' = $1 ORDER BY transaction_id, global_position LIMIT $2`;
    const found = await Promise.all(
      [...this.pools.keys()].map(async (service) => {
        const rows = await this.query<EventRow>(service, `${EVENTS} ${condition}`, [requestId, MAX_EVENTS]);
        return rows.map((row) => asEvent(service, row));
      }),
    );
    return found.flat().sort((a, b) => a.time.getTime() - b.time.getTime());
  }

  async close(): Promise<void> {
    await Promise.all([...this.pools.values()].map((pool) => pool.end()));
  }

  /** Nothing where the service has no such table yet. */
  private async query<Row extends object>(service: string, text: string, values: unknown[]): Promise<Row[]> {
    try {
      return (await this.pools.get(service)?.query<Row>(text, values))?.rows ?? [];
    } catch (error) {
      if ((error as { code?: string }).code === UNDEFINED_TABLE) return [];
      throw error;
    }
  }
}

const asEvent = (service: string, row: EventRow): TimelineEvent => ({
  service,
  time: row.time,
  streamId: row.stream_id,
  version: row.version,
  type: row.type,
  data: row.data,
  principal: row.metadata.caller?.principal?.arn,
  requestId: row.metadata.caller?.requestId,
});
