import { fold } from '@holdfast/decider';
import { expect, it } from 'vitest';
import { snapshotDecider } from './snapshot.decider.ts';
import samples from './snapshot.events.v1.json' with { type: 'json' };
import type { SnapshotEvent } from './snapshot.events.ts';

/** A name that is missing here, or one too many, does not compile. */
const types: Readonly<Record<SnapshotEvent['type'], true>> = {
  AmazonSnapshotProvided: true,
  PreviousCopyChosen: true,
  CopyDataKeyObtained: true,
  CopyGrantCreated: true,
  SnapshotCompleted: true,
  SnapshotCopyStarted: true,
  SnapshotDeleted: true,
  SnapshotDeletionRequested: true,
  SnapshotDeletionStarted: true,
  SnapshotFailed: true,
  SnapshotProgressed: true,
  SnapshotShared: true,
  SnapshotStarted: true,
  SnapshotTagged: true,
  SnapshotTaggedByViewer: true,
  SnapshotUnshared: true,
  SnapshotUntagged: true,
  SnapshotUntaggedByViewer: true,
  SnapshotLocked: true,
  SnapshotLockBegan: true,
  SnapshotUnlocked: true,
  FastRestoreEnabled: true,
  FastRestoreUsed: true,
  FastRestoreDisabled: true,
  SnapshotArchivalStarted: true,
  SnapshotArchivalFailed: true,
  SnapshotArchived: true,
  TierRestoreStarted: true,
  TierRestoreFailed: true,
  TierRestoreCompleted: true,
  TierRestoreProlonged: true,
  TierRestoreExpired: true,
  SnapshotRecycled: true,
  SnapshotRestoredFromBin: true,
};

it('has a stored sample of each event, kept for ever', () => {
  expect(samples.map(({ type }) => type).sort()).toEqual(Object.keys(types).sort());
});

it('understands its samples as they were stored', () => {
  const states = samples.map((_, i) =>
    fold(snapshotDecider, samples.slice(0, i + 1) as unknown as SnapshotEvent[], snapshotDecider.initialState),
  );
  expect(states.map(({ status }) => status)).toEqual([
    'pending', 'pending', 'pending', 'pending', 'pending', 'pending', 'pending', 'pending', 'pending', 'pending',
    'pending', 'pending', 'error', 'completed', 'deleting', 'gone', 'completed',
    ...Array.from({ length: 14 }, () => 'completed'), 'recycled', 'completed', 'completed',
  ]); // prettier-ignore
  expect(states[18]?.lock).toMatchObject({ mode: 'compliance', expiresOn: '2026-03-02T12:00:00.000Z' });
  expect(states[19]?.lock).toBeNull();
  expect(Object.values(states[22]?.fastRestores ?? {})).toMatchObject([{ zone: 'eu-central-1a', credits: 9 }]);
  expect(states[29]?.tier).toMatchObject({ stage: 'restored', restoreDays: 7 });
  expect(states[31]?.exitsAt).toBe('2026-02-07T12:00:00.000Z');
  expect(states[33]?.previousCopy).toBe('snap-0fedcba9876543210');
  expect(states[16]).toMatchObject({ started: { ownerId: '137112412989' }, sharing: { public: true } });
  expect(states[0]).toMatchObject({ started: { volumeSizeGiB: 8 }, tags: { Name: 'data' } });
  expect(states[4]).toMatchObject({ progress: 50, grants: [{ purpose: 'destination', grantId: 'g1' }] });
  expect(states[3]?.dataKey?.encryptionContext).toEqual({ 'aws:ebs:id': 'snap-0123456789abcdef0' });
  expect(states[7]?.sharing).toEqual({ accounts: ['444455556666', '777788889999'], public: true });
  expect(states[11]).toMatchObject({
    deletionRequested: true,
    tags: { b: '2' },
    sharing: { accounts: ['444455556666'], public: false },
  });
  expect(states[11]?.viewerTags).toEqual({ '444455556666': { theirs: '1' } });
});
