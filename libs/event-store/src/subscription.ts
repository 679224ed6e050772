import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql, StoredEvent, SubscribableStore } from './types.ts';

export interface SubscriptionOptions {
  readonly store: SubscribableStore;
  /** Unique within the service; processes that share it take turns, and each event is handled by one of them. */
  readonly checkpointName: string;
  /**
   * Called in log order; what it writes through `sql` commits together with the checkpoint. Throwing rolls the batch back
   * and tries it again after a pause. Other effects must therefore be idempotent.
   */
  readonly handler: (event: StoredEvent, sql: Sql) => Promise<void>;
  /** Most events per transaction; default 100. */
  readonly batchSize?: number;
  /** Ends the subscription after the batch at hand. */
  readonly signal: AbortSignal;
  /** Told of each failure; the subscription goes on. */
  readonly onError?: (error: unknown) => void;
}

const DEFAULT_BATCH_SIZE = 100;
/** Longest time an append stays unnoticed when its signal got lost. */
const POLL_MS = 1000;
/** While events are committed but still held back by an older transaction. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 10_000;

/**
 * Follows the log from the stored checkpoint: what is there, then what comes.
 * @returns once `signal` aborts; never rejects.
 */
export const subscribe = async (options: SubscriptionOptions): Promise<void> => {
  const { store, checkpointName, handler, batchSize = DEFAULT_BATCH_SIZE, signal } = options;
  let failures = 0;
  while (!signal.aborted) {
    try {
      // Armed before the read: an append between the read and the wait is not slept through.
      const woken = new AbortController();
      const appended = store.waitForAppend(POLL_MS, AbortSignal.any([signal, woken.signal]));
      const from = await store.loadCheckpoint(checkpointName);
      const { events, checkpoint } = await store.readLog(from, batchSize);
      if (checkpoint !== null && events.length > 0) {
        await store.advance(checkpointName, from, checkpoint, async (sql) => {
          for (const event of events) await handler(event, sql);
        });
        woken.abort();
      }
      await appended;
      failures = 0;
    } catch (error) {
      options.onError?.(error);
      const pauseMs = Math.min(RETRY_MIN_MS * 2 ** failures++, RETRY_MAX_MS);
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
};
