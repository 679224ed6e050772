import { setTimeout as sleep } from 'node:timers/promises';
import { type Consumer, jetstream, type JetStreamManager, type JsMsg } from '@nats-io/jetstream';
import type { Msg, NatsConnection, Subscription } from '@nats-io/nats-core';
import { whileConnected } from './connection.ts';
import type { Delivery } from './delivery.ts';
import { errorText } from './errors.ts';
import { durableConfig, ensureParkedStream, eventStreamName, isStreamMissing } from './event-streams.ts';
import { Lanes, newStop } from './lanes.ts';
import type { BusLogger } from './logger.ts';
import type { BusMetrics } from './metrics.ts';
import { countParked, parkDelivery, parkedDelivery, retryRequestSchema, retrySubject } from './parked.ts';
import type { ConsumerOptions } from './types.ts';

const DEFAULT_CONCURRENCY = 8;
/** With the default backoff, two minutes pass before an event is parked. */
const DEFAULT_MAX_ATTEMPTS = 12;
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 30_000;
/** Without a sign of life for this long, the broker delivers an event to another replica. */
const DEFAULT_ACK_WAIT_MS = 30_000;
/** Deliveries held for each one that is handled: one busy stream then does not keep the others waiting. */
const HELD_PER_HANDLER = 16;
/** How long one pull stays open, and how often the broker says meanwhile that it is there, in milliseconds. */
const PULL_EXPIRES_MS = 30_000;
const PULL_HEARTBEAT_MS = 5000;
/** Wait after a failed pull, in milliseconds. */
const RETRY_MS = 250;
/** A name is a token of subjects and of the durable. */
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

const defaultBackoffMs = (failures: number): number =>
  Math.min(FIRST_BACKOFF_MS * 2 ** (failures - 1), LONGEST_BACKOFF_MS);

/** A durable consumer of one service's events. Replicas with the same owner and name share its events. */
export class EventConsumer {
  private readonly lanes: Lanes;
  private readonly label: string;
  private readonly durable: string;
  private readonly concurrency: number;
  private readonly ackWaitMs: number;
  private readonly heartbeat: NodeJS.Timeout;
  private readonly retries: Subscription;
  private stop = newStop();
  /** Aborted to pull anew, on a server that may have forgotten the pull and the durable. */
  private refresh = new AbortController();
  private pulling: Promise<void>;
  private pausing: Promise<void> = Promise.resolve();
  /** Changes when the durable was made anew, and sequences may mean other events. */
  private generation = '';
  private closed = false;

  constructor(
    private readonly connection: NatsConnection,
    private readonly manager: () => Promise<JetStreamManager>,
    private readonly options: ConsumerOptions,
    private readonly logger: BusLogger,
    private readonly metrics: BusMetrics | undefined,
  ) {
    const { owner, name, source, handlers } = options;
    if (!NAME.test(name)) throw new TypeError(`not a consumer name: ${JSON.stringify(name)}`);
    this.label = `${owner}/${name}`;
    this.durable = `${owner}-${name}`;
    this.concurrency = options.concurrency ?? DEFAULT_CONCURRENCY;
    this.ackWaitMs = options.ackWaitMs ?? DEFAULT_ACK_WAIT_MS;
    this.lanes = new Lanes({
      label: this.label,
      source,
      handlers,
      concurrency: this.concurrency,
      maxAttempts: options.maxAttempts ?? DEFAULT_MAX_ATTEMPTS,
      backoffMs: options.backoffMs ?? defaultBackoffMs,
      logger,
      onOutcome: (outcome) => metrics?.deliveries.inc({ owner, consumer: name, outcome }),
    });
    this.heartbeat = setInterval(() => this.lanes.working(), this.ackWaitMs / 3);
    this.retries = connection.subscribe(retrySubject(owner, name), {
      queue: this.label,
      callback: (_, message) => void this.retryParked(message),
    });
    this.metrics?.collectors.add(this.collect);
    void this.watchConnection();
    this.pulling = this.pull(this.stop.signal);
  }

  /** Takes no more events, finishes the handlers that run, gives the rest back. */
  async pause(): Promise<void> {
    this.stop.abort();
    this.pausing = this.drain();
    await this.pausing;
  }

  /** After `pause`, once that has finished. */
  async resume(): Promise<void> {
    await this.pausing;
    if (this.closed || !this.stop.signal.aborted) return;
    this.stop = newStop();
    this.pulling = this.pull(this.stop.signal);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.metrics?.collectors.delete(this.collect);
    if (!this.retries.isClosed() && !this.connection.isClosed()) this.retries.unsubscribe();
    await this.pause();
    clearInterval(this.heartbeat);
    if (!this.connection.isClosed()) await whileConnected(this.connection.flush()); // The last acknowledgements.
  }

