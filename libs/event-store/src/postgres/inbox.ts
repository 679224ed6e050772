import type { Inbox, Sql } from '../types.ts';
import type { Database } from './database.ts';

/** Rows are kept for good: a log that is published again from its beginning must find them. */
export class PostgresInbox implements Inbox {
  constructor(private readonly database: Database) {}

  once(consumer: string, eventId: string, work: (sql: Sql) => Promise<void>): Promise<boolean> {
    return this.database.transaction(async (sql) => {
      // Waits for a concurrent delivery of the same event, and finds its row once that one has committed.
      const noted = await sql.query(
        'INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true',
        [consumer, eventId],
      );
      if (noted.length === 0) return false;
      await work(sql);
      return true;
    });
  }
}
