import type { Inbox, Sql } from '@holdfast/event-store';
import type { EbsResources, NotificationWork } from '../../application/ports.ts';
import type { EbsResource } from '../../domain/notification.ts';

const CONSUMER = 'notifications';

const resourcesIn = (sql: Sql): EbsResources => ({
  find: async (streamId) => {
    const rows = await sql.query<{ resource: EbsResource }>('SELECT resource FROM ebs_resources WHERE stream_id = $1', [
      streamId,
    ]);
    return rows[0]?.resource ?? null;
  },
  put: async (streamId, resource) => {
    if (resource === null) await sql.query('DELETE FROM ebs_resources WHERE stream_id = $1', [streamId]);
    else
      await sql.query(
        `INSERT INTO ebs_resources (stream_id, resource) VALUES ($1, $2)
         ON CONFLICT (stream_id) DO UPDATE SET resource = excluded.resource`,
        [streamId, JSON.stringify(resource)],
      );
  },
});

export class PostgresNotificationWork implements NotificationWork {
  constructor(private readonly inbox: Inbox) {}

  async once(eventId: string, work: (resources: EbsResources) => Promise<void>): Promise<void> {
    await this.inbox.once(CONSUMER, eventId, (sql) => work(resourcesIn(sql)));
  }
}
