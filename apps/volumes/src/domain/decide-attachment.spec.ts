import { accountId, instanceId, instant, region, volumeId } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import { volumeDecider } from './volume.decider.ts';
import type { VolumeEvent } from './volume.events.ts';

const given = specification(volumeDecider);
const at = instant(new Date('2026-01-31T12:00:00Z'));
const id = volumeId('vol-0123456789abcdef0');
const holder = instanceId('i-0123456789abcdef0');
const of = { volumeId: id, instanceId: holder, at };
const created: VolumeEvent = {
  type: 'VolumeCreated',
  volumeId: id,
  accountId: accountId('111122223333'),
  region: region('eu-central-1'),
  availabilityZone: 'eu-central-1a',
  availabilityZoneId: 'euc1-az1',
  volumeType: 'gp2',
  sizeGiB: 200,
  iops: 600,
  throughputMiBps: null,
  source: null,
  encryption: null,
  tags: {},
  at,
};
const provisioned: VolumeEvent = { type: 'VolumeProvisioned', volumeId: id, hostId: 'h1', at };
const attaching = (isRoot: boolean): VolumeEvent => ({
  type: 'AttachmentStarted',
  ...of,
  hostId: 'h1',
  device: '/dev/xvda',
  deleteOnTermination: false,
  isRoot,
});
const attached: VolumeEvent = { type: 'AttachmentCompleted', ...of };
const suspended: VolumeEvent = { type: 'AttachmentSuspended', ...of };
const resumed: VolumeEvent = { type: 'AttachmentResumed', ...of };
const granted: VolumeEvent = { type: 'AttachmentGrantCreated', ...of, grantId: 'g1' };
const running = [created, provisioned, attaching(false), granted, attached];

describe('an attachment', () => {
  const suspend = { type: 'SuspendAttachment', ...of } as const;
  const resume = { type: 'ResumeAttachment', ...of } as const;

  it('is suspended and resumed once', () => {
    given(...running)
      .when(suspend)
      .then(suspended);
    given(...running, suspended)
      .when(suspend)
      .thenNothing();
    given(...running, suspended)
      .when(resume)
      .then(resumed);
    given(...running, suspended, resumed)
      .when(resume)
      .thenNothing();
  });

  it('gets a fresh grant while it is suspended, which a failed start takes back', () => {
    const grant = { type: 'RecordAttachmentGrant', ...of, grantId: 'g2' } as const;
    const fresh: VolumeEvent = { type: 'AttachmentGrantCreated', ...of, grantId: 'g2' };
    given(...running, suspended)
      .when(grant)
      .then(fresh);
    given(...running, suspended, fresh)
      .when(suspend)
      .then(suspended);
    given(...running)
      .when(grant)
      .thenRefuses('AttachmentNotStarted');
  });

  it('fails to be resumed once for each request, and while it is suspended only', () => {
    const note = (requestId: string) =>
      ({ type: 'NoteReattachmentFailure', ...of, cause: 'is disabled.', requestId }) as const;
    const failed = (requestId: string): VolumeEvent => ({ ...note(requestId), type: 'ReattachmentFailed' });
    given(...running, suspended)
      .when(note('r1'))
      .then(failed('r1'));
    given(...running, suspended, failed('r1'))
      .when(note('r1'))
      .thenNothing();
    given(...running, suspended, failed('r1'))
      .when(note('r2'))
      .then(failed('r2'));
    given(...running)
      .when(note('r1'))
      .thenNothing();
  });

  it('is not suspended before it is made or after it is gone', () => {
    given(created, provisioned, attaching(false)).when(suspend).thenNothing();
    given(created, provisioned).when(resume).thenNothing();
  });

  it('changes what becomes of the volume', () => {
    const change = { ...of, deleteOnTermination: true };
    const changed: VolumeEvent = { type: 'DeleteOnTerminationChanged', ...change };
    given(...running)
      .when({ type: 'ChangeDeleteOnTermination', ...change })
      .then(changed);
    given(...running, changed)
      .when({ type: 'ChangeDeleteOnTermination', ...change })
      .thenNothing();
    given(...running, changed)
      .when({ type: 'ReleaseFromInstance', ...of })
      .then({ type: 'DetachmentStarted', ...of, deleteVolume: true });
  });
});

describe('a root volume', () => {
  it('does not become one that nothing boots from', () => {
    const toSt1 = { type: 'ModifyVolume', volumeId: id, request: { volumeType: 'st1' }, at } as const;
    given(created, provisioned, attaching(true), attached).when(toSt1).thenRefuses('BootVolumeTypeUnsupported');
    given(created, provisioned, attaching(false), attached)
      .when(toSt1)
      .then({
        type: 'ModificationStarted',
        volumeId: id,
        original: { volumeType: 'gp2', sizeGiB: 200, iops: 600, throughputMiBps: null, multiAttachEnabled: false },
        target: { volumeType: 'st1', sizeGiB: 200, iops: null, throughputMiBps: null, multiAttachEnabled: false },
        at,
      });
  });
});
