import {
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { headers, nanos, type NatsConnection } from '@nats-io/nats-core';
import type { StoredEvent } from '../types.ts';
import type { EventMessage } from './event-message.ts';

export interface StreamLimits {
  /** Copies in a cluster; default 1. */
  readonly replicas?: number;
  /** Oldest events kept for delivery; by default all, so that a new consumer sees the whole history. At least two minutes. */
  readonly maxAgeMs?: number;
  /** Default: as much as the server allows. */
  readonly maxBytes?: number;
}

/** What says which event a message is; `null` for a message that is none. */
export type EventIdentity = Pick<StoredEvent, 'eventId' | 'streamId' | 'version'>;

export interface StreamEnd {
  /** 0 for a stream that never held anything. */
  readonly lastSequence: number;
  /** Absent when the stream holds no messages, by purging or by its limits. */
  readonly lastEvent?: EventIdentity | null;
}

const DUPLICATE_WINDOW_MS = 120_000;
const PUBLISH_TIMEOUT_MS = 5_000;

const fixedConfig = (service: string) => ({
  name: `EVENTS-${service}`,
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
});

/** What is brought up to date in a stream that exists; limits that are not given stay as an operator set them. */
const changeableConfig = (service: string, limits: StreamLimits): Partial<StreamConfig> => ({
  subjects: [`${service}.event.>`],
  duplicate_window: nanos(DUPLICATE_WINDOW_MS),
  ...(limits.replicas === undefined ? {} : { num_replicas: limits.replicas }),
  ...(limits.maxAgeMs === undefined ? {} : { max_age: nanos(limits.maxAgeMs) }),
  ...(limits.maxBytes === undefined ? {} : { max_bytes: limits.maxBytes }),
});

const isStreamNotFound = (error: unknown): boolean =>
  error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound;

/** The server took events for repetitions and stored none of them: their ids are within its duplicate window. */
export class TakenForDuplicates extends Error {
  override readonly name = 'TakenForDuplicates';
}

/** Headers by which the server tells repetitions, and whether a message follows the one that it must follow. */
const [MESSAGE_ID, EXPECTED_STREAM] = ['Nats-Msg-Id', 'Nats-Expected-Stream'];
const [EXPECTED_SEQUENCE, EXPECTED_MESSAGE_ID] = ['Nats-Expected-Last-Sequence', 'Nats-Expected-Last-Msg-Id'];

const identityIn = (body: string): EventIdentity | null => {
  try {
    const { eventId, streamId, version } = JSON.parse(body) as Partial<EventIdentity>;
    const complete = typeof eventId === 'string' && typeof streamId === 'string' && Number.isInteger(version);
    return complete ? { eventId, streamId, version: version ?? 0 } : null;
  } catch {
    return null;
  }
};

/** One service's JetStream stream, `EVENTS-<service>`. */
export class EventStream {
  private readonly js: JetStreamClient;
  private manager: JetStreamManager | undefined;
  private readonly name: string;
  /** After a failure each event is acknowledged by itself, which tells what the matter is. */
  private isWary = false;

  constructor(
    private readonly service: string,
    private readonly connection: NatsConnection,
    private readonly limits: StreamLimits = {},
  ) {
    this.js = jetstream(connection, { timeout: PUBLISH_TIMEOUT_MS });
    this.name = fixedConfig(service).name;
  }

  /** Makes the stream, or brings its configuration up to date; says where it ends. */
  async open(): Promise<StreamEnd> {
    const { streams } = await this.manage();
    const { name, service } = this;
    const wanted = changeableConfig(service, this.limits);
    const info = await streams.info(name).catch((error: unknown) => {
      if (isStreamNotFound(error)) return streams.add({ ...fixedConfig(service), ...wanted });
      throw error;
    });
    const isCurrent = (key: string, value: unknown) => JSON.stringify(info.config[key as keyof StreamConfig]) === JSON.stringify(value); // prettier-ignore
    if (!Object.entries(wanted).every(([key, value]) => isCurrent(key, value))) {
      await streams.update(name, { ...info.config, ...wanted });
    }
    const { last_seq: lastSequence, messages } = info.state;
    if (messages === 0) return { lastSequence };
    const last = await streams.getMessage(name, { seq: lastSequence });
    return last === null ? { lastSequence } : { lastSequence, lastEvent: identityIn(last.string()) };
  }

  /** Removes all messages; the sequence goes on, and consumers stay. */
  async purge(): Promise<void> {
    const { streams } = await this.manage();
    await streams.purge(this.name).catch((error: unknown) => {
      if (!isStreamNotFound(error)) throw error;
    });
  }

  /**
   * Publishes `messages` in order without waiting in between, and resolves once all are stored. Each names the sequence and
   * the message that it must follow: when one is lost, or comes from a leader that was replaced, it and all behind it are
   * refused. So the acknowledgement of the last one stands for all, and no other is asked for. The first names no message,
   * since a restarted server has forgotten the last one's id.
   * @param messageIdSuffix set when events are published again on purpose, so that the duplicate window lets them pass.
   * @returns the sequence of the last one.
   * @throws TakenForDuplicates, or the refusal; how many were stored is to be asked of the stream then.
   */
  async publish(messages: readonly EventMessage[], lastSequence: number, messageIdSuffix = ''): Promise<number> {
    const wasWary = this.isWary;
    this.isWary = true;
    const outcomes = await Promise.allSettled(
      messages.map(({ eventId, subject, body, traceparent }, index) => {
        const previous = messages[index - 1];
        const fields = headers();
        fields.set(MESSAGE_ID, `${eventId}${messageIdSuffix}`);
        fields.set(EXPECTED_STREAM, this.name);
        fields.set(EXPECTED_SEQUENCE, String(lastSequence + index));
        if (previous !== undefined) fields.set(EXPECTED_MESSAGE_ID, `${previous.eventId}${messageIdSuffix}`);
        if (traceparent !== undefined) fields.set('traceparent', traceparent);
        if (wasWary || index === messages.length - 1) return this.js.publish(subject, body, { headers: fields, timeout: PUBLISH_TIMEOUT_MS }); // prettier-ignore
        return this.connection.publish(subject, body, { headers: fields });
      }),
    );
    const isDuplicate = (outcome: (typeof outcomes)[number]) =>
      outcome.status === 'fulfilled' && outcome.value?.duplicate === true;
    if (outcomes.some(isDuplicate)) throw new TakenForDuplicates('the stream had one of the events');
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    this.isWary = false;
    return lastSequence + messages.length;
  }

  private async manage(): Promise<JetStreamManager> {
    this.manager ??= await this.js.jetstreamManager(false);
    return this.manager;
  }
}
