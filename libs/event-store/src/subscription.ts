import { follow, type StepOutcome } from './follow.ts';
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

/**
 * Follows the log from the stored checkpoint: what is there, then what comes.
 * @returns once `signal` aborts; never rejects.
 */
export const subscribe = (options: SubscriptionOptions): Promise<void> => {
  const { store, checkpointName, handler, batchSize = DEFAULT_BATCH_SIZE, signal } = options;
  const step = async (): Promise<StepOutcome> => {
    // Read each time: another process may have moved it.
    const from = await store.loadCheckpoint(checkpointName);
    const { events, checkpoint, heldBack } = await store.readLog(from, batchSize);
    if (checkpoint === null || events.length === 0) return heldBack ? 'held-back' : 'end';
    await store.advance(checkpointName, from, checkpoint, async (sql) => {
      for (const event of events) await handler(event, sql);
    });
    return 'handled';
  };
  return follow({ store, step, signal, onError: (error) => options.onError?.(error) });
};
