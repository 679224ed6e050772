import { accountId, instanceId, instant, region, snapshotId, volumeId, type WrappedDataKey } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import { volumeDecider } from './volume.decider.ts';
import type { AttachmentStarted, VolumeCreated, VolumeDataKeyObtained, VolumeEvent } from './volume.events.ts';

const given = specification(volumeDecider);
const at = instant(new Date('2026-01-31T12:00:00Z'));
const id = volumeId('vol-0123456789abcdef0');
const holder = instanceId('i-0123456789abcdef0');
const other = instanceId('i-0fedcba9876543210');
const key: WrappedDataKey = {
  keyArn: 'arn:aws:kms:eu-central-1:111122223333:key/k',
  encryptedDataKey: 'AAAA',
  encryptionContext: { 'aws:ebs:id': id },
  dataKeyId: 'd1',
};
const fields = {
  volumeId: id,
  accountId: accountId('111122223333'),
  region: region('eu-central-1'),
  availabilityZone: 'eu-central-1a',
  availabilityZoneId: 'euc1-az1',
  volumeType: 'gp2',
  sizeGiB: 1,
  iops: 100,
  throughputMiBps: null,
  source: { snapshotId: snapshotId('snap-0123456789abcdef0'), owned: true, dataKey: null },
  encryption: { kmsKeyId: 'alias/k', chosenBy: 'request' },
  tags: { a: '1' },
  at,
} as const;
const created: VolumeCreated = { type: 'VolumeCreated', ...fields };
const keyed: VolumeDataKeyObtained = {
  type: 'VolumeDataKeyObtained',
  volumeId: id,
  dataKey: key,
  sourceDataKey: null,
  at,
};
const granted: VolumeEvent = { type: 'VolumeGrantCreated', volumeId: id, grantId: 'g1', at };
const provisioned: VolumeEvent = { type: 'VolumeProvisioned', volumeId: id, hostId: 'h1', at };
const failed: VolumeEvent = { type: 'VolumeCreationFailed', volumeId: id, cause: 'is disabled.', at };
const deleting: VolumeEvent = { type: 'VolumeDeletionStarted', volumeId: id, at };
const deleted: VolumeEvent = { type: 'VolumeDeleted', volumeId: id, at };
const attachment = {
  volumeId: id,
  instanceId: holder,
  hostId: 'h1',
  device: '/dev/sdf',
  deleteOnTermination: false,
  at,
};
const attaching: AttachmentStarted = { type: 'AttachmentStarted', ...attachment };
const attachGrant: VolumeEvent = {
  type: 'AttachmentGrantCreated',
  volumeId: id,
  instanceId: holder,
  grantId: 'g2',
  at,
};
const attached: VolumeEvent = { type: 'AttachmentCompleted', volumeId: id, instanceId: holder, at };
const reason = 'KeyUnusable' as const;
const attachFailed: VolumeEvent = {
  type: 'AttachmentFailed',
  volumeId: id,
  instanceId: holder,
  reason,
  cause: 'x',
  at,
};
const detaching: VolumeEvent = { type: 'DetachmentStarted', volumeId: id, instanceId: holder, deleteVolume: false, at };
const detached: VolumeEvent = { type: 'VolumeDetached', volumeId: id, instanceId: holder, at };
const ready = [created, keyed, granted, provisioned];

describe('creating a volume', () => {
  const recordKey = { type: 'RecordDataKey', volumeId: id, dataKey: key, sourceDataKey: null, at } as const;
  it('notes what was asked for', () =>
    given()
      .when({ type: 'CreateVolume', ...fields })
      .then(created));
  it('is done once', () =>
    given(created)
      .when({ type: 'CreateVolume', ...fields })
      .thenRefuses('VolumeAlreadyExists'));
  it('notes the data key before it is used', () => given(created).when(recordKey).then(keyed));
  it('never changes the data key', () => given(created, keyed).when(recordKey).thenRefuses('VolumeNotCreating'));
  it('takes no data key after its end', () => given(created, failed).when(recordKey).thenRefuses('VolumeNotCreating'));
  it('notes the grant once', () => {
    const command = { type: 'RecordGrant', volumeId: id, grantId: 'g1', at } as const;
    given(created, keyed).when(command).then(granted);
    given(created, keyed, granted).when(command).thenNothing();
    given(created, keyed, failed).when(command).thenRefuses('VolumeNotCreating');
  });
  it('ends available, once', () => {
    const command = { type: 'CompleteCreation', volumeId: id, hostId: 'h1', at } as const;
    given(created, keyed, granted).when(command).then(provisioned);
    given(...ready)
      .when(command)
      .thenNothing();
    given(created, failed).when(command).thenNothing();
    given().when(command).thenRefuses('VolumeNotFound');
  });
  it('fails once, and never after it succeeded', () => {
    const command = { type: 'FailCreation', volumeId: id, cause: 'is disabled.', at } as const;
    given(created).when(command).then(failed);
    given(created, failed).when(command).thenNothing();
    given(...ready)
      .when(command)
      .thenNothing();
  });
});

