import { randomUUID } from 'node:crypto';
import type { AppendOptions, DomainEvent, StreamAppend } from './types.ts';
import type { EventSchemas } from './upcasters.ts';

/** Longest JSON of one event and its metadata, in UTF-8 bytes: both must fit into one message on the bus (1 MiB by default). */
export const MAX_EVENT_BYTES = 512 * 1024;
/** Most events of one append; a decision that yields more is a batch job. */
export const MAX_EVENTS_PER_APPEND = 1000;

/** An event on its way into the log; what the store itself assigns is missing. */
export interface NewEvent {
  readonly eventId: string;
  readonly version: number;
  readonly type: string;
  readonly schemaVersion: number;
  readonly dataJson: string;
}

/** Characters that `jsonb` can't hold: NUL and lone surrogates, which JSON.stringify writes as escapes. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/;

/** Becomes a part of the subject that the event is published on. */
const EVENT_TYPE = /^[A-Z][A-Za-z0-9]{0,99}$/;

const storableJson = (what: string, value: unknown): string => {
  const json = JSON.stringify(value);
  if (json.includes('\\u') && UNSTORABLE.test(json)) {
    throw new TypeError(`${what} contains a character that the log cannot hold`);
  }
  return json;
};

/**
 * Numbers and serializes the events of one append.
 * @throws TypeError, RangeError for what no store accepts; nothing was written then.
 */
export const prepareEvents = (
  expectedVersion: number,
  events: readonly DomainEvent[],
  schemas: EventSchemas,
  options: Pick<AppendOptions, 'metadata'>,
): { newEvents: NewEvent[]; metadataJson: string } => {
  if (!Number.isSafeInteger(expectedVersion) || expectedVersion < 0) {
    throw new RangeError(`not a version: ${String(expectedVersion)}`);
  }
  if (events.length === 0 || events.length > MAX_EVENTS_PER_APPEND) {
    throw new RangeError(`an append takes 1 to ${String(MAX_EVENTS_PER_APPEND)} events, not ${String(events.length)}`);
  }
  const metadataJson = storableJson('metadata', options.metadata);
  const metadataBytes = Buffer.byteLength(metadataJson);
  const newEvents = events.map((event, index) => {
    const { type } = event;
    if (!EVENT_TYPE.test(type)) throw new TypeError(`not an event type: ${JSON.stringify(type)}`);
    const dataJson = storableJson(type, event);
    if (Buffer.byteLength(dataJson) + metadataBytes > MAX_EVENT_BYTES) {
      throw new RangeError(`${type} is longer than ${String(MAX_EVENT_BYTES)} bytes`);
    }
    const version = expectedVersion + index + 1;
    return { eventId: randomUUID(), version, type, schemaVersion: schemas.currentVersion(type), dataJson };
  });
  return { newEvents, metadataJson };
};

export interface PreparedAppend<Event extends DomainEvent> extends StreamAppend<Event> {
  readonly newEvents: readonly NewEvent[];
  readonly metadataJson: string;
}

/** Several streams' events. @throws TypeError, RangeError as `prepareEvents`; also for a stream named twice. */
export const prepareAppends = <Event extends DomainEvent>(
  appends: readonly StreamAppend<Event>[],
  schemas: EventSchemas,
): PreparedAppend<Event>[] => {
  const streams = new Set(appends.map(({ streamId }) => streamId));
  if (streams.size !== appends.length) throw new RangeError('an append to many streams names each of them once');
  const count = appends.reduce((sum, { events }) => sum + events.length, 0);
  if (count > MAX_EVENTS_PER_APPEND) {
    throw new RangeError(`an append takes at most ${String(MAX_EVENTS_PER_APPEND)} events, not ${String(count)}`);
  }
  return appends.map((append) => ({
    ...append,
    ...prepareEvents(append.expectedVersion, append.events, schemas, append.options),
  }));
};
