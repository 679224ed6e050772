import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  jetstream,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { ServiceUnavailable } from '@holdfast/messaging';
import { nanos, type NatsConnection } from '@nats-io/nats-core';
import type { Publisher } from '../../application/ports.ts';
import { type Notification, notificationSubject } from '../../domain/envelope.ts';

const STREAM = 'NOTIFICATIONS';
const SUBJECTS = 'notifications.>';
const PUBLISH_TIMEOUT_MS = 5_000;
const DAY_MS = 86_400_000;

export interface NotificationLimits {
  readonly days: number;
  readonly bytes: number;
}

/** JetStream's code for "wrong last sequence". */
const WRONG_LAST_SEQUENCE = 10071;

const isApiError = (error: unknown, code: number): boolean => error instanceof JetStreamApiError && error.code === code;

/** The stream of notifications, bounded by age and size; the oldest go first. */
export class NotificationStream implements Publisher {
  private readonly js: JetStreamClient;
  private ready: Promise<void> | undefined;

  constructor(
    connection: NatsConnection,
    private readonly limits: NotificationLimits,
  ) {
    this.js = jetstream(connection, { timeout: PUBLISH_TIMEOUT_MS });
  }

  /** Makes the stream, or brings its limits up to date; what an operator set besides stays. */
  async open(): Promise<void> {
    const { streams } = await this.js.jetstreamManager(false);
    const limits = { max_age: nanos(this.limits.days * DAY_MS), max_bytes: this.limits.bytes };
    const fixed = { retention: RetentionPolicy.Limits, storage: StorageType.File, discard: DiscardPolicy.Old };
    try {
      const { config } = await streams.info(STREAM);
      await streams.update(STREAM, { ...config, ...limits });
    } catch (error) {
      if (!isApiError(error, JetStreamApiCodes.StreamNotFound)) throw error;
      await streams.add({ name: STREAM, subjects: [SUBJECTS], ...fixed, ...limits });
    }
  }

  /**
   * A subject is one notification's: one that has a message has been published, however long ago.
   * @throws ServiceUnavailable whatever the broker's reason: nothing is wrong with the notification.
   */
  async publish(notification: Notification): Promise<void> {
    try {
      await this.prepared();
      await this.js.publish(notificationSubject(notification), JSON.stringify(notification), {
        timeout: PUBLISH_TIMEOUT_MS,
        expect: { streamName: STREAM, lastSubjectSequence: 0 },
      });
    } catch (error) {
      if (isApiError(error, WRONG_LAST_SEQUENCE)) return;
      this.ready = undefined; // The broker may have lost the stream.
      const reason = error instanceof Error ? error.message : String(error);
      throw new ServiceUnavailable('nats-server', 'publish', notification.id, reason);
    }
  }

  /** Development only. */
  async purge(): Promise<void> {
    const { streams } = await this.js.jetstreamManager(false);
    await this.prepared();
    await streams.purge(STREAM);
  }

  private prepared(): Promise<void> {
    this.ready ??= this.open().catch((error: unknown) => {
      this.ready = undefined;
      throw error;
    });
    return this.ready;
  }
}
