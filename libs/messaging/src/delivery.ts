import type { DomainEvent, StoredEvent } from '@holdfast/event-store';
import { z } from 'zod';

/** An event's body on the bus: the stored event as JSON. Its parts beyond these are checked by whoever wrote them. */
const storedEventSchema = z.object({
  eventId: z.string().min(1),
  streamId: z.string().min(1),
  version: z.number().int().positive(),
  globalPosition: z.number().int().nonnegative(),
  type: z.string().min(1),
  schemaVersion: z.number().int().positive(),
  data: z.looseObject({ type: z.string() }),
  metadata: z.looseObject({ caller: z.looseObject({ requestId: z.string(), traceparent: z.string().optional() }) }),
  time: z.string(),
});

/** @throws when `body` is no stored event. */
export const parseEvent = (body: Uint8Array): StoredEvent =>
  storedEventSchema.parse(JSON.parse(new TextDecoder().decode(body))) as unknown as StoredEvent<DomainEvent>;

/** One event given to a consumer, wherever it came from: its stream or the parked ones. */
export interface Delivery {
  /** Unique among what the consumer holds; the same for a redelivery of the same message. */
  readonly key: string;
  readonly subject: string;
  readonly body: Uint8Array;
  /** Header names and values as published. */
  readonly headers: readonly (readonly [string, string])[];
  /** 1 on the first. */
  readonly deliveryCount: number;
  /** Overrides the consumer's. */
  readonly maxAttempts?: number;
  /** Done with it. */
  ack(): Promise<void> | void;
  /** Give it back, to be delivered again in `delayMs`. */
  release(delayMs: number): void;
  /** Sets it aside with the reason. Rejects when that could not be stored. */
  park(reason: string, attempts: number): Promise<void>;
  /** Still at it: keeps the broker from delivering it to somebody else. */
  working(): void;
}
