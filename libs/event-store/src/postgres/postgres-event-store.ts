import { instant } from '@holdfast/contracts';
import { VersionConflict } from '@holdfast/decider';
import { ClientTokenUsed } from '../errors.ts';
import { type NewEvent, prepareAppends, prepareEvents, type PreparedAppend } from '../new-events.ts';
import type {
  AppendOptions,
  Checkpoint,
  ClientToken,
  DomainEvent,
  EventMetadata,
  InlineProjection,
  LogPage,
  Page,
  Sql,
  StoredEvent,
  StreamAppend,
  SubscribableStore,
  UnreadEvent,
} from '../types.ts';
import { EventSchemas, type Upcaster } from '../upcasters.ts';
import { AppendSignal } from './append-signal.ts';
import type { Database } from './database.ts';
import * as statements from './statements.ts';

export interface PostgresEventStoreOptions {
  readonly database: Database;
  /** Whose log this is, e.g. `volumes`. */
  readonly service: string;
  /** Run in this order, each over all events of the append, in the append's transaction. */
  readonly projections?: readonly InlineProjection[];
  readonly upcasters?: readonly Upcaster[];
}

interface EventRow<Data = unknown, Metadata = EventMetadata> {
  event_id: string;
  stream_id: string;
  version: number;
  transaction_id: string;
  global_position: string;
  type: string;
  schema_version: number;
  data: Data;
  metadata: Metadata;
  time: Date;
}

interface UnreadRow extends EventRow<string, string> {
  traceparent: string | null;
}

const UNIQUE_VIOLATION = '23505';

/** The constraint that a statement violated, if it was a unique one. */
const violatedKey = (error: unknown): string | undefined => {
  const { code, constraint } = error as { code?: string; constraint?: string };
  return code === UNIQUE_VIOLATION ? constraint : undefined;
};

export class PostgresEventStore implements SubscribableStore {
  readonly service: string;
  readonly database: Database;
  private readonly projections: readonly InlineProjection[];
  private readonly schemas: EventSchemas;
  private readonly appended: AppendSignal;

  constructor(options: PostgresEventStoreOptions) {
    this.service = options.service;
    this.database = options.database;
    this.projections = options.projections ?? [];
    this.schemas = new EventSchemas(options.upcasters);
    this.appended = new AppendSignal(options.database);
  }

  async readStream<Event extends DomainEvent>(streamId: string, fromVersion = 1): Promise<StoredEvent<Event>[]> {
    const rows = await this.database.query<EventRow>(statements.READ_STREAM, [streamId, fromVersion]);
    return rows.map((row) => this.storedEvent<Event>(row));
  }

  async readStreams<Event extends DomainEvent>(
    streamIds: readonly string[],
  ): Promise<Map<string, StoredEvent<Event>[]>> {
    const streams = new Map<string, StoredEvent<Event>[]>(streamIds.map((streamId) => [streamId, []]));
    if (streams.size === 0) return streams;
    const rows = await this.database.query<EventRow>(statements.READ_STREAMS, [[...streams.keys()]]);
    for (const row of rows) streams.get(row.stream_id)?.push(this.storedEvent<Event>(row));
    return streams;
  }

  async append<Event extends DomainEvent>(
    streamId: string,
    expectedVersion: number,
    events: readonly Event[],
    options: AppendOptions,
  ): Promise<StoredEvent<Event>[]> {
    const { newEvents, metadataJson } = prepareEvents(expectedVersion, events, this.schemas, options);
    const { text, values } = statements.appendStatement(streamId, expectedVersion, newEvents, metadataJson, options);
    const stored = (rows: readonly { global_position: string }[]) => {
      if (rows.length !== events.length) throw new VersionConflict(streamId, expectedVersion);
      return rows.map((row, index) =>
        this.newlyStored(streamId, newEvents, events, index, row.global_position, options),
      );
    };
    try {
      return await this.commit(text, values, stored);
    } catch (error) {
      const key = violatedKey(error);
      if (key === 'events_stream_version') throw new VersionConflict(streamId, expectedVersion);
      if (key === 'client_tokens_key' && options.clientToken !== undefined) {
        const { scope, token } = options.clientToken;
        const used = await this.findClientToken(scope, token);
        if (used !== null) throw new ClientTokenUsed(used);
      }
      throw error;
    }
  }

