import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/nats-core';
import { follow, type StepOutcome } from '../follow.ts';
import type { Checkpoint } from '../types.ts';
import type { PostgresEventStore } from '../postgres/postgres-event-store.ts';
import { type EventMessage, eventMessage } from './event-message.ts';
import { EventStream, type StreamLimits, TakenForDuplicates } from './event-stream.ts';
import { whileLeading } from './leadership.ts';
import { RelayCheckpoints } from './relay-checkpoints.ts';

/** Why the stream is published again from the beginning of the log. */
export type RebuildReason = 'stream-lost' | 'stream-of-another-log';

/** For logs and metrics; all optional, none may throw. */
export interface RelayObserver {
  /** This process began or ceased to publish. */
  leading?(leads: boolean): void;
  /** So many events were acknowledged by JetStream. */
  published?(events: number): void;
  rebuilding?(reason: RebuildReason): void;
  /** The relay goes on by itself, after a pause. */
  failed?(error: unknown): void;
}

export interface RelayOptions {
  readonly store: PostgresEventStore;
  /** Should reconnect for ever (`maxReconnectAttempts: -1`); stays the caller's to close. */
  readonly connection: NatsConnection;
  readonly limits?: StreamLimits;
  readonly observer?: RelayObserver;
}

const BATCH_SIZE = 256;
/** Published and not yet acknowledged, in bytes of JSON (counted in UTF-16 units). */
const IN_FLIGHT_BYTES = 4 * 1024 * 1024;
/** From so many events at a time on, the relay waits a little for more: each look at the log costs as much as some events. */
const MANY_EVENTS = 8;
const GATHER_MS = 20;
/** How often an idle relay makes sure that the stream is still there. */
const CHECK_MS = 15_000;
const CHECKPOINT_INTERVAL_MS = 250;

/** Before every event. */
const BEGINNING: Checkpoint = { transactionId: '0', globalPosition: 0 };

interface Cursor {
  /** Last event that the stream has; null: none. */
  checkpoint: Checkpoint | null;
  sequence: number;
}

/**
 * Publishes a service's log to JetStream: every event, in log order, at least once. Start one in every replica; one of
 * them leads. Where to go on is read from the stream's last message itself, so neither a crash between an
 * acknowledgement and the checkpoint nor a lost tail of the stream leaves a gap.
 */
export class Relay {
  private readonly stream: EventStream;
  private readonly checkpoints: RelayCheckpoints;
  private readonly observer: RelayObserver;
  private readonly closed = new AbortController();
  private readonly running: Promise<void>;
  /** null: unknown, to be read from the stream. */
  private cursor: Cursor | null = null;
  /** Asked for and not yet begun: until its first event is in the stream, the stream can't tell where to go on. */
  private republishing: { from: Checkpoint | null } | null = null;
  /** Set while events are published again that the server remembers: it drops known ids for two minutes. */
  private newMessageIds = false;
  private leads = false;
  private checkAt = 0;
  private saveAt = 0;
  private unsaved = false;
  /** Steps of publishing, resets and republications happen one at a time. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: RelayOptions) {
    const { store, connection, limits } = options;
    this.stream = new EventStream(store.service, connection, limits);
    this.checkpoints = new RelayCheckpoints(store.database);
    this.observer = options.observer ?? {};
    void this.watchConnection();
    const { url, applicationName } = store.database.options;
    this.running = whileLeading(
      {
        url,
        applicationName: `${applicationName}-relay`,
        signal: this.closed.signal,
        onError: (error) => this.observer.failed?.(error),
      },
      (term) => this.lead(term),
    );
  }

  get isLeader(): boolean {
    return this.leads;
  }

  /** Events in the log that this service's leader has not yet seen acknowledged, counted up to `limit`. */
  behind(limit = 100_000): Promise<number> {
    return this.checkpoints.countBehind(limit);
  }

  /**
   * Begins to publish all events after `from` (null: all there are) again, behind those the stream already has. Consumers
   * are idempotent by event id.
   * @throws Error in a process that does not lead.
   */
  republish({ from }: { from: Checkpoint | null }): Promise<void> {
    return this.alone(async () => {
      if (!this.leads) throw new Error('another replica leads: it must republish');
      this.republishing = { from };
      this.cursor = null;
    });
  }

  /** Development only: runs `empty`, which empties the tables, while nothing is published, and empties the stream. */
  reset(empty: () => Promise<void>): Promise<void> {
    return this.alone(async () => {
      this.cursor = null;
      this.unsaved = false;
      await empty();
      await this.stream.purge();
    });
  }

