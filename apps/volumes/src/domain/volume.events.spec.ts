import { fold } from '@holdfast/decider';
import { expect, it } from 'vitest';
import { volumeDecider } from './volume.decider.ts';
import samples from './volume.events.v1.json' with { type: 'json' };
import type { VolumeEvent } from './volume.events.ts';

/** A name that is missing here, or one too many, does not compile. */
const types: Readonly<Record<VolumeEvent['type'], true>> = {
  AttachmentCompleted: true,
  AttachmentFailed: true,
  AttachmentGrantCreated: true,
  AttachmentResumed: true,
  ReattachmentFailed: true,
  AttachmentStarted: true,
  AttachmentSuspended: true,
  AutoEnableIoChanged: true,
  DeleteOnTerminationChanged: true,
  DetachmentStarted: true,
  ModificationCompleted: true,
  ModificationFailed: true,
  ModificationStarted: true,
  ModificationTookEffect: true,
  VolumeCreated: true,
  VolumeCreationFailed: true,
  VolumeDataKeyObtained: true,
  VolumeDeleted: true,
  VolumeDeletionStarted: true,
  VolumeDetached: true,
  VolumeGrantCreated: true,
  VolumeGrantRetired: true,
  VolumeInitialized: true,
  VolumeProvisioned: true,
  VolumeRecycled: true,
  VolumeRestoredFromBin: true,
  VolumeRetentionWaived: true,
  VolumeTagged: true,
  VolumeUntagged: true,
};

it('has a stored sample of each event, kept for ever', () => {
  expect(samples.map(({ type }) => type).sort()).toEqual(Object.keys(types).sort());
});

it('understands its samples as they were stored', () => {
  const states = samples.map((_, i) =>
    fold(volumeDecider, samples.slice(0, i + 1) as unknown as VolumeEvent[], volumeDecider.initialState),
  );
  expect(states.map(({ status }) => status)).toEqual([
    'creating', 'creating', 'creating', 'available', 'available', 'available', 'in-use', 'available', 'available',
    'available', 'available', 'available', 'available', 'available', 'available', 'available', 'available', 'available', 'available', 'available', 'available', 'deleting',
    'gone', 'gone', 'gone', 'recycled', 'available', 'available', 'available',
  ]); // prettier-ignore
  expect(states[3]).toMatchObject({
    created: { sizeGiB: 8, source: { dataKey: { dataKeyId: states[3]?.dataKey?.dataKeyId } } },
    grantId: null,
  });
  expect(states[2]?.grantId).toBe('g1');
  const modified = states.map(({ modification, configuration }) => [modification?.state, configuration?.sizeGiB]);
  expect(modified.slice(15, 19)).toEqual([
    ['modifying', 8],
    ['optimizing', 16],
    ['completed', 16],
    ['failed', 16],
  ]);
  expect(states[19]).toMatchObject({ autoEnableIo: true, modificationTimes: ['2026-01-31T12:00:00.000Z'] });
  expect(states[5]?.tags).toEqual({ Name: 'data', b: '2' });
  expect(states[6]?.attachments[0]).toMatchObject({
    instanceId: 'i-0123456789abcdef0',
    device: '/dev/sdf',
    status: 'attaching',
  });
});