describe('deleting a volume', () => {
  const command = { type: 'DeleteVolume', volumeId: id, at } as const;
  it('starts on an available volume', () =>
    given(...ready)
      .when(command)
      .then(deleting));
  it.each([
    ['is refused while it is being created', [created], 'VolumeNotAvailable'],
    ['is refused while it is attached', [...ready, attaching, attached], 'VolumeInUse'],
    ['is refused while it is being attached', [...ready, attaching], 'VolumeInUse'],
    ['finds no volume that never was', [], 'VolumeNotFound'],
    ['finds no volume that is being deleted', [...ready, deleting], 'VolumeNotFound'],
    ['finds no volume that is gone', [...ready, deleting, deleted], 'VolumeNotFound'],
    ['finds no volume whose creation failed', [created, failed], 'VolumeNotFound'],
  ] as [string, VolumeEvent[], string][])('%s', (_name, history, code) =>
    given(...history)
      .when(command)
      .thenRefuses(code),
  );
  it('is completed once', () => {
    const complete = { type: 'CompleteDeletion', volumeId: id, at } as const;
    given(...ready, deleting)
      .when(complete)
      .then(deleted);
    given(...ready, deleting, deleted)
      .when(complete)
      .thenNothing();
    given(...ready)
      .when(complete)
      .thenNothing();
  });
});

describe('attaching a volume', () => {
  const attach = { type: 'AttachVolume', ...attachment } as const;
  it('starts on an available volume', () =>
    given(...ready)
      .when(attach)
      .then(attaching));
  it('starts again after it failed', () =>
    given(...ready, attaching, attachFailed)
      .when(attach)
      .then(attaching));
  it.each([
    ['is refused while it is being created', [created], 'VolumeNotAvailable'],
    ['is refused while somebody attaches it', [...ready, attaching], 'VolumeAlreadyAttached'],
    ['is refused while it is attached', [...ready, attaching, attached], 'VolumeAlreadyAttached'],
    ['is refused while it is being detached', [...ready, attaching, attached, detaching], 'VolumeAlreadyAttached'],
    ['finds no volume that is being deleted', [...ready, deleting], 'VolumeNotFound'],
  ] as [string, VolumeEvent[], string][])('%s', (_name, history, code) =>
    given(...history)
      .when(attach)
      .thenRefuses(code),
  );
  it('notes the grant of the attachment under way only', () => {
    const command = { type: 'RecordAttachmentGrant', volumeId: id, instanceId: holder, grantId: 'g2', at } as const;
    given(...ready, attaching)
      .when(command)
      .then(attachGrant);
    given(...ready, attaching, attachGrant)
      .when(command)
      .thenNothing();
    given(...ready, attaching, detaching)
      .when(command)
      .thenRefuses('AttachmentNotStarted');
    given(...ready, attaching)
      .when({ ...command, instanceId: other })
      .thenRefuses('AttachmentNotStarted');
  });
  it('is completed once', () => {
    const command = { type: 'CompleteAttachment', volumeId: id, instanceId: holder, at } as const;
    given(...ready, attaching)
      .when(command)
      .then(attached);
    given(...ready, attaching, attached)
      .when(command)
      .thenNothing();
    given(...ready, attaching, detaching)
      .when(command)
      .thenRefuses('AttachmentNotStarted');
    given(...ready, attaching, attachFailed)
      .when(command)
      .thenRefuses('AttachmentNotStarted');
  });
  it('fails only while it is under way', () => {
    const command = { type: 'FailAttachment', volumeId: id, instanceId: holder, reason, cause: 'x', at } as const;
    given(...ready, attaching)
      .when(command)
      .then(attachFailed);
    given(...ready, attaching, attached)
      .when(command)
      .thenNothing();
    given(...ready)
      .when(command)
      .thenNothing();
  });
});

