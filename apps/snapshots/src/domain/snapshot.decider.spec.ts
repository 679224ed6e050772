import { accountId, instant, region, snapshotId, volumeId, type WrappedDataKey } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import { snapshotDecider } from './snapshot.decider.ts';
import type { CopyGrant, SnapshotCopyStarted, SnapshotEvent, SnapshotStarted } from './snapshot.events.ts';

const given = specification(snapshotDecider);
const at = instant(new Date('2026-01-31T12:00:00Z'));
const id = snapshotId('snap-0123456789abcdef0');
const key: WrappedDataKey = {
  keyArn: 'arn:aws:kms:eu-central-1:111122223333:key/k',
  encryptedDataKey: 'AAAA',
  encryptionContext: { 'aws:ebs:id': id },
  dataKeyId: 'd1',
};
const shared = {
  snapshotId: id,
  ownerId: accountId('111122223333'),
  region: region('eu-central-1'),
  volumeSizeGiB: 1,
  description: '',
  tags: { a: '1' },
  at,
};
const ofVolume = { ...shared, volumeId: volumeId('vol-0123456789abcdef0'), dataKey: key };
const source = { snapshotId: id, region: shared.region, status: 'completed', dataKey: null } as const;
const ofCopy = { ...shared, source, keyArn: key.keyArn };
const started: SnapshotStarted = { type: 'SnapshotStarted', ...ofVolume };
const copying: SnapshotCopyStarted = { type: 'SnapshotCopyStarted', ...ofCopy };
const keyed: SnapshotEvent = { type: 'CopyDataKeyObtained', snapshotId: id, dataKey: key, at };
const grant: CopyGrant = { purpose: 'destination', keyArn: key.keyArn, region: shared.region, grantId: 'g1' };
const granted: SnapshotEvent = { type: 'CopyGrantCreated', snapshotId: id, grant, at };
const progressed = (progress: number): SnapshotEvent => ({ type: 'SnapshotProgressed', snapshotId: id, progress, at });
const completed: SnapshotEvent = { type: 'SnapshotCompleted', snapshotId: id, at };
const failed: SnapshotEvent = { type: 'SnapshotFailed', snapshotId: id, message: 'm', cause: 'c', at };
const requested: SnapshotEvent = { type: 'SnapshotDeletionRequested', snapshotId: id, at };
const deleting: SnapshotEvent = { type: 'SnapshotDeletionStarted', snapshotId: id, at };
const deleted: SnapshotEvent = { type: 'SnapshotDeleted', snapshotId: id, at };

describe('a snapshot', () => {
  it('of a volume goes on with its data key', () =>
    given()
      .when({ type: 'CreateSnapshot', ...ofVolume })
      .then(started));
  it('of a snapshot is a copy', () =>
    given()
      .when({ type: 'CopySnapshot', ...ofCopy })
      .then(copying));
  it('is started once', () => {
    given(started)
      .when({ type: 'CreateSnapshot', ...ofVolume })
      .thenRefuses('SnapshotAlreadyExists');
    given(started)
      .when({ type: 'CopySnapshot', ...ofCopy })
      .thenRefuses('SnapshotAlreadyExists');
  });
});

describe("a copy's keys", () => {
  const recordKey = { type: 'RecordDataKey', snapshotId: id, dataKey: key, at } as const;
  const recordGrant = { type: 'RecordGrant', snapshotId: id, grant, at } as const;
  it('are noted before they are used', () => {
    given(copying).when(recordKey).then(keyed);
    given(copying, keyed).when(recordGrant).then(granted);
  });
  it('are those of the copy before once that one is chosen', () => {
    const [previousCopy, other] = [snapshotId('snap-0fedcba9876543210'), id];
    const choose = { type: 'ChoosePreviousCopy', snapshotId: id, previousCopy, at } as const;
    const chosen: SnapshotEvent = { type: 'PreviousCopyChosen', snapshotId: id, previousCopy, at };
    given(copying).when(choose).then(chosen);
    given(copying, chosen)
      .when({ ...choose, previousCopy: other })
      .thenRefuses('SnapshotNotPending');
    given(copying, keyed).when(choose).thenRefuses('SnapshotNotPending');
    given(copying, chosen, granted).when(recordKey).then(keyed);
  });
  it('are noted once', () => {
    given(copying, keyed).when(recordKey).thenRefuses('SnapshotNotPending');
    given(copying, keyed, granted).when(recordGrant).thenNothing();
  });
  it('are not noted after its end', () => {
    given(copying, failed).when(recordKey).thenRefuses('SnapshotNotPending');
    given(copying, failed).when(recordGrant).thenRefuses('SnapshotNotPending');
  });
  it('are never given to the snapshot of a volume', () =>
    given(started).when(recordKey).thenRefuses('SnapshotNotPending'));
});

