import { VersionConflict } from '@holdfast/decider';
import { ClientTokenUsed } from '../errors.ts';
import { type NewEvent, prepareAppends, prepareEvents } from '../new-events.ts';
import type {
  AppendOptions,
  Checkpoint,
  ClientToken,
  DomainEvent,
  InlineProjection,
  LogPage,
  Sql,
  StoredEvent,
  StreamAppend,
  SubscribableStore,
} from '../types.ts';
import { EventSchemas, type Upcaster } from '../upcasters.ts';
import { WakeUp } from '../wake-up.ts';

/** What projections and handlers of the twin get: read models in memory do not speak SQL. */
export const NO_SQL: Sql = {
  query: () => Promise.reject(new Error('the in-memory event store has no SQL')),
};

interface Row {
  readonly transactionId: number;
  readonly event: StoredEvent;
  readonly dataJson: string;
  readonly metadataJson: string;
}

/** What would be the tables. Stores that share one are like processes on one database. */
export class MemoryLog {
  readonly rows: Row[] = [];
  readonly streams = new Map<string, Row[]>();
  readonly tokens = new Map<string, ClientToken>();
  readonly checkpoints = new Map<string, Checkpoint>();
  readonly appended = new WakeUp();
  private readonly turns = new Map<string, Promise<unknown>>();

  /** One after the other, as transactions are that lock the same row. */
  alone<T>(lock: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.turns.get(lock) ?? Promise.resolve()).then(work);
    this.turns.set(lock, turn.catch(() => undefined)); // prettier-ignore
    return turn;
  }
}

interface PartialAppend {
  readonly streamId: string;
  readonly newEvents: readonly NewEvent[];
  readonly metadataJson: string;
  readonly options: Pick<AppendOptions, 'metadata' | 'time'>;
}

export interface MemoryEventStoreOptions {
  readonly service: string;
  /** A new one when left out. */
  readonly log?: MemoryLog;
  readonly projections?: readonly InlineProjection[];
  readonly upcasters?: readonly Upcaster[];
}

/** The twin of PostgresEventStore for tests: same promises, one process, nothing kept. */
export class MemoryEventStore implements SubscribableStore {
  readonly service: string;
  private readonly projections: readonly InlineProjection[];
  private readonly schemas: EventSchemas;
  private readonly log: MemoryLog;

  constructor(options: MemoryEventStoreOptions) {
    this.service = options.service;
    this.log = options.log ?? new MemoryLog();
    this.projections = options.projections ?? [];
    this.schemas = new EventSchemas(options.upcasters);
  }

  async readStream<Event extends DomainEvent>(streamId: string, fromVersion = 1): Promise<StoredEvent<Event>[]> {
    const rows = this.log.streams.get(streamId) ?? [];
    return rows.slice(Math.max(fromVersion - 1, 0)).map((row) => this.read<Event>(row));
  }

  async readStreams<Event extends DomainEvent>(
    streamIds: readonly string[],
  ): Promise<Map<string, StoredEvent<Event>[]>> {
    const entry = (streamId: string): [string, StoredEvent<Event>[]] => [
      streamId,
      (this.log.streams.get(streamId) ?? []).map((row) => this.read<Event>(row)),
    ];
    return new Map(streamIds.map(entry));
  }

  async append<Event extends DomainEvent>(
    streamId: string,
    expectedVersion: number,
    events: readonly Event[],
    options: AppendOptions,
  ): Promise<StoredEvent<Event>[]> {
    const { newEvents, metadataJson } = prepareEvents(expectedVersion, events, this.schemas, options);
    return this.log.alone('log', async () => {
      const stream = this.log.streams.get(streamId) ?? [];
      if (stream.length !== expectedVersion) throw new VersionConflict(streamId, expectedVersion);
      const tokenKey = options.clientToken && tokenKeyOf(options.clientToken.scope, options.clientToken.token);
      const used = tokenKey === undefined ? undefined : this.log.tokens.get(tokenKey);
      if (used !== undefined) throw new ClientTokenUsed(used);

      const rows = this.newRows([{ streamId, newEvents, metadataJson, options }]);
      await this.keep(rows);
      if (tokenKey !== undefined && options.clientToken) {
        const result: unknown = JSON.parse(JSON.stringify(options.clientToken.result ?? null));
        this.log.tokens.set(tokenKey, { ...options.clientToken, result });
      }
      this.log.appended.wake();
      return rows.map((row) => this.read<Event>(row));
    });
  }

