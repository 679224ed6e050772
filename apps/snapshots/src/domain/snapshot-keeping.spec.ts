import type { AccountId, Instant, Region, SnapshotId, VolumeId } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import { snapshotDecider } from './snapshot.decider.ts';
import type { SnapshotEvent } from './snapshot.events.ts';

const snapshotId = 'snap-0123456789abcdef0' as SnapshotId;
const owner = '111122223333' as AccountId;
const other = '444455556666' as AccountId;
const at = (day: number) => `2026-01-${String(day).padStart(2, '0')}T00:00:00.000Z` as Instant;
const started: SnapshotEvent = {
  type: 'SnapshotStarted',
  ...{ snapshotId, ownerId: owner, region: 'eu-central-1' as Region, volumeId: 'vol-0123456789abcdef0' as VolumeId },
  ...{ volumeSizeGiB: 8, dataKey: null, description: '', tags: {}, at: at(1) },
};
const completed: SnapshotEvent = { type: 'SnapshotCompleted', snapshotId, at: at(1) };
const lock = { mode: 'governance', durationDays: 5, createdOn: at(1), coolOff: null } as const;
const locked: SnapshotEvent = {
  ...{ type: 'SnapshotLocked', snapshotId, at: at(1) },
  lock: { ...lock, durationStart: at(1), expiresOn: at(6) },
};
const recycled: SnapshotEvent = { type: 'SnapshotRecycled', snapshotId, exitsAt: at(9), at: at(2) };
const archiving: SnapshotEvent = { type: 'SnapshotArchivalStarted', snapshotId, at: at(2) };
const archived: SnapshotEvent = { type: 'SnapshotArchived', snapshotId, at: at(2) };
const restoring: SnapshotEvent = { type: 'TierRestoreStarted', snapshotId, days: 3, at: at(3) };
const restored: SnapshotEvent = { type: 'TierRestoreCompleted', snapshotId, expiresAt: at(6), at: at(3) };
const fast = (account: AccountId): SnapshotEvent => ({
  ...{ type: 'FastRestoreEnabled', snapshotId, account, zone: 'eu-central-1a', zoneId: 'euc1-az1', at: at(1) },
});
const given = specification(snapshotDecider);
const remove = (day: number, retentionDays?: number) =>
  ({ type: 'DeleteSnapshot', snapshotId, retentionDays, at: at(day) }) as const;
const deletion = (day: number): SnapshotEvent => ({ type: 'SnapshotDeletionStarted', snapshotId, at: at(day) });

describe('a locked snapshot', () => {
  it('is not deleted before its lock expires', () => {
    given(started, completed, locked).when(remove(5)).thenRefuses('SnapshotIsLocked');
    given(started, completed, locked).when(remove(6)).then(deletion(6));
  });

  it('that was pending has its duration from its completion', () => {
    const pending: SnapshotEvent = { ...locked, lock: { ...lock, durationStart: null, expiresOn: null } };
    const began: SnapshotEvent = {
      type: 'SnapshotLockBegan',
      snapshotId,
      durationStart: at(2),
      expiresOn: at(7),
      at: at(2),
    };
    given(started, pending)
      .when({ type: 'CompleteSnapshot', snapshotId, at: at(2) })
      .then({ ...completed, at: at(2) }, began);
  });

  it('is not one that is about to go', () => {
    const requested: SnapshotEvent = { type: 'SnapshotDeletionRequested', snapshotId, at: at(1) };
    given(started, requested)
      .when({ type: 'LockSnapshot', snapshotId, mode: 'governance', coolOffHours: null, until: { days: 1 }, at: at(1) })
      .thenRefuses('SnapshotNotCompleted');
  });
});

describe('a snapshot in the Recycle Bin', () => {
  it('is put there by a rule, and not what failed', () => {
    given(started, completed).when(remove(2, 7)).then(recycled);
    const failed: SnapshotEvent = { type: 'SnapshotFailed', snapshotId, message: '', cause: '', at: at(1) };
    given(started, failed).when(remove(2, 7)).then(deletion(2));
  });

  it('goes there when it is completed, if it was deleted before', () => {
    const requested: SnapshotEvent = { type: 'SnapshotDeletionRequested', snapshotId, retentionDays: 7, at: at(1) };
    given(started).when(remove(1, 7)).then(requested);
    given(started, requested)
      .when({ type: 'CompleteSnapshot', snapshotId, at: at(2) })
      .then({ ...completed, at: at(2) }, recycled);
  });

  it('is of no use but for its owner’s tags, is given back, or leaves when its time is over', () => {
    const tag = { type: 'TagSnapshot', snapshotId, tags: { a: '1' }, at: at(3) } as const;
    given(started, completed, recycled)
      .when({ ...tag, viewer: other })
      .thenRefuses('SnapshotNotFound');
    given(started, completed, recycled)
      .when(tag)
      .then({ type: 'SnapshotTagged', snapshotId, tags: { a: '1' }, at: at(3) });
    given(started, completed, recycled).when(remove(3)).thenRefuses('SnapshotNotFound');
    const restore = (day: number) => ({ type: 'RestoreFromBin', snapshotId, at: at(day) }) as const;
    const returned: SnapshotEvent = { type: 'SnapshotRestoredFromBin', snapshotId, at: at(8) };
    given(started, completed, recycled).when(restore(8)).then(returned);
    given(started, completed, recycled, returned).when(remove(9)).then(deletion(9));
    given(started, completed, recycled).when(restore(9)).thenRefuses('SnapshotNotInBin');
    const leave = (day: number) => ({ type: 'LeaveBin', snapshotId, at: at(day) }) as const;
    given(started, completed, recycled).when(leave(8)).thenNothing();
    given(started, completed, recycled).when(leave(9)).then(deletion(9));
    given(started, completed).when(leave(9)).thenNothing();
  });
});