  private async drain(): Promise<void> {
    await Promise.all([this.pulling, this.lanes.drain()]);
    await this.lanes.drain(); // What the last pull brought while the first drain ended.
  }

  /** Until stopped. Whatever is missing is made anew: the server may come back without its storage. */
  private async pull(signal: AbortSignal): Promise<void> {
    let failing = false;
    while (!signal.aborted) {
      try {
        this.refresh = new AbortController();
        const consumer = await this.bind();
        if (failing) this.logger.info({ consumer: this.label }, 'events arrive again');
        failing = false;
        await this.pullFrom(consumer, AbortSignal.any([signal, this.refresh.signal]));
      } catch (error) {
        if (signal.aborted || this.connection.isClosed()) return;
        const fields = { consumer: this.label, reason: errorText(error) };
        // The source makes its stream when it first starts, or starts again after the broker lost it.
        if (isStreamMissing(error)) this.logger.debug(fields, 'there is no stream yet');
        else if (!failing) this.logger.warn(fields, 'events cannot be pulled');
        failing = true;
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** A server answers no pull from a durable it does not have, so that only the reconnection tells. */
  private async watchConnection(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (this.closed) return;
      if (status.type === 'reconnect') this.refresh.abort();
    }
  }

  private async bind(): Promise<Consumer> {
    const jsm = await this.manager();
    const { source } = this.options;
    await ensureParkedStream(jsm);
    const stream = eventStreamName(source);
    const { created } = await jsm.consumers.add(stream, durableConfig(this.durable, this.ackWaitMs));
    this.generation = created;
    return jetstream(this.connection).consumers.get(stream, this.durable);
  }

  /** Rejects when the durable is gone or the broker silent. */
  private async pullFrom(consumer: Consumer, signal: AbortSignal): Promise<void> {
    const most = this.concurrency * HELD_PER_HANDLER;
    while (!signal.aborted) {
      await this.lanes.roomBelow(most, signal);
      if (signal.aborted) return;
      const messages = await consumer.fetch({
        max_messages: most - this.lanes.size,
        expires: PULL_EXPIRES_MS,
        idle_heartbeat: PULL_HEARTBEAT_MS,
        bind: true,
      });
      const end = () => messages.stop();
      signal.addEventListener('abort', end, { once: true });
      if (signal.aborted) end();
      try {
        for await (const message of messages) void this.lanes.take(this.deliveryOf(message));
      } finally {
        signal.removeEventListener('abort', end);
      }
    }
  }

  private deliveryOf(message: JsMsg): Delivery {
    const { generation } = this;
    const { owner, name } = this.options;
    const whenCurrent = (act: () => void) => () => {
      // In a stream that was made anew the same sequence may be another event's.
      if (generation === this.generation && !this.connection.isClosed()) act();
    };
    const delivery: Delivery = {
      key: `${generation}/${String(message.seq)}`,
      subject: message.subject,
      body: message.data,
      headers: [...(message.headers ?? [])].flatMap(([key, values]) => values.map((value) => [key, value] as const)),
      deliveryCount: message.info.deliveryCount,
      ack: whenCurrent(() => message.ack()),
      release: (delayMs) => whenCurrent(() => message.nak(delayMs))(),
      working: whenCurrent(() => message.working()),
      park: async (reason, attempts) => {
        const jsm = await this.manager();
        await parkDelivery(this.connection, jsm, { owner, consumer: name }, delivery, reason, attempts);
        delivery.ack();
      },
    };
    return delivery;
  }

  private async retryParked(message: Msg): Promise<void> {
    let problem: string | null;
    try {
      const { id } = retryRequestSchema.parse(message.json());
      const takeLater = (again: Delivery, delayMs: number) => {
        void sleep(delayMs, undefined, { signal: this.stop.signal }).then(
          () => this.lanes.take(again),
          () => undefined, // Stopped; it is still parked.
        );
      };
      const delivery = await parkedDelivery(await this.manager(), id, takeLater);
      problem = delivery === null ? 'no such parked event' : await this.lanes.take(delivery);
    } catch (error) {
      problem = errorText(error);
    }
    if (!this.connection.isClosed()) message.respond(JSON.stringify({ problem }));
  }

  private readonly collect = async (): Promise<void> => {
    const { owner, name, source } = this.options;
    const labels = { owner, consumer: name };
    try {
      const jsm = await this.manager();
      const info = await jsm.consumers.info(eventStreamName(source), this.durable);
      this.metrics?.lag.set(labels, info.num_pending + info.num_ack_pending);
      this.metrics?.parked.set(labels, await countParked(jsm, owner, name));
    } catch {
      // Unknown is not zero.
      this.metrics?.lag.remove(labels);
      this.metrics?.parked.remove(labels);
    }
  };
}
