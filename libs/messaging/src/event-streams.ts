import {
  type ConsumerConfig,
  AckPolicy,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  ReplayPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/nats-core';

/** Made, and configured, by the relay of the service whose events it carries: one owner per stream. */
export const eventStreamName = (service: string): string => `EVENTS-${service}`;
export const PARKED_STREAM = 'PARKED';
export const parkedSubject = (owner: string, consumer: string): string => `parked.${owner}.${consumer}`;

const parkedStream: Partial<StreamConfig> & { name: string } = {
  name: PARKED_STREAM,
  subjects: ['parked.>'],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
};

export const isStreamMissing = (error: unknown): boolean =>
  error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound;

/** JetStream's code for "stream name already in use with a different configuration". */
const STREAM_IN_USE = 10058;

/** Makes the stream unless it exists; one that exists keeps its configuration, e.g. its replicas. */
export const ensureParkedStream = async (jsm: JetStreamManager): Promise<void> => {
  try {
    await jsm.streams.add(parkedStream);
  } catch (error) {
    if (!(error instanceof JetStreamApiError && error.code === STREAM_IN_USE)) throw error;
  }
};

/**
 * Events waiting for a handler, or for the time a handler asked to see them again, count as unacknowledged: with this many
 * of them no further ones are delivered.
 */
const MAX_UNACKNOWLEDGED = 10_000;

/** The durable from the stream's beginning, as JetStream keeps it. */
export const durableConfig = (durableName: string, ackWaitMs: number): Partial<ConsumerConfig> => ({
  durable_name: durableName,
  ack_policy: AckPolicy.Explicit,
  ack_wait: nanos(ackWaitMs),
  deliver_policy: DeliverPolicy.All,
  replay_policy: ReplayPolicy.Instant,
  max_ack_pending: MAX_UNACKNOWLEDGED,
});
