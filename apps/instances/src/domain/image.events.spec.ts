import { fold } from '@holdfast/decider';
import { expect, it } from 'vitest';
import { imageDecider, keyArnsOf } from './image.decider.ts';
import samples from './image.events.v1.json' with { type: 'json' };
import type { ImageEvent } from './image.events.ts';

/** A name that is missing here, or one too many, does not compile. */
const types: Readonly<Record<ImageEvent['type'], true>> = {
  AmazonImageProvided: true,
  ImageCompleted: true,
  ImageCopyStarted: true,
  ImageCreationStarted: true,
  ImageDeprecationCancelled: true,
  ImageDeprecationSet: true,
  ImageDeregistered: true,
  ImageDescriptionChanged: true,
  ImageDisabled: true,
  ImageEnabled: true,
  ImageFailed: true,
  ImageProtected: true,
  ImageRecycled: true,
  ImageRegistered: true,
  ImageRestoredFromBin: true,
  ImageShared: true,
  ImageTagged: true,
  ImageUnprotected: true,
  ImageUnshared: true,
  ImageUntagged: true,
};

it('has a stored sample of each event, kept for ever', () => {
  expect(samples.map(({ type }) => type).sort()).toEqual(Object.keys(types).sort());
});

it('understands its samples as they were stored', () => {
  const states = samples.map((_, i) =>
    fold(imageDecider, samples.slice(0, i + 1) as unknown as ImageEvent[], imageDecider.initialState),
  );
  expect(states.map(({ status }) => status)).toEqual([
    'available', 'available', 'pending', 'failed', 'pending', 'available', 'available', 'available', 'available',
    'available', 'available', 'deregistered', 'deregistered', 'deregistered', 'disabled', 'available', 'available',
    'available', 'recycled', 'available',
  ]); // prettier-ignore
  expect(states[0]?.launchPermission.public).toBe(true);
  expect(states[1] && keyArnsOf(states[1])).toEqual(['arn:aws:kms:eu-central-1:111122223333:key/k']);
  expect(states[6]?.description).toBe('new');
  expect(states[8]).toMatchObject({
    launchPermission: { accounts: ['444455556666'], public: true },
    tags: { '444455556666': { b: '2' } },
  });
  expect(states[10]).toMatchObject({ launchPermission: { accounts: [], public: true }, tags: { '444455556666': {} } });
});