  async appendMany<Event extends DomainEvent>(
    appends: readonly StreamAppend<Event>[],
  ): Promise<StoredEvent<Event>[][]> {
    const prepared = prepareAppends(appends, this.schemas);
    return this.log.alone('log', async () => {
      for (const { streamId, expectedVersion } of prepared) {
        const version = this.log.streams.get(streamId)?.length ?? 0;
        if (version !== expectedVersion) throw new VersionConflict(streamId, expectedVersion);
      }
      const rows = this.newRows(prepared);
      await this.keep(rows);
      this.log.appended.wake();
      return prepared.map(({ streamId }) =>
        rows.filter(({ event }) => event.streamId === streamId).map((row) => this.read<Event>(row)),
      );
    });
  }

  async readLog(checkpoint: Checkpoint | null, limit: number): Promise<LogPage> {
    const after = checkpoint?.globalPosition ?? 0;
    const rows = this.log.rows.filter(({ event }) => event.globalPosition > after).slice(0, limit);
    const last = rows.at(-1);
    return {
      events: rows.map((row) => this.read(row)),
      heldBack: false, // Writers take turns.
      checkpoint:
        last === undefined
          ? checkpoint
          : { transactionId: String(last.transactionId), globalPosition: last.event.globalPosition },
    };
  }

  findClientToken(scope: string, token: string): Promise<ClientToken | null> {
    return Promise.resolve(this.log.tokens.get(tokenKeyOf(scope, token)) ?? null);
  }

  waitForAppend(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    return this.log.appended.wait(timeoutMs, signal);
  }

  loadCheckpoint(name: string): Promise<Checkpoint | null> {
    return Promise.resolve(this.log.checkpoints.get(name) ?? null);
  }

  advance(name: string, from: Checkpoint | null, to: Checkpoint, work: (sql: Sql) => Promise<void>): Promise<boolean> {
    return this.log.alone(`checkpoint ${name}`, async () => {
      const current = this.log.checkpoints.get(name);
      if (current?.transactionId !== from?.transactionId || current?.globalPosition !== from?.globalPosition)
        return false;
      await work(NO_SQL);
      this.log.checkpoints.set(name, to);
      return true;
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** As rows of one transaction. */
  private newRows(appends: readonly PartialAppend[]): Row[] {
    const transactionId = (this.log.rows.at(-1)?.transactionId ?? 0) + 1;
    let globalPosition = this.log.rows.at(-1)?.event.globalPosition ?? 0;
    return appends.flatMap(({ streamId, newEvents, metadataJson, options: { metadata, time } }) =>
      newEvents.map(({ dataJson, ...event }): Row => {
        const data = JSON.parse(dataJson) as DomainEvent;
        globalPosition += 1;
        return {
          transactionId,
          event: { ...event, streamId, globalPosition, data, metadata, time },
          dataJson,
          metadataJson,
        };
      }),
    );
  }

  /** Projections first: one that fails keeps everything out. */
  private async keep(rows: readonly Row[]): Promise<void> {
    for (const projection of this.projections) {
      for (const row of rows) await projection.project(this.read(row), NO_SQL);
    }
    this.log.rows.push(...rows);
    for (const row of rows) {
      const { streamId } = row.event;
      this.log.streams.set(streamId, [...(this.log.streams.get(streamId) ?? []), row]);
    }
  }

  /** A fresh copy each time: a reader that changes what it got changes no history. */
  private read<Event extends DomainEvent>({ event, dataJson, metadataJson }: Row): StoredEvent<Event> {
    const { schemaVersion, data } = this.schemas.upcast(event.type, event.schemaVersion, JSON.parse(dataJson));
    return { ...event, schemaVersion, data: data as Event, metadata: JSON.parse(metadataJson) };
  }
}

const tokenKeyOf = (scope: string, token: string): string => JSON.stringify([scope, token]);