  async appendMany<Event extends DomainEvent>(
    appends: readonly StreamAppend<Event>[],
  ): Promise<StoredEvent<Event>[][]> {
    if (appends.length === 0) return [];
    const prepared = prepareAppends(appends, this.schemas);
    const byStream = [...prepared].sort((a, b) => (a.streamId < b.streamId ? -1 : 1));
    const { text, values } = statements.appendManyStatement(byStream);
    const count = byStream.reduce((sum, { events }) => sum + events.length, 0);
    const stored = (rows: readonly AppendedRow[]) => {
      if (rows.length !== count) throw new ManyConflict();
      const positions = new Map(rows.map((row) => [`${row.stream_id} ${String(row.version)}`, row.global_position]));
      return byStream.flatMap((append) => this.storedOf(append, positions));
    };
    try {
      const inOrder = await this.commit(text, values, stored);
      return prepared.map(({ streamId }) => inOrder.filter((event) => event.streamId === streamId));
    } catch (error) {
      if (!(error instanceof ManyConflict) && violatedKey(error) !== 'events_stream_version') throw error;
      const [conflict] = await this.database.query<{ stream_id: string; version: number }>(statements.FIRST_CONFLICT, [
        prepared.map(({ streamId }) => streamId),
        prepared.map(({ expectedVersion }) => expectedVersion),
      ]);
      // None any more: another writer's transaction has failed meanwhile. Deciding again is right in any case.
      const { streamId, expectedVersion } = prepared[0] ?? { streamId: '', expectedVersion: 0 };
      throw new VersionConflict(conflict?.stream_id ?? streamId, conflict?.version ?? expectedVersion);
    }
  }

  readLog(checkpoint: Checkpoint | null, limit: number): Promise<LogPage> {
    return this.page(statements.READ_LOG, checkpoint, limit, (row: EventRow) => this.storedEvent(row));
  }

  /** The same for those who only pass events on. */
  readLogUnread(checkpoint: Checkpoint | null, limit: number): Promise<Page<UnreadEvent>> {
    return this.page(statements.READ_LOG_UNREAD, checkpoint, limit, (row: UnreadRow) => this.unreadEvent(row));
  }

  /** Where exactly this event stands in the log; null when the log does not hold it. */
  async positionOf(event: Pick<StoredEvent, 'eventId' | 'streamId' | 'version'>): Promise<Checkpoint | null> {
    const [row] = await this.database.query<PositionRow & { event_id: string }>(
      'SELECT transaction_id, global_position, event_id FROM events WHERE stream_id = $1 AND version = $2',
      [event.streamId, event.version],
    );
    return row?.event_id === event.eventId ? checkpointOf(row) : null;
  }

  async findClientToken(scope: string, token: string): Promise<ClientToken | null> {
    const [row] = await this.database.query<{ parameters_hash: string; result: unknown }>(
      'SELECT parameters_hash, result FROM client_tokens WHERE scope = $1 AND token = $2',
      [scope, token],
    );
    return row === undefined ? null : { scope, token, parametersHash: row.parameters_hash, result: row.result };
  }

  waitForAppend(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return this.appended.wait(timeoutMs, signal);
  }

  async loadCheckpoint(name: string): Promise<Checkpoint | null> {
    const [row] = await this.database.query<PositionRow>(
      'SELECT transaction_id, global_position FROM checkpoints WHERE name = $1',
      [name],
    );
    return row === undefined ? null : checkpointOf(row);
  }

  advance(name: string, from: Checkpoint | null, to: Checkpoint, work: (sql: Sql) => Promise<void>): Promise<boolean> {
    return this.database.transaction(async (sql) => {
      // Moved first: the row's lock makes a second process wait, and then find that the checkpoint is no longer `from`.
      const moved = await sql.query(from === null ? statements.START_CHECKPOINT : statements.MOVE_CHECKPOINT, [
        name,
        to.transactionId,
        to.globalPosition,
        ...(from === null ? [] : [from.transactionId, from.globalPosition]),
      ]);
      if (moved.length === 0) return false;
      await work(sql);
      return true;
    });
  }

  /** Stops listening for appends; the database stays open, since others may use it. */
  close(): Promise<void> {
    return this.appended.close();
  }

