import fc from 'fast-check';
import { VersionConflict } from '@holdfast/decider';
import { ClientTokenUsed } from '../errors.ts';
import type { DomainEvent, EventStore } from '../types.ts';
import { appendOptions } from './fixtures.ts';

/** One append of a random history. `offset` is what the writer is wrong by about the stream's version. */
export interface Step {
  readonly stream: number;
  readonly offset: number;
  readonly events: readonly DomainEvent[];
  readonly token: number | null;
}

const storable = fc.string({ unit: 'grapheme', maxLength: 12 });
const json = fc
  .jsonValue({ maxDepth: 2, stringUnit: 'grapheme' })
  .map((value): unknown => JSON.parse(JSON.stringify(value)));
const event: fc.Arbitrary<DomainEvent> = fc.record({
  type: fc.constantFrom('Counted', 'Cleared', 'VolumeCreated'),
  note: storable,
  payload: json,
});

/** Mostly writers that know the version, some that are behind or ahead; few tokens, so that they repeat. */
export const histories: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    stream: fc.nat({ max: 3 }),
    offset: fc.oneof(
      { weight: 5, arbitrary: fc.constant(0) },
      { weight: 2, arbitrary: fc.integer({ min: -2, max: 2 }) },
    ),
    events: fc.array(event, { minLength: 1, maxLength: 3 }),
    token: fc.option(fc.nat({ max: 4 }), { freq: 3 }),
  }),
  { maxLength: 25 },
);

/** What a step did to a store, without what no two stores share (ids and positions). */
export const outcomeOf = async (store: EventStore, prefix: string, step: Step, version: number): Promise<unknown> => {
  const clientToken =
    step.token === null ? {} : { clientToken: { scope: prefix, token: String(step.token), parametersHash: 'h', result: step.stream } }; // prettier-ignore
  const options = { ...appendOptions, ...clientToken };
  try {
    const appended = await store.append(`${prefix}-${String(step.stream)}`, version, step.events, options);
    return appended.map((stored) => [stored.version, stored.type, stored.schemaVersion, stored.data]);
  } catch (error) {
    if (error instanceof VersionConflict) return 'VersionConflict';
    if (error instanceof ClientTokenUsed) return ['ClientTokenUsed', error.stored.result];
    throw error;
  }
};
