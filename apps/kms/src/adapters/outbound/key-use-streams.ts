import { randomUUID } from 'node:crypto';
import { callerOf, type RequestContext } from '@holdfast/contracts';
import type { EventStore } from '@holdfast/event-store';
import type { KeyUseLog } from '../../application/ports.ts';
import type { KeyUsed } from '../../domain/key-use.events.ts';

/** One new stream per request: uses of a key wait neither for each other nor for changes of the key. */
export class KeyUseStreams implements KeyUseLog {
  constructor(private readonly store: EventStore) {}

  async record(uses: readonly KeyUsed[], context: RequestContext): Promise<void> {
    const [first] = uses;
    if (first === undefined) return;
    const options = { metadata: { caller: callerOf(context) }, time: first.at };
    await this.store.append(`key-use-${randomUUID()}`, 0, uses, options);
  }
}