describe('the progress of a snapshot', () => {
  const record = (progress: number) => ({ type: 'RecordProgress', snapshotId: id, progress, at }) as const;
  it('is noted in steps of five percent', () => {
    given(started).when(record(4)).thenNothing();
    given(started).when(record(5.7)).then(progressed(5));
    given(started, progressed(5)).when(record(9)).thenNothing();
    given(started, progressed(5)).when(record(10)).then(progressed(10));
  });
  it('never goes back, and reaches 100 only at the end', () => {
    given(started, progressed(50)).when(record(20)).thenNothing();
    given(started).when(record(100)).then(progressed(99));
    given(started, completed).when(record(50)).thenNothing();
  });
  it('ends once', () => {
    const complete = { type: 'CompleteSnapshot', snapshotId: id, at } as const;
    const fail = { type: 'FailSnapshot', snapshotId: id, message: 'm', cause: 'c', at } as const;
    given(started).when(complete).then(completed);
    given(started).when(fail).then(failed);
    given(started, completed).when(fail).thenNothing();
    given(started, failed).when(complete).thenNothing();
    given().when(complete).thenRefuses('SnapshotNotFound');
  });
});

describe('deleting a snapshot', () => {
  const remove = { type: 'DeleteSnapshot', snapshotId: id, at } as const;
  it('starts on a completed or failed one', () => {
    given(started, completed).when(remove).then(deleting);
    given(started, failed).when(remove).then(deleting);
  });
  it('waits for the end of a pending one', () => {
    given(started).when(remove).then(requested);
    given(started, requested).when(remove).thenNothing();
    given(started, requested).when({ type: 'CompleteSnapshot', snapshotId: id, at }).then(completed, deleting);
    given(started, requested)
      .when({ type: 'FailSnapshot', snapshotId: id, message: 'm', cause: 'c', at })
      .then(failed, deleting);
  });
  it('finds none that is gone', () => {
    given().when(remove).thenRefuses('SnapshotNotFound');
    given(started, completed, deleting).when(remove).thenRefuses('SnapshotNotFound');
    given(started, completed, deleting, deleted).when(remove).thenRefuses('SnapshotNotFound');
  });
  it('is completed once', () => {
    const complete = { type: 'CompleteDeletion', snapshotId: id, at } as const;
    given(started, completed, deleting).when(complete).then(deleted);
    given(started, completed, deleting, deleted).when(complete).thenNothing();
    given(started, completed).when(complete).thenNothing();
  });
});

describe('tags', () => {
  const tag = { type: 'TagSnapshot', snapshotId: id, tags: { b: '2' }, at } as const;
  const tagged: SnapshotEvent = { type: 'SnapshotTagged', snapshotId: id, tags: { b: '2' }, at };
  it('are added, once', () => {
    given(started).when(tag).then(tagged);
    given(started, tagged).when(tag).thenNothing();
  });
  it('are at most 50', () => {
    const tags = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${String(i)}`, '']));
    given(started)
      .when({ ...tag, tags })
      .thenRefuses('TagLimitExceeded');
  });
  it('are taken away', () => {
    const untagged: SnapshotEvent = { type: 'SnapshotUntagged', snapshotId: id, keys: ['a'], at };
    given(started).when({ type: 'UntagSnapshot', snapshotId: id, removal: 'all', at }).then(untagged);
    given(started, untagged).when({ type: 'UntagSnapshot', snapshotId: id, removal: 'all', at }).thenNothing();
  });
  it('are refused on a snapshot that is gone', () =>
    given(started, completed, deleting).when(tag).thenRefuses('SnapshotNotFound'));
});
