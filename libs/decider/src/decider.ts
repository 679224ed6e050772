/**
 * A consistency rule as three pure functions: what a stream's events add up to, and which events a command adds.
 * The pattern and its name are Jérémie Chassaing's.
 */
export interface Decider<Command, Event, State> {
  readonly initialState: State;
  /** Total: every event is acceptable in every state, since it already happened. */
  evolve(state: State, event: Event): State;
  /** Returns the events to append, none when the command repeats a fact; throws DomainError to refuse. */
  decide(command: Command, state: State): readonly Event[];
}

/** Replays `events` onto `state`. */
export const fold = <Event, State>(
  decider: Pick<Decider<never, Event, State>, 'evolve'>,
  events: readonly Event[],
  state: State,
): State => events.reduce((folded, event) => decider.evolve(folded, event), state);
