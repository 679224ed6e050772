import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { WakeUp } from '../wake-up.ts';
import type { Database } from './database.ts';

const CHANNEL = 'events_appended';
/**
 * NOTIFY takes a lock that all of a server's commits with notifications share, and costs as much as a small query. The first
 * one after a pause goes at once; of many one each 50 ms is soon enough for other processes.
 */
const NOTIFY_INTERVAL_MS = 50;
const RECONNECT_AFTER_MS = 500;

/**
 * Tells other processes, and waiters in this one, that events were appended. The notification is sent after the commit
 * and apart from it, at most one each NOTIFY_INTERVAL_MS. It may get lost with its process: waiters also poll.
 */
export class AppendSignal {
  private readonly local = new WakeUp();
  private readonly closed = new AbortController();
  private listening: Promise<void> | undefined;
  private notifying = false;
  private pending = false;

  constructor(private readonly database: Database) {}

  announce(): void {
    this.local.wake();
    this.pending = true;
    if (!this.notifying) void this.notify();
  }

  /** The first wait opens a connection that listens from then on. */
  wait(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    this.listening ??= this.listen();
    return this.local.wait(timeoutMs, signal === undefined ? this.closed.signal : AbortSignal.any([signal, this.closed.signal])); // prettier-ignore
  }

  async close(): Promise<void> {
    this.closed.abort();
    await this.listening;
  }

  private async notify(): Promise<void> {
    this.notifying = true;
    while (this.pending && !this.closed.signal.aborted) {
      this.pending = false;
      await this.database.query(`SELECT pg_notify('${CHANNEL}', '')`, []).catch(() => undefined); // Pollers will see it.
      await sleep(NOTIFY_INTERVAL_MS, undefined, { ref: false });
    }
    this.notifying = false;
  }

  private async listen(): Promise<void> {
    const { url, applicationName } = this.database.options;
    while (!this.closed.signal.aborted) {
      const client = new pg.Client({ connectionString: url, application_name: applicationName, keepAlive: true });
      const ended = new Promise<void>((resolve) => {
        client.once('end', resolve);
        client.once('error', () => resolve());
      });
      const stopped = new Promise<void>((resolve) => {
        this.closed.signal.addEventListener('abort', () => resolve(), { once: true });
      });
      client.on('notification', () => this.local.wake());
      try {
        await client.connect();
        await client.query(`LISTEN ${CHANNEL}`);
        this.local.wake(); // What was announced before LISTEN took effect.
        await Promise.race([ended, stopped]);
      } catch {
        // Not reachable now; pollers go on meanwhile.
      }
      await client.end().catch(() => undefined);
      await sleep(RECONNECT_AFTER_MS, undefined, { signal: this.closed.signal }).catch(() => undefined);
    }
  }
}
