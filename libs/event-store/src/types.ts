import type { Caller, Instant } from '@holdfast/contracts';

/**
 * One connection's or one transaction's way to run SQL. `values` fill `$1`, `$2`, …; statements with values are prepared
 * once per connection. Rows come as `pg` parses them: bigint and xid8 as strings, timestamptz as Date, json parsed. A json
 * parameter is passed as text (`JSON.stringify`), an array becomes a Postgres array.
 */
export interface Sql {
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/** Events are plain JSON with their name in `type`; instants are ISO-8601 strings, bytes base64. */
export interface DomainEvent {
  readonly type: string;
}

export interface EventMetadata {
  /** On whose request the event came about; for work done later, the request that began it. */
  readonly caller: Caller;
  /** The event that a process manager reacted to. */
  readonly causationId?: string;
}

export interface StoredEvent<Event extends DomainEvent = DomainEvent> {
  readonly eventId: string;
  readonly streamId: string;
  /** 1-based position in its stream. */
  readonly version: number;
  /** Position in the service's log; strictly increasing along a stream, but not gapless. */
  readonly globalPosition: number;
  readonly type: Event['type'];
  readonly schemaVersion: number;
  readonly data: Event;
  readonly metadata: EventMetadata;
  readonly time: Instant;
}

/** An event of the log whose data and metadata nobody has had to read: they are passed on as the database wrote them. */
export interface UnreadEvent extends Pick<
  StoredEvent,
  'eventId' | 'streamId' | 'version' | 'globalPosition' | 'type' | 'schemaVersion' | 'time'
> {
  /** JSON, in the current schema version. */
  readonly data: string;
  /** JSON. */
  readonly metadata: string;
  /** Of its metadata's caller. */
  readonly traceparent: string | undefined;
}

/** A client token (EC2's ClientToken) is stored with the effect it stands for, in one transaction. */
export interface ClientToken {
  /** `<account>/<Region>/<action>`: tokens of different scopes never meet. */
  readonly scope: string;
  readonly token: string;
  /** Digest of the parsed request without token and DryRun. */
  readonly parametersHash: string;
  /** What a repetition is answered with, e.g. the id of the resource. */
  readonly result: unknown;
}

export interface AppendOptions {
  readonly metadata: EventMetadata;
  readonly time: Instant;
  /** @throws ClientTokenUsed when the scope already has this token. Nothing is appended then. */
  readonly clientToken?: ClientToken;
}

/** One stream's part of an `appendMany`. */
export interface StreamAppend<Event extends DomainEvent = DomainEvent> {
  readonly streamId: string;
  /** As `append` takes it. */
  readonly expectedVersion: number;
  readonly events: readonly Event[];
  readonly options: Pick<AppendOptions, 'metadata' | 'time'>;
}

/** Events in, rows out, in the append's own transaction: what a Describe call reads is never behind its own writes. */
export interface InlineProjection<Event extends DomainEvent = DomainEvent> {
  readonly name: string;
  project(event: StoredEvent<Event>, sql: Sql): Promise<void>;
}

/**
 * Order of the log as readers see it: by transaction, then by position; events of transactions that may still commit
 * ahead of it are held back, so that nothing is skipped. Opaque to callers, kept by them.
 */
export interface Checkpoint {
  readonly transactionId: string;
  readonly globalPosition: number;
}

export interface Page<Event> {
  readonly events: Event[];
  /** Of the last event; the one that was given when there is none. */
  readonly checkpoint: Checkpoint | null;
  /** The page is empty, yet later events are committed: they wait for an older transaction to end. */
  readonly heldBack: boolean;
}

export type LogPage = Page<StoredEvent>;

export interface EventStore {
  /** Empty when the stream does not exist. Old schema versions come back upcast. */
  readStream<Event extends DomainEvent>(streamId: string, fromVersion?: number): Promise<StoredEvent<Event>[]>;
  /** Several streams in one round trip, keyed by stream id; absent streams map to []. */
  readStreams<Event extends DomainEvent>(streamIds: readonly string[]): Promise<Map<string, StoredEvent<Event>[]>>;
  /**
   * @param expectedVersion version of the last event that the decision saw; 0 for a new stream.
   * @throws VersionConflict (decider) when the stream is not at `expectedVersion`; ClientTokenUsed.
   */
  append<Event extends DomainEvent>(
    streamId: string,
    expectedVersion: number,
    events: readonly Event[],
    options: AppendOptions,
  ): Promise<StoredEvent<Event>[]>;
  /**
   * Appends to several streams, each named once, in one transaction: all of it or nothing. Without client tokens.
   * @returns the events of each stream, in the order of `appends`.
   * @throws VersionConflict naming a stream that is not at its expected version.
   */
  appendMany<Event extends DomainEvent>(appends: readonly StreamAppend<Event>[]): Promise<StoredEvent<Event>[][]>;
  /** Up to `limit` events after `checkpoint` (null: from the start), in log order, never skipping a late commit. */
  readLog(checkpoint: Checkpoint | null, limit: number): Promise<LogPage>;
  findClientToken(scope: string, token: string): Promise<ClientToken | null>;
}

/** An event store whose log can be followed; both adapters are one. */
export interface SubscribableStore extends EventStore {
  /** Whose log this is, e.g. `volumes`. */
  readonly service: string;
  /**
   * Resolves at the next sign of an append, here or (Postgres) in another process, or after `timeoutMs`; also on abort.
   * A hint only: signs may be lost or false, so callers read again in any case.
   */
  waitForAppend(timeoutMs: number, signal?: AbortSignal): Promise<void>;
  /** null until the first `advance` under this name. */
  loadCheckpoint(name: string): Promise<Checkpoint | null>;
  /**
   * Runs `work` and moves the checkpoint in one transaction, unless another process moved it meanwhile: then nothing is
   * done and the answer is false.
   */
  advance(name: string, from: Checkpoint | null, to: Checkpoint, work: (sql: Sql) => Promise<void>): Promise<boolean>;
}

/** Remembers for consumers which events they have handled. */
export interface Inbox {
  /**
   * Runs `work` in the transaction that notes the event as handled by `consumer`; a repetition runs nothing.
   * @returns whether `work` ran. When it throws, the event counts as unhandled and nothing it wrote remains.
   */
  once(consumer: string, eventId: string, work: (sql: Sql) => Promise<void>): Promise<boolean>;
}
