import type { Inbox, Sql } from '../types.ts';
import { NO_SQL } from './memory-event-store.ts';

/** The twin of PostgresInbox. */
export class MemoryInbox implements Inbox {
  private readonly handled = new Set<string>();
  private readonly running = new Map<string, Promise<unknown>>();

  async once(consumer: string, eventId: string, work: (sql: Sql) => Promise<void>): Promise<boolean> {
    const key = JSON.stringify([consumer, eventId]);
    const turn = (this.running.get(key) ?? Promise.resolve()).then(async () => {
      if (this.handled.has(key)) return false;
      await work(NO_SQL);
      this.handled.add(key);
      return true;
    });
    const settled = turn.catch(() => undefined);
    this.running.set(key, settled);
    try {
      return await turn;
    } finally {
      if (this.running.get(key) === settled) this.running.delete(key);
    }
  }
}
