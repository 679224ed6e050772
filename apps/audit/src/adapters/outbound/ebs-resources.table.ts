import type { Inbox, Sql } from '@holdfast/event-store';
import type { EbsResources, NotificationWork, PlannedNotifications } from '../../application/ports.ts';
import type { Notification } from '../../domain/envelope.ts';
import type { EbsResource } from '../../domain/notification.ts';
import type { SetStatus } from '../../domain/snapshot-set.ts';

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
  noteEnd: async ({ set, snapshotId, status }) => {
    // The row is locked until this transaction ends, so that of two ends that are noted at once one sees the other.
    const [row] = await sql.query<{ ended: Record<string, SetStatus> }>(
      `INSERT INTO snapshot_sets (set_id, ended) VALUES ($1, $2)
       ON CONFLICT (set_id) DO UPDATE SET ended = snapshot_sets.ended || excluded.ended RETURNING ended`,
      [set, JSON.stringify({ [snapshotId]: status })],
    );
    return row?.ended ?? {};
  },
  forgetSet: async (set) => void (await sql.query('DELETE FROM snapshot_sets WHERE set_id = $1', [set])),
  plan: async (topic, at, notification) =>
    void (await sql.query(
      `INSERT INTO planned_notifications (notification_id, topic, at, notification) VALUES ($1, $2, $3, $4)
       ON CONFLICT (notification_id) DO NOTHING`,
      [notification.id, topic, at, JSON.stringify(notification)],
    )),
  cancelPlans: async (topic, at) =>
    void (await sql.query('DELETE FROM planned_notifications WHERE topic = $1 AND at > $2', [topic, at])),
});

export class PostgresPlannedNotifications implements PlannedNotifications {
  constructor(private readonly sql: Sql) {}

  async due(now: string, limit: number): Promise<readonly Notification[]> {
    const rows = await this.sql.query<{ notification: string }>(
      'SELECT notification FROM planned_notifications WHERE at <= $1 ORDER BY at, notification_id LIMIT $2',
      [now, limit],
    );
    return rows.map(({ notification }) => JSON.parse(notification) as Notification);
  }

  async forget(id: string): Promise<void> {
    await this.sql.query('DELETE FROM planned_notifications WHERE notification_id = $1', [id]);
  }
}

export class PostgresNotificationWork implements NotificationWork {
  constructor(private readonly inbox: Inbox) {}

  async once(eventId: string, work: (resources: EbsResources) => Promise<void>): Promise<void> {
    await this.inbox.once(CONSUMER, eventId, (sql) => work(resourcesIn(sql)));
  }
}
