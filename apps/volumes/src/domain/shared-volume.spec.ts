import { accountId, instanceId, type InstanceId, instant, newInstanceId, region, volumeId } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import { volumeDecider } from './volume.decider.ts';
import type { VolumeCreated, VolumeEvent } from './volume.events.ts';

const given = specification(volumeDecider);
const at = instant(new Date('2026-01-31T12:00:00Z'));
const id = volumeId('vol-0123456789abcdef0');
const [a, b] = [instanceId('i-0123456789abcdef0'), instanceId('i-0fedcba9876543210')];
const alone: VolumeCreated = {
  type: 'VolumeCreated',
  volumeId: id,
  accountId: accountId('111122223333'),
  region: region('eu-central-1'),
  availabilityZone: 'eu-central-1a',
  availabilityZoneId: 'euc1-az1',
  volumeType: 'io2',
  sizeGiB: 8,
  iops: 500,
  throughputMiBps: null,
  source: null,
  encryption: null,
  tags: {},
  at,
};
const created: VolumeCreated = { ...alone, multiAttachEnabled: true };
const provisioned: VolumeEvent = { type: 'VolumeProvisioned', volumeId: id, hostId: 'h1', at };
const device = { hostId: 'h1', device: '/dev/sdf', isRoot: false };
const of = (instance: InstanceId) => ({ volumeId: id, instanceId: instance, at });
const attach = (instance: InstanceId) =>
  ({ type: 'AttachVolume', ...of(instance), ...device, deleteOnTermination: false }) as const;
const started = (instance: InstanceId, deleteOnTermination = false): VolumeEvent => ({
  type: 'AttachmentStarted',
  ...of(instance),
  ...device,
  deleteOnTermination,
});
const completed = (instance: InstanceId): VolumeEvent => ({ type: 'AttachmentCompleted', ...of(instance) });
const attached = (instance: InstanceId, ends = false) => [started(instance, ends), completed(instance)];
const detaching = (instance: InstanceId, deleteVolume = false): VolumeEvent => ({
  type: 'DetachmentStarted',
  ...of(instance),
  deleteVolume,
});
const detached = (instance: InstanceId): VolumeEvent => ({ type: 'VolumeDetached', ...of(instance) });
const both = [created, provisioned, ...attached(a), ...attached(b)];

describe('a volume that several instances share', () => {
  it('is attached to one after the other, and to each once', () => {
    given(created, provisioned, ...attached(a))
      .when(attach(b))
      .then(started(b));
    given(created, provisioned, started(a)).when(attach(b)).then(started(b));
    given(...both)
      .when(attach(b))
      .thenRefuses('VolumeAlreadyAttached');
    given(alone, provisioned, ...attached(a))
      .when(attach(b))
      .thenRefuses('VolumeAlreadyAttached');
  });

  it('is attached to sixteen at most', () => {
    const many = Array.from({ length: 16 }, () => attached(newInstanceId())).flat();
    given(created, provisioned, ...many)
      .when(attach(a))
      .thenRefuses('MultiAttachLimitExceeded');
    given(created, provisioned, ...many.slice(2))
      .when(attach(a))
      .then(started(a));
  });

  it('is detached from the one that is named, and must be', () => {
    const detach = { type: 'DetachVolume', volumeId: id, at } as const;
    given(...both)
      .when({ ...detach, instanceId: a })
      .then(detaching(a));
    given(...both)
      .when(detach)
      .thenRefuses('InstanceIdMissing');
    given(...both, detaching(a), detached(a))
      .when({ ...detach, instanceId: a })
      .thenRefuses('AttachmentNotFound');
    given(...both, detaching(a), detached(a))
      .when({ type: 'DeleteVolume', volumeId: id, at })
      .thenRefuses('VolumeInUse');
  });

  it('keeps the others when one attachment fails', () => {
    const failed: VolumeEvent = { type: 'AttachmentFailed', ...of(b), reason: 'KeyUnusable', cause: 'no' };
    given(created, provisioned, ...attached(a), started(b), failed)
      .when({ type: 'DeleteVolume', volumeId: id, at })
      .thenRefuses('VolumeInUse');
  });

  it('ends with the last of its instances, if that one was to take it along', () => {
    const release = (instance: InstanceId) => ({ type: 'CompleteDetachment', ...of(instance) }) as const;
    const history = [created, provisioned, ...attached(a, true), ...attached(b, true)];
    given(...history, detaching(a, true), detaching(b, true))
      .when(release(a))
      .then(detached(a));
    given(...history, detaching(a, true), detaching(b, true), detached(a))
      .when(release(b))
      .then(detached(b), { type: 'VolumeDeletionStarted', volumeId: id, at });
  });

  it('becomes one, and ceases to be one, only while it is not attached', () => {
    const modify = (multiAttachEnabled: boolean) =>
      ({ type: 'ModifyVolume', volumeId: id, request: { multiAttachEnabled }, at }) as const;
    given(alone, provisioned, ...attached(a))
      .when(modify(true))
      .thenRefuses('MultiAttachInUse');
    given(...both)
      .when(modify(false))
      .thenRefuses('MultiAttachInUse');
    const whole = { volumeType: 'io2', sizeGiB: 8, iops: 500, throughputMiBps: null } as const;
    const begun: VolumeEvent = {
      type: 'ModificationStarted',
      volumeId: id,
      original: { ...whole, multiAttachEnabled: false },
      target: { ...whole, multiAttachEnabled: true },
      at,
    };
    given(alone, provisioned).when(modify(true)).then(begun);
    given(alone, provisioned, begun).when(attach(a)).thenRefuses('VolumeNotAvailable');
    const effective: VolumeEvent = { type: 'ModificationTookEffect', volumeId: id, at };
    given(alone, provisioned, begun, effective, ...attached(a))
      .when(attach(b))
      .then(started(b));
  });
});

describe("EBS's own grant", () => {
  const grant: VolumeEvent = { type: 'VolumeGrantCreated', volumeId: id, grantId: 'g1', at };
  const retire = { type: 'NoteGrantRetired', volumeId: id, at } as const;
  const retired: VolumeEvent = { type: 'VolumeGrantRetired', volumeId: id, at };

  it('ends with the creation, except where an instance was launched with the volume', () => {
    given(created, grant, provisioned).when(retire).thenNothing();
    given({ ...created, keepsGrant: true }, grant, provisioned)
      .when(retire)
      .then(retired);
  });

  it('is made again for an attachment, once', () => {
    const record = { type: 'RecordGrant', volumeId: id, grantId: 'g2', at } as const;
    const again: VolumeEvent = { ...grant, grantId: 'g2' };
    given(created, grant, provisioned).when(record).thenRefuses('VolumeNotCreating');
    given(created, grant, provisioned, started(a)).when(record).then(again);
    given(created, grant, provisioned, started(a), again).when(record).thenNothing();
    given(created, grant, provisioned, started(a), again, retired).when(retire).thenNothing();
  });
});
