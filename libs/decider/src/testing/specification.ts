import { expect } from 'vitest';
import { type Decider, fold } from '../decider.ts';
import { DomainError } from '../errors.ts';

/** Given past events, when a command comes, then these events follow or this rule refuses. State is never asserted. */
export const specification =
  <Command, Event, State>(decider: Decider<Command, Event, State>) =>
  (...history: readonly Event[]) => ({
    when: (command: Command) => {
      const decide = () => decider.decide(command, fold(decider, history, decider.initialState));
      return {
        then: (...expected: readonly Event[]) => {
          expect(decide()).toEqual(expected);
        },
        thenNothing: () => {
          expect(decide()).toEqual([]);
        },
        thenRefuses: (code: string) => {
          expect(decide).toThrow(expect.objectContaining({ name: 'DomainError', code }));
          expect(decide).toThrow(DomainError);
        },
      };
    },
  });