describe('detaching a volume', () => {
  const detach = { type: 'DetachVolume', volumeId: id, at } as const;
  const inUse = [...ready, attaching, attached];
  it('starts on an attached volume', () =>
    given(...inUse)
      .when(detach)
      .then(detaching));
  it('starts when instance and device are right', () =>
    given(...inUse)
      .when({ ...detach, instanceId: holder, device: '/dev/sdf' })
      .then(detaching));
  it('is refused for another instance', () =>
    given(...inUse)
      .when({ ...detach, instanceId: other })
      .thenRefuses('AttachmentNotFound'));
  it('is refused for another device', () =>
    given(...inUse)
      .when({ ...detach, device: '/dev/sdg' })
      .thenRefuses('AttachmentNotFound'));
  it('is refused when not attached', () =>
    given(...ready)
      .when(detach)
      .thenRefuses('VolumeNotAttached'));
  it('is refused until it is attached', () =>
    given(...ready, attaching)
      .when(detach)
      .thenRefuses('VolumeNotAttached'));
  it('is started once', () =>
    given(...inUse, detaching)
      .when(detach)
      .thenNothing());
  it('finds no volume that is gone', () => given(created, failed).when(detach).thenRefuses('VolumeNotFound'));

  const complete = { type: 'CompleteDetachment', volumeId: id, instanceId: holder, at } as const;
  it('is completed once', () => {
    given(...inUse, detaching)
      .when(complete)
      .then(detached);
    given(...inUse, detaching, detached)
      .when(complete)
      .thenNothing();
    given(...inUse)
      .when(complete)
      .thenNothing();
  });
});

describe('the end of an instance', () => {
  const release = { type: 'ReleaseFromInstance', volumeId: id, instanceId: holder, at } as const;
  const complete = { type: 'CompleteDetachment', volumeId: id, instanceId: holder, at } as const;
  it('detaches what it held', () =>
    given(...ready, attaching, attached)
      .when(release)
      .then(detaching));
  it('stops what was being attached', () =>
    given(...ready, attaching)
      .when(release)
      .then(detaching));
  it('leaves what another instance holds', () =>
    given(...ready, attaching, attached)
      .when({ ...release, instanceId: other })
      .thenNothing());
  it('is handled once', () =>
    given(...ready, attaching, attached, detaching)
      .when(release)
      .thenNothing());
  it('deletes the volume where that was agreed', () => {
    const agreed = { ...attaching, deleteOnTermination: true };
    const toDelete = { ...detaching, deleteVolume: true };
    given(...ready, agreed, attached)
      .when(release)
      .then(toDelete);
    given(...ready, agreed, attached, toDelete)
      .when(complete)
      .then(detached, deleting);
  });
});

describe('tags', () => {
  const tag = { type: 'TagVolume', volumeId: id, tags: { b: '2' }, at } as const;
  const tagged: VolumeEvent = { type: 'VolumeTagged', volumeId: id, tags: { b: '2' }, at };
  it('are added', () => given(created).when(tag).then(tagged));
  it('that are there already change nothing', () => given(created, tagged).when(tag).thenNothing());
  it('are at most 50', () => {
    const tags = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${String(i)}`, '']));
    given(created)
      .when({ ...tag, tags })
      .thenRefuses('TagLimitExceeded');
  });
  it('are taken away', () =>
    given(created, tagged)
      .when({ type: 'UntagVolume', volumeId: id, removal: [{ key: 'a' }, { key: 'x' }], at })
      .then({ type: 'VolumeUntagged', volumeId: id, keys: ['a'], at }));
  it('that are not there need no taking away', () =>
    given(created)
      .when({ type: 'UntagVolume', volumeId: id, removal: [{ key: 'x' }], at })
      .thenNothing());
  it('are refused on a volume that is gone', () => given(created, failed).when(tag).thenRefuses('VolumeNotFound'));
});
