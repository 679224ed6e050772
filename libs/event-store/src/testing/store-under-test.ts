import { randomUUID } from 'node:crypto';
import type { Inbox, InlineProjection, SubscribableStore } from '../types.ts';
import type { Upcaster } from '../upcasters.ts';

export interface StoreUnderTest {
  /** Another view of the same log, as a second process or a newer program has it. */
  open(options: { projections?: readonly InlineProjection[]; upcasters?: readonly Upcaster[] }): SubscribableStore;
  readonly inbox: Inbox;
  close(): Promise<void>;
}

export const newStreamId = (): string => `counter-${randomUUID()}`;