describe('an archived snapshot', () => {
  const archive = { type: 'ArchiveSnapshot', snapshotId, at: at(2) } as const;

  it('is archived once, complete, and ends fast restores', () => {
    given(started).when(archive).thenRefuses('SnapshotNotCompleted');
    given(started, completed, archiving).when(archive).thenRefuses('SnapshotNotInStandardTier');
    const ends: SnapshotEvent = {
      type: 'FastRestoreDisabled',
      snapshotId,
      account: owner,
      zone: 'eu-central-1a',
      reason: 'archived',
      disabledAt: '2026-01-02T00:00:02.000Z' as Instant,
      at: at(2),
    };
    given(started, completed, fast(owner)).when(archive).then(archiving, ends);
  });

  it('is not shared, nor restored from fast', () => {
    given(started, completed, archiving, archived)
      .when({ ...{ type: 'ShareSnapshot', snapshotId, accounts: [other], public: false, at: at(3) }, keyManagedByAws: false, publicSharingBlocked: false })
      .thenRefuses('SnapshotNotInStandardTier'); // prettier-ignore
    given(started, completed, archiving, archived)
      .when({ type: 'EnableFastRestore', snapshotId, account: owner, zone: 'z', zoneId: 'z1', at: at(3) })
      .thenRefuses('SnapshotNotInStandardTier');
  });

  it('is restored for a time, which can be changed, or for good', () => {
    const restore = (days: number | null) => ({ type: 'RestoreTier', snapshotId, days, at: at(3) }) as const;
    given(started, completed).when(restore(3)).thenRefuses('SnapshotNotArchived');
    given(started, completed, archiving, archived).when(restore(181)).thenRefuses('RestoreDaysOutOfRange');
    given(started, completed, archiving, archived).when(restore(3)).then(restoring);
    given(started, completed, archiving, archived, restoring)
      .when({ type: 'CompleteTierRestore', snapshotId, at: at(3) })
      .then(restored);
    given(started, completed, archiving, archived, restoring, restored)
      .when(restore(5))
      .then({ type: 'TierRestoreProlonged', snapshotId, days: 5, expiresAt: at(8), at: at(3) });
    given(started, completed, archiving, archived, restoring, restored)
      .when(restore(null))
      .then({ type: 'TierRestoreStarted', snapshotId, days: null, at: at(3) });
  });

  it('returns to the archive when the time is over', () => {
    const expire = (day: number) => ({ type: 'ExpireTierRestore', snapshotId, at: at(day) }) as const;
    const history = [started, completed, archiving, archived, restoring, restored];
    given(...history)
      .when(expire(5))
      .thenNothing();
    given(...history)
      .when(expire(6))
      .then({ type: 'TierRestoreExpired', snapshotId, at: at(6) });
  });

  it('can be deleted, after which its moving ends nowhere', () => {
    given(started, completed, archiving).when(remove(3)).then(deletion(3));
    given(started, completed, archiving, deletion(3))
      .when({ type: 'CompleteArchival', snapshotId, at: at(3) })
      .thenNothing();
  });
});

describe('fast restores', () => {
  it('end with the sharing that they came with, and with the snapshot', () => {
    const shared: SnapshotEvent = { type: 'SnapshotShared', snapshotId, accounts: [other], public: false, at: at(1) };
    const ended = (account: AccountId): SnapshotEvent => ({
      ...{ type: 'FastRestoreDisabled', snapshotId, account, zone: 'eu-central-1a' },
      ...{ reason: 'lost', disabledAt: '2026-01-02T00:00:02.000Z' as Instant, at: at(2) },
    });
    const history = [started, completed, shared, fast(owner), fast(other)];
    given(...history)
      .when({ type: 'UnshareSnapshot', snapshotId, accounts: [other], public: false, at: at(2) })
      .then({ type: 'SnapshotUnshared', snapshotId, accounts: [other], public: false, at: at(2) }, ended(other));
    given(...history)
      .when(remove(2))
      .then(ended(owner), ended(other), deletion(2));
  });
});