  /** Runs the one statement of an append, and the projections with it. */
  private async commit<Row, Event extends DomainEvent>(
    text: string,
    values: readonly unknown[],
    stored: (rows: readonly Row[]) => StoredEvent<Event>[],
  ): Promise<StoredEvent<Event>[]> {
    const appended =
      this.projections.length === 0
        ? stored(await this.database.query<Row>(text, values))
        : await this.database.transaction(async (sql) => {
            // The first write of its transaction: a transaction that already had its id when it waited for another
            // writer of the stream would sort before that writer's events.
            const inOrder = stored(await sql.query<Row>(text, values));
            await this.project(inOrder, sql);
            return inOrder;
          });
    this.appended.announce();
    return appended;
  }

  private storedOf<Event extends DomainEvent>(
    { streamId, newEvents, events, options }: PreparedAppend<Event>,
    positions: ReadonlyMap<string, string>,
  ): StoredEvent<Event>[] {
    return newEvents.map(({ version }, index) => {
      const position = positions.get(`${streamId} ${String(version)}`);
      if (position === undefined) throw new RangeError(`version ${String(version)} of ${streamId} was not appended`);
      return this.newlyStored(streamId, newEvents, events, index, position, options);
    });
  }

  private async project(events: readonly StoredEvent[], sql: Sql): Promise<void> {
    for (const projection of this.projections) {
      for (const event of events) await projection.project(event, sql);
    }
  }

  private newlyStored<Event extends DomainEvent>(
    streamId: string,
    newEvents: readonly NewEvent[],
    events: readonly Event[],
    index: number,
    globalPosition: string,
    { metadata, time }: Pick<AppendOptions, 'metadata' | 'time'>,
  ): StoredEvent<Event> {
    const event = newEvents[index];
    const data = events[index];
    if (event === undefined || data === undefined) throw new RangeError(`no event ${String(index)}`);
    const { eventId, version, schemaVersion } = event;
    const { type } = data;
    return {
      eventId,
      streamId,
      version,
      globalPosition: Number(globalPosition),
      type,
      schemaVersion,
      data,
      metadata,
      time,
    };
  }

  private async page<Row extends PositionRow, Event>(
    statement: string,
    checkpoint: Checkpoint | null,
    limit: number,
    eventOf: (row: Row) => Event,
  ): Promise<Page<Event>> {
    const { transactionId, globalPosition } = checkpoint ?? { transactionId: '0', globalPosition: 0 };
    const rows = await this.database.query<Row>(statement, [transactionId, globalPosition, limit]);
    const last = rows.at(-1);
    if (last === undefined) {
      const [later] = await this.database.query<{ any: boolean }>(statements.ANY_LATER, [
        transactionId,
        globalPosition,
      ]);
      return { events: [], checkpoint, heldBack: later?.any === true };
    }
    return { events: rows.map(eventOf), checkpoint: checkpointOf(last), heldBack: false };
  }

  private storedEvent<Event extends DomainEvent>(row: EventRow): StoredEvent<Event> {
    const { schemaVersion, data } = this.schemas.upcast(row.type, row.schema_version, row.data);
    return { ...placeOf(row), schemaVersion, data: data as Event, metadata: row.metadata };
  }

  private unreadEvent(row: UnreadRow): UnreadEvent {
    const { type, schema_version: schemaVersion, data, metadata, traceparent } = row;
    const unread = { ...placeOf(row), schemaVersion, data, metadata, traceparent: traceparent ?? undefined };
    if (schemaVersion === this.schemas.currentVersion(type)) return unread;
    const upcast = this.schemas.upcast(type, schemaVersion, JSON.parse(data));
    return { ...unread, schemaVersion: upcast.schemaVersion, data: JSON.stringify(upcast.data) };
  }
}

interface AppendedRow {
  stream_id: string;
  version: number;
  global_position: string;
}

/** Some stream had not reached its expected version; which one is asked afterwards. */
class ManyConflict extends Error {}

interface PositionRow {
  transaction_id: string;
  global_position: string;
}

const placeOf = (row: EventRow<unknown, unknown>) => ({
  eventId: row.event_id,
  streamId: row.stream_id,
  version: row.version,
  globalPosition: Number(row.global_position),
  type: row.type,
  time: instant(row.time),
});

const checkpointOf = (row: PositionRow): Checkpoint => ({
  transactionId: row.transaction_id,
  globalPosition: Number(row.global_position),
});
