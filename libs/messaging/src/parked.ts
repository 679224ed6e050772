import { jetstream, type JetStreamManager, JetStreamApiError, type StoredMsg } from '@nats-io/jetstream';
import { headers, type NatsConnection } from '@nats-io/nats-core';
import { z } from 'zod';
import type { Delivery } from './delivery.ts';
import { isNoResponders, isTimeout } from './connection.ts';
import { ensureParkedStream, PARKED_STREAM, parkedSubject } from './event-streams.ts';

const SUBJECT_HEADER = 'Holdfast-Subject';
const REASON_HEADER = 'Holdfast-Reason';
const ATTEMPTS_HEADER = 'Holdfast-Attempts';
const OWN_HEADERS: readonly string[] = [SUBJECT_HEADER, REASON_HEADER, ATTEMPTS_HEADER];
/** Not kept: the first names the message to JetStream, the second makes it refuse it. */
const DELIVERY_HEADER = /^Nats-(?!Msg-Id$)/i;
const EVENT_ID_HEADER = 'Nats-Msg-Id';
const REASON_LIMIT_CHARACTERS = 2000;
/** How long the consumer may take for one retried event, in milliseconds. */
const RETRY_TIMEOUT_MS = 30_000;

/** An event that was set aside, after its last attempt or because a rule refused it. */
export interface ParkedEvent {
  readonly id: string;
  readonly owner: string;
  readonly consumer: string;
  /** Of the original message. */
  readonly subject: string;
  /** Error name and message of the last attempt. */
  readonly reason: string;
  readonly attempts: number;
  readonly parkedAt: Date;
  /** The message's JSON, or null when it is none. */
  readonly event: unknown;
}

const jsonOf = (body: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return null;
  }
};

const parkedEvent = (message: StoredMsg): ParkedEvent => {
  const [, owner = '', consumer = ''] = message.subject.split('.');
  const header = (name: string) => message.header?.get(name) ?? '';
  return {
    id: String(message.seq),
    owner,
    consumer,
    subject: header(SUBJECT_HEADER),
    reason: header(REASON_HEADER),
    attempts: Number(header(ATTEMPTS_HEADER)),
    parkedAt: message.time,
    event: jsonOf(message.data),
  };
};

export const retrySubject = (owner: string, consumer: string): string => `parked-retry.${owner}.${consumer}`;
export const retryRequestSchema = z.object({ id: z.string().regex(/^[1-9]\d{0,15}$/) });
const retryReplySchema = z.object({ problem: z.string().nullable() });

/** Stores a delivery among the parked events; resolves once JetStream has it. */
export const parkDelivery = async (
  connection: NatsConnection,
  jsm: JetStreamManager,
  target: { owner: string; consumer: string },
  delivery: Pick<Delivery, 'subject' | 'body' | 'headers'>,
  reason: string,
  attempts: number,
): Promise<void> => {
  await ensureParkedStream(jsm);
  const fields = headers();
  for (const [name, value] of delivery.headers) {
    // As a message id it would make JetStream drop an event that is parked a second time.
    if (name === EVENT_ID_HEADER) fields.set('Holdfast-Event-Id', value);
    else if (!DELIVERY_HEADER.test(name) && !OWN_HEADERS.includes(name)) fields.append(name, value);
  }
  fields.set(SUBJECT_HEADER, delivery.subject);
  fields.set(REASON_HEADER, reason.replaceAll(/[\r\n]+/g, ' ').slice(0, REASON_LIMIT_CHARACTERS));
  fields.set(ATTEMPTS_HEADER, String(attempts));
  const subject = parkedSubject(target.owner, target.consumer);
  await jetstream(connection).publish(subject, delivery.body, { headers: fields });
};

/** How many events of one consumer are parked. */
export const countParked = async (jsm: JetStreamManager, owner: string, consumer: string): Promise<number> => {
  const subject = parkedSubject(owner, consumer);
  const { state } = await jsm.streams.info(PARKED_STREAM, { subjects_filter: subject });
  return state.subjects?.[subject] ?? 0;
};