  /** Finishes the batch at hand and gives up leadership. */
  async close(): Promise<void> {
    this.closed.abort();
    await this.running;
  }

  private async lead(term: AbortSignal): Promise<void> {
    this.leads = true;
    this.cursor = null;
    this.observer.leading?.(true);
    await follow({
      store: this.options.store,
      step: async () => {
        const { outcome, count } = await this.alone(() => this.step(term));
        // A full batch may have left some behind.
        if (count >= MANY_EVENTS && count < BATCH_SIZE) {
          await sleep(GATHER_MS, undefined, { signal: term }).catch(() => undefined);
        }
        return outcome;
      },
      signal: term,
      onError: (error) => {
        this.cursor = null; // What arrived is read from the stream.
        if (error instanceof TakenForDuplicates) this.newMessageIds = true;
        else this.observer.failed?.(error);
      },
    });
    await this.alone(() => this.saveCheckpoint(true)).catch((error: unknown) => this.observer.failed?.(error));
    this.leads = false;
    this.observer.leading?.(false);
  }

  /** Publishes one batch. */
  private async step(term: AbortSignal): Promise<{ outcome: StepOutcome; count: number }> {
    if (this.cursor === null || performance.now() > this.checkAt) this.cursor = await this.synchronize();
    const from = this.republishing === null ? this.cursor.checkpoint : this.republishing.from;
    const { store } = this.options;
    const { events, checkpoint, heldBack } = await store.readLogUnread(from, BATCH_SIZE);
    let { sequence } = this.cursor;
    for (const chunk of chunksOf(events.map((event) => eventMessage(store.service, event)))) {
      if (term.aborted) throw new Error('leadership was lost');
      sequence = await this.stream.publish(chunk, sequence, this.newMessageIds ? `/${String(sequence)}` : '');
      this.republishing = null;
      this.observer.published?.(chunk.length);
    }
    if (events.length > 0) {
      this.cursor = { checkpoint, sequence };
      this.unsaved = true;
    } else if (!heldBack) {
      this.republishing = null;
      this.newMessageIds = false; // Whatever was published before has been published again.
    }
    await this.saveCheckpoint(false);
    return { outcome: events.length > 0 ? 'handled' : heldBack ? 'held-back' : 'end', count: events.length };
  }

  /** Finds where in the log the stream ends; its beginning when the stream does not belong to this log. */
  private async synchronize(): Promise<Cursor> {
    const { lastSequence: sequence, lastEvent } = await this.stream.open();
    this.checkAt = performance.now() + CHECK_MS;
    if (lastEvent !== undefined) {
      const checkpoint = lastEvent === null ? null : await this.options.store.positionOf(lastEvent);
      if (checkpoint !== null) return { checkpoint, sequence };
      // The table was restored or emptied: what the stream tells is not what happened. Noted first, in case of a crash.
      this.observer.rebuilding?.('stream-of-another-log');
      await this.checkpoints.save(BEGINNING, 0);
      await this.stream.purge();
      return { checkpoint: null, sequence };
    }
    const saved = await this.checkpoints.load();
    if (saved !== null && saved.sequence > sequence) {
      this.observer.rebuilding?.('stream-lost');
      return { checkpoint: null, sequence };
    }
    return { checkpoint: saved?.checkpoint ?? null, sequence };
  }

  /** Not after each batch: where to go on is read from the stream, this only tells that it once was longer, and the lag. */
  private async saveCheckpoint(now: boolean): Promise<void> {
    if (!this.unsaved || this.cursor?.checkpoint == null) return;
    if (!now && performance.now() < this.saveAt) return;
    await this.checkpoints.save(this.cursor.checkpoint, this.cursor.sequence);
    this.saveAt = performance.now() + CHECKPOINT_INTERVAL_MS;
    this.unsaved = false;
  }

  /** A server that was away may have lost its storage. */
  private async watchConnection(): Promise<void> {
    for await (const status of this.options.connection.status()) {
      if (status.type === 'reconnect') this.checkAt = 0;
    }
  }

  private alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(work);
    this.turn = mine.catch(() => undefined);
    return mine;
  }
}

function* chunksOf(messages: readonly EventMessage[]): Generator<EventMessage[]> {
  let chunk: EventMessage[] = [];
  let size = 0;
  for (const message of messages) {
    const { length } = message.body;
    if (chunk.length > 0 && size + length > IN_FLIGHT_BYTES) {
      yield chunk;
      chunk = [];
      size = 0;
    }
    chunk.push(message);
    size += length;
  }
  if (chunk.length > 0) yield chunk;
}
