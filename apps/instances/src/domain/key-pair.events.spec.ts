import { fold } from '@holdfast/decider';
import { expect, it } from 'vitest';
import { keyPairDecider } from './key-pair.decider.ts';
import samples from './key-pair.events.v1.json' with { type: 'json' };
import type { KeyPairEvent } from './key-pair.events.ts';

/** A name that is missing here, or one too many, does not compile. */
const types: Readonly<Record<KeyPairEvent['type'], true>> = {
  KeyPairCreated: true,
  KeyPairDeleted: true,
  KeyPairImported: true,
  KeyPairTagged: true,
  KeyPairUntagged: true,
};

it('has a stored sample of each event, kept for ever', () => {
  expect(samples.map(({ type }) => type).sort()).toEqual(Object.keys(types).sort());
});

it('understands its samples as they were stored', () => {
  const states = samples.map((_, i) =>
    fold(keyPairDecider, samples.slice(0, i + 1) as unknown as KeyPairEvent[], keyPairDecider.initialState),
  );
  expect(states).toEqual([
    { status: 'there', tags: { a: '1' } },
    { status: 'there', tags: { a: '1' } },
    { status: 'there', tags: { a: '1', b: '2' } },
    { status: 'there', tags: { b: '2' } },
    { status: 'deleted', tags: { b: '2' } },
  ]);
});
