import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { callerOf, type RequestContext } from '@holdfast/contracts';
import type { EventStore, StreamAppend } from '@holdfast/event-store';
import type { KeyUseLog } from '../../application/ports.ts';
import type { KeyUsed } from '../../domain/key-use.events.ts';

/** Requests whose uses share one commit; each brings one or two events. */
const MAX_BATCH = 256;

interface Waiting {
  readonly append: StreamAppend<KeyUsed>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One new stream per request: uses of a key wait neither for each other nor for changes of the key. What comes while a
 * commit is under way goes into the next one, all of it in one statement, and so does what the process has received but not
 * yet got to: that is one turn of the event loop. Nobody is answered before his own is through.
 */
export class KeyUseStreams implements KeyUseLog {
  private waiting: Waiting[] = [];
  private committing = false;

  constructor(private readonly store: EventStore) {}

  record(uses: readonly KeyUsed[], context: RequestContext): Promise<void> {
    const [first] = uses;
    if (first === undefined) return Promise.resolve();
    const options = { metadata: { caller: callerOf(context) }, time: first.at };
    const append = { streamId: `key-use-${randomUUID()}`, expectedVersion: 0, events: uses, options };
    return new Promise((resolve, reject) => {
      this.waiting.push({ append, resolve, reject });
      if (!this.committing) void this.commitAll();
    });
  }

  private async commitAll(): Promise<void> {
    this.committing = true;
    do {
      await nextTurn();
      await this.commit(this.waiting.splice(0, MAX_BATCH));
    } while (this.waiting.length > 0);
    this.committing = false;
  }

  private async commit(batch: readonly Waiting[]): Promise<void> {
    try {
      await this.store.appendMany(batch.map(({ append }) => append));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      // The log refuses an event before it writes anything: only the request that brought it may suffer for it.
      const refused = error instanceof TypeError || error instanceof RangeError;
      if (refused && batch.length > 1) for (const one of batch) await this.commit([one]);
      else for (const { reject } of batch) reject(error);
    }
  }
}
