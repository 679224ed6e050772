import { randomUUID } from 'node:crypto';
import { type Caller, callerOf } from '@holdfast/contracts';
import type { StoredEvent } from '@holdfast/event-store';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { Bus } from '../bus.ts';
import { testContext } from './context.ts';

/** A source of events as a relay would be: makes the stream and publishes to it. */
export class TestSource {
  private readonly versions = new Map<string, number>();
  private position = 0;

  constructor(
    private readonly bus: Bus,
    readonly service: string,
  ) {}

  async createStream(): Promise<void> {
    const jsm = await jetstreamManager(this.bus.connection);
    await jsm.streams.add({ name: `EVENTS-${this.service}`, subjects: [`${this.service}.event.>`] });
  }

  event(streamId: string, type: string, fields: object = {}): StoredEvent {
    const version = (this.versions.get(streamId) ?? 0) + 1;
    this.versions.set(streamId, version);
    return {
      eventId: randomUUID(),
      streamId,
      version,
      globalPosition: ++this.position,
      type,
      schemaVersion: 1,
      data: { ...fields, type },
      metadata: { caller: JSON.parse(JSON.stringify(callerOf(testContext()))) as Caller },
      time: new Date().toISOString() as StoredEvent['time'],
    };
  }

  /** Publishes events, in order. */
  async publish(...events: StoredEvent[]): Promise<void> {
    const js = jetstream(this.bus.connection);
    for (const event of events) {
      const subject = `${this.service}.event.${event.type}.v1`;
      await js.publish(subject, JSON.stringify(event), { msgID: event.eventId });
    }
  }

  /** Makes and publishes one event. */
  async emit(streamId: string, type: string, fields: object = {}): Promise<StoredEvent> {
    const event = this.event(streamId, type, fields);
    await this.publish(event);
    return event;
  }
}