/** The parked event as a consumer handles it again: once, and it stays parked unless that succeeds. */
export const parkedDelivery = async (
  jsm: JetStreamManager,
  id: string,
  takeLater: (delivery: Delivery, delayMs: number) => void,
): Promise<Delivery | null> => {
  const message = await jsm.streams.getMessage(PARKED_STREAM, { seq: Number(id) });
  if (message === null) return null;
  const { subject, attempts } = parkedEvent(message);
  const delivery: Delivery = {
    key: `parked/${id}`,
    subject,
    body: message.data,
    headers: [],
    deliveryCount: attempts + 1,
    maxAttempts: 1,
    ack: async () => void (await jsm.streams.deleteMessage(PARKED_STREAM, message.seq)),
    release: (delayMs) => {
      if (delayMs > 0) takeLater(delivery, delayMs);
    },
    park: () => Promise.resolve(),
    working: () => undefined,
  };
  return delivery;
};

/** The events that consumers could not handle, for an operator to see, try again, or drop. */
export class ParkedEvents {
  constructor(
    private readonly connection: NatsConnection,
    private readonly manager: () => Promise<JetStreamManager>,
  ) {}

  /** Oldest first, at most `limit`, those after id `after`. */
  async list({ owner, limit = 1000, after }: { owner?: string; limit?: number; after?: string } = {}): Promise<
    ParkedEvent[]
  > {
    const jsm = await this.manager();
    const filter = owner === undefined ? 'parked.>' : `parked.${owner}.>`;
    const found: ParkedEvent[] = [];
    let seq = Number(after ?? 0) + 1;
    while (found.length < limit) {
      const message = await this.next(jsm, seq, filter);
      if (message === null) break;
      found.push(parkedEvent(message));
      seq = message.seq + 1;
    }
    return found;
  }

  /**
   * Has the event's consumer handle it once more, now.
   * @returns null when that succeeded and the event is parked no longer, else what went wrong.
   */
  async retry(id: string): Promise<string | null> {
    const jsm = await this.manager();
    const { id: known } = retryRequestSchema.parse({ id });
    const message = await jsm.streams.getMessage(PARKED_STREAM, { seq: Number(known) });
    if (message === null) return 'no such parked event';
    const { owner, consumer } = parkedEvent(message);
    const subject = retrySubject(owner, consumer);
    let reply;
    try {
      reply = await this.connection.request(subject, JSON.stringify({ id }), { timeout: RETRY_TIMEOUT_MS });
    } catch (error) {
      if (isNoResponders(error)) return `${owner}/${consumer} does not run`;
      if (isTimeout(error)) return `${owner}/${consumer} did not finish in ${String(RETRY_TIMEOUT_MS)} ms`;
      throw error;
    }
    return retryReplySchema.parse(reply.json()).problem;
  }

  /** Drops the event for good; false when there was none. */
  async discard(id: string): Promise<boolean> {
    const jsm = await this.manager();
    const { id: known } = retryRequestSchema.parse({ id });
    if ((await jsm.streams.getMessage(PARKED_STREAM, { seq: Number(known) })) === null) return false;
    return jsm.streams.deleteMessage(PARKED_STREAM, Number(known));
  }

  /** Drops all parked events of one service's consumers. */
  async discardAll(owner: string): Promise<void> {
    const jsm = await this.manager();
    await ensureParkedStream(jsm);
    await jsm.streams.purge(PARKED_STREAM, { filter: `parked.${owner}.>` });
  }

  private async next(jsm: JetStreamManager, seq: number, filter: string): Promise<StoredMsg | null> {
    // The server knows `next_by_subj` (the first message from `seq` on that matches), the client's type does not.
    const query = { seq, next_by_subj: filter };
    try {
      return await jsm.streams.getMessage(PARKED_STREAM, query);
    } catch (error) {
      if (error instanceof JetStreamApiError && error.status === 404) return null; // Nothing was ever parked.
      throw error;
    }
  }
}
