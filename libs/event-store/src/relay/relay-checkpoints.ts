import type { Database } from '../postgres/database.ts';
import type { Checkpoint } from '../types.ts';

interface Row {
  transaction_id: string;
  global_position: string;
}

const checkpointOf = (row: Row): Checkpoint => ({
  transactionId: row.transaction_id,
  globalPosition: Number(row.global_position),
});

/** How far the relay has come, as Postgres knows it. */
export class RelayCheckpoints {
  constructor(private readonly database: Database) {}

  async load(): Promise<{ checkpoint: Checkpoint; sequence: number } | null> {
    const [row] = await this.database.query<Row & { stream_sequence: string }>(
      'SELECT transaction_id, global_position, stream_sequence FROM relay_checkpoint',
      [],
    );
    return row === undefined ? null : { checkpoint: checkpointOf(row), sequence: Number(row.stream_sequence) };
  }

  /** @param sequence the stream's, of the event at `checkpoint`. */
  async save({ transactionId, globalPosition }: Checkpoint, sequence: number): Promise<void> {
    await this.database.query(
      `INSERT INTO relay_checkpoint (transaction_id, global_position, stream_sequence) VALUES ($1::xid8, $2, $3)
       ON CONFLICT (only_row) DO UPDATE SET (transaction_id, global_position, stream_sequence) =
         (excluded.transaction_id, excluded.global_position, excluded.stream_sequence)`,
      [transactionId, globalPosition, sequence],
    );
  }

  /** Of the last event that is committed, held back or not; null for an empty log. */
  async endOfLog(): Promise<Checkpoint | null> {
    const [row] = await this.database.query<Row>(
      'SELECT transaction_id, global_position FROM events ORDER BY transaction_id DESC, global_position DESC LIMIT 1',
      [],
    );
    return row === undefined ? null : checkpointOf(row);
  }

  async countBehind(limit: number): Promise<number> {
    const [row] = await this.database.query<{ behind: number }>(
      `SELECT count(*)::integer AS behind FROM (
         SELECT FROM events WHERE (transaction_id, global_position) > (
           coalesce((SELECT transaction_id FROM relay_checkpoint), '0'::xid8),
           coalesce((SELECT global_position FROM relay_checkpoint), 0)) LIMIT $1) AS waiting`,
      [limit],
    );
    return row?.behind ?? 0;
  }
}
