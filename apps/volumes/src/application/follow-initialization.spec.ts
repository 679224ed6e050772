import { fold } from '@holdfast/decider';
import { testContext } from '@holdfast/messaging/testing';
import { describe, expect, it } from 'vitest';
import { volumeDecider } from '../domain/volume.decider.ts';
import samples from '../domain/volume.events.v1.json' with { type: 'json' };
import type { VolumeEvent } from '../domain/volume.events.ts';
import { FollowInitialization } from './follow-initialization.ts';

const [created] = samples as unknown as VolumeEvent[];
if (created?.type !== 'VolumeCreated' || created.source === null) throw new Error('the first sample has a source');
const { volumeId, at } = created;
const provisioned: VolumeEvent = { type: 'VolumeProvisioned', volumeId, hostId: 'h1', at };
const AGE_MS = 60_000;

/** What the step does to a volume of these events, whose host says this, and what it asks to be called again in. */
const step = async (progress: number, events: VolumeEvent[], ageMs = AGE_MS) => {
  const appended: VolumeEvent[] = [];
  let asked = 0;
  const now = new Date(Date.parse(at) + ageMs);
  const state = fold(volumeDecider, events, volumeDecider.initialState);
  const follow = new FollowInitialization(
    {
      load: () => Promise.resolve(state),
      handle: (command: Parameters<typeof volumeDecider.decide>[0]) => {
        appended.push(...volumeDecider.decide(command, state));
        return Promise.resolve(state);
      },
    } as never,
    {
      call: () => {
        asked += 1;
        return Promise.resolve({ initializations: [{ volumeId, progress, secondsLeft: null }] });
      },
    } as never,
    { now: () => now, instant: () => now.toISOString() } as never,
  );
  const caller = { ...testContext() };
  const again = await follow.run(volumeId, { caller } as never);
  return { types: appended.map(({ type }) => type), again: again?.retryAfterMs, asked };
};

describe('the initialization of a volume', () => {
  it('is noted when all blocks of its snapshot are there, and once', async () => {
    const done = { types: ['VolumeInitialized'], again: undefined, asked: 1 };
    expect(await step(100, [created, provisioned])).toEqual(done);
    expect(await step(100, [created, provisioned, { type: 'VolumeInitialized', volumeId, at }])).toMatchObject({
      types: [],
      asked: 0,
    });
  });

  it('is waited for, first often and then every few seconds', async () => {
    expect(await step(40, [created, provisioned], 0)).toEqual({ types: [], again: 250, asked: 1 });
    expect(await step(99, [created, provisioned])).toEqual({ types: [], again: 5_000, asked: 1 });
  });

  it.each<[string, VolumeEvent[]]>([
    ['of no snapshot', [{ ...created, source: null }, provisioned]],
    ['of a fast snapshot restore', [{ ...created, fastRestored: true }, provisioned]],
    ['that is going', [created, provisioned, { type: 'VolumeDeletionStarted', volumeId, at }]],
  ])('is nothing to a volume %s', async (_, events) => {
    expect(await step(100, events)).toEqual({ types: [], again: undefined, asked: 0 });
  });
});
