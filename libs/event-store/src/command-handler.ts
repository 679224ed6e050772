import { type Decider, fold, VersionConflict } from '@holdfast/decider';
import type { AppendOptions, DomainEvent, EventStore, StoredEvent } from './types.ts';

/** Times a decision is made again on the newer history before the caller is told to try later. */
const ATTEMPTS = 4;

/**
 * Reads a stream, decides, appends; decides again when another writer came first. Commands of this process wait for each
 * other, a stream's in their order: what conflicts is left to other processes, however many callers want the same thing.
 */
export class CommandHandler<Command, Event extends DomainEvent, State> {
  /** The latest command of each stream that has one under way; never rejected. */
  readonly #latest = new Map<string, Promise<unknown>>();

  constructor(
    private readonly store: EventStore,
    private readonly decider: Decider<Command, Event, State>,
    /** From an entity's id to its stream's, e.g. `volume-<id>`. */
    private readonly streamOf: (id: string) => string,
  ) {}

  /**
   * @returns the appended events; none when the command repeated a fact.
   * @throws DomainError, VersionConflict (after every attempt), ClientTokenUsed
   */
  async handle(id: string, command: Command, options: AppendOptions): Promise<StoredEvent<Event>[]> {
    const streamId = this.streamOf(id);
    const before = this.#latest.get(streamId);
    const turn = before === undefined ? this.#decide(id, command, options) : before.then(() => this.#decide(id, command, options)); // prettier-ignore
    const ended = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#latest.set(streamId, ended);
    try {
      return await turn;
    } finally {
      if (this.#latest.get(streamId) === ended) this.#latest.delete(streamId);
    }
  }

  async #decide(id: string, command: Command, options: AppendOptions): Promise<StoredEvent<Event>[]> {
    const streamId = this.streamOf(id);
    for (let attempt = 1; ; attempt++) {
      const { state, version } = await this.load(id);
      const events = this.decider.decide(command, state);
      if (events.length === 0) return [];
      try {
        return await this.store.append(streamId, version, events, options);
      } catch (error) {
        if (!(error instanceof VersionConflict) || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** The state that decisions are made on; `version` 0 for a stream that does not exist. */
  async load(id: string): Promise<{ state: State; version: number }> {
    const events = await this.store.readStream<Event>(this.streamOf(id));
    const state = fold(this.decider, events.map((event) => event.data), this.decider.initialState); // prettier-ignore
    return { state, version: events.at(-1)?.version ?? 0 };
  }
}
